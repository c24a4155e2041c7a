/** Makes calls on a ledger one after the other and sends how long each step took. Arguments: the path, how many calls. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { nanoUsd } from '../../server/src/core/price.ts';
import { openLedger } from '../../server/src/store/ledger.ts';

export interface LedgerTimes {
  /** Reserved and dispatched. */
  readonly holdMs: readonly number[];
  readonly settleMs: readonly number[];
}

const [, , path = '', calls = ''] = process.argv;
const clock = { now: () => Date.now(), monotonicMs: () => performance.now() };
const opened = await openLedger({ path, clock, newId: randomUUID });
if (opened.kind === 'unavailable') throw new Error(opened.why);
const { ledger } = opened;
const { reserveDispatched: reserve = ledger.reserve } = ledger;
const usage = {
  inputTokens: 900,
  outputTokens: 200,
  cachedInputTokens: 0,
  cacheWriteTokens: 0,
  reasoningTokens: 0,
};

// Counted under strace there is no parent to wait for.
if (process.send !== undefined) {
  const started = once(process, 'message');
  process.send('ready');
  await started;
}
const holdMs: number[] = [];
const settleMs: number[] = [];
for (let n = 0; n < Number(calls); n += 1) {
  const id = randomUUID();
  const request = {
    id,
    promptId: id,
    modelId: 'cloud-model',
    priceRowId: 'cloud-model@2026-01-01',
    boundNanoUsd: nanoUsd(2_000_000),
    fingerprint: id,
  };
  const startedMs = performance.now();
  // As a call of the router does it, in one step.
  const reply = await reserve(request, { monthlyNanoUsd: nanoUsd(1e15) });
  if (reply.kind !== 'held') throw new Error(`expected a hold, got ${reply.kind}`);
  const dispatchedMs = performance.now();
  await ledger.settle(id, { kind: 'settled', costNanoUsd: nanoUsd(1_000_000), usage });
  holdMs.push(dispatchedMs - startedMs);
  settleMs.push(performance.now() - dispatchedMs);
}
process.send?.({ holdMs, settleMs } satisfies LedgerTimes);
await ledger.close();
if (process.connected) process.disconnect();
