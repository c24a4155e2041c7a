/** A process that makes calls one after the other for a while and tells how many, and how long one of them waited at most. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { bill, openAt, request } from './ledgerFixture.ts';

export interface Turns {
  readonly calls: number;
  readonly longestWaitMs: number;
}

const [, , path = '', forMs = ''] = process.argv;
const ledger = await openAt(path);
const started = once(process, 'message');
process.send?.('ready');
await started;
const endMs = performance.now() + Number(forMs);
let calls = 0;
let longestWaitMs = 0;
// On a machine with hardly any time to spare so few calls are made that their shares say nothing.
while (performance.now() < endMs || calls < 3) {
  const id = randomUUID();
  for (const write of [
    () => ledger.reserve(request(id, 0.001), { monthlyNanoUsd: undefined }),
    () => ledger.dispatch(id),
    () => ledger.settle(id, bill(0.001)),
  ]) {
    const startMs = performance.now();
    const reply = await write();
    longestWaitMs = Math.max(longestWaitMs, performance.now() - startMs);
    if (typeof reply === 'object' && reply.kind !== 'held') throw new Error(JSON.stringify(reply));
  }
  calls += 1;
}
await ledger.close();
process.send?.({ calls, longestWaitMs } satisfies Turns);
process.disconnect();
