/** A process that takes from a shared limit all that it can get, in several lanes at once; one ledger per round. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleepFor } from 'node:timers/promises';
import { nanoUsd } from '../../server/src/core/price.ts';
import { ONE_DOLLAR, openAt, request, USAGE } from '../store/ledgerFixture.ts';

export interface HammerRound {
  readonly path: string;
  readonly billNanoUsd: number;
}

export type HammerReport =
  | { readonly kind: 'ready' }
  | {
      readonly kind: 'done';
      readonly accepted: number;
      readonly refused: number;
      /** The most spent and held together that this process was told. */
      readonly highestUsed: number;
      readonly longestBlockMs: number;
    };

const LANES = 4;

const report = (message: HammerReport) => process.send?.(message);

for (;;) {
  const [round] = await once(process, 'message');
  const { path, billNanoUsd } = round as HammerRound;
  const ledger = await openAt(path);
  const started = once(process, 'message');
  report({ kind: 'ready' });
  await started;
  let [accepted, refused, highestUsed] = [0, 0, 0];
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  await Promise.all(Array.from({ length: LANES }, lane));
  delay.disable();
  await ledger.close();
  report({ kind: 'done', accepted, refused, highestUsed, longestBlockMs: delay.max / 1e6 });

  /** Ends when nothing is held any more that could become room. */
  async function lane(): Promise<void> {
    for (;;) {
      const id = randomUUID();
      const reply = await ledger.reserve(request(id, 0.1), ONE_DOLLAR);
      if (reply.kind === 'exhausted') {
        const { spentNanoUsd, heldNanoUsd } = reply.state;
        highestUsed = Math.max(highestUsed, spentNanoUsd + heldNanoUsd);
        refused += 1;
        if (heldNanoUsd === 0) return;
        await sleepFor(1);
        continue;
      }
      if (reply.kind !== 'held') throw new Error(`expected room or none, got ${reply.kind}`);
      accepted += 1;
      await ledger.dispatch(id);
      const { spentNanoUsd, heldNanoUsd } = await ledger.budget(ONE_DOLLAR);
      highestUsed = Math.max(highestUsed, spentNanoUsd + heldNanoUsd);
      await ledger.settle(id, {
        kind: 'settled',
        costNanoUsd: nanoUsd(billNanoUsd),
        usage: USAGE,
      });
    }
  }
}
