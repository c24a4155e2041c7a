/** A process of its own on a shared ledger. The first argument is the ledger's path, the second what to do with it. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { openLedger } from '../../server/src/store/ledger.ts';
import { LedgerUnavailableError } from '../../server/src/store/ledgerFaults.ts';
import { bill, clockAt, NOVEMBER, ONE_DOLLAR, request } from './ledgerFixture.ts';

export type WorkerReport =
  | { readonly kind: 'ready' }
  | { readonly kind: 'settled'; readonly id: string }
  | { readonly kind: 'unavailable'; readonly why: string };

const [, , path = '', task = ''] = process.argv;

function report(message: WorkerReport): void {
  process.send?.(message);
}

const opened = await openLedger({ path, clock: clockAt(NOVEMBER), newId: randomUUID });
if (opened.kind === 'unavailable') throw new Error(opened.why);
const { ledger } = opened;

switch (task) {
  case 'hold': {
    await ledger.reserve(request('only held', 0.2), ONE_DOLLAR);
    await ledger.reserve(request('sent', 0.3), ONE_DOLLAR);
    await ledger.dispatch('sent');
    report({ kind: 'ready' });
    await once(process, 'message');
    break;
  }
  case 'pay': {
    for (;;) {
      const id = randomUUID();
      const reply = await ledger.reserve(request(id, 0.001), { monthlyNanoUsd: undefined });
      if (reply.kind === 'unavailable') {
        report(reply);
        process.disconnect();
        break;
      }
      try {
        await ledger.dispatch(id);
        await ledger.settle(id, bill(0.0005));
        report({ kind: 'settled', id });
      } catch (error) {
        // The disk refused; the next reservation has to say so.
        if (!(error instanceof LedgerUnavailableError)) throw error;
      }
    }
    break;
  }
  default:
    throw new Error(`expected a task, got ${task}`);
}
