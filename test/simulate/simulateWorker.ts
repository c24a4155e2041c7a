/** Simulates the seeds it is sent, one after the other, and answers with their sums. */
import { parentPort } from 'node:worker_threads';
import { simulate } from './simulation.ts';
import { addTally, EMPTY_TALLY } from './tally.ts';

interface Share {
  readonly from: number;
  /** Not included. */
  readonly to: number;
  readonly steps: number;
  readonly store: 'memory' | 'sqlite';
}

parentPort?.on('message', async ({ from, to, steps, store }: Share) => {
  let tally = EMPTY_TALLY;
  for (let seed = from; seed < to; seed++) {
    tally = addTally(tally, await simulate({ seed, steps, store }));
  }
  parentPort?.postMessage(tally);
});
