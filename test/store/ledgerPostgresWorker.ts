/** A process of its own on a team ledger. The arguments are its URL, a data folder, and what to do with it. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { LedgerUnavailableError } from '../../server/src/store/ledgerFaults.ts';
import { bill, ONE_DOLLAR, openTeamAt, request } from './ledgerFixture.ts';

export type TeamWorkerReport =
  | { readonly kind: 'ready' }
  | { readonly kind: 'accepted'; readonly count: number }
  | { readonly kind: 'settled'; readonly id: string };

const [, , url = '', dataDir = '', task = ''] = process.argv;

function report(message: TeamWorkerReport): void {
  process.send?.(message);
}

const ledger = await openTeamAt(url, dataDir);

switch (task) {
  case 'hammer': {
    report({ kind: 'ready' });
    await once(process, 'message');
    const tries = Array.from({ length: 4 }, async () => {
      const id = randomUUID();
      if ((await ledger.reserve(request(id, 0.1), ONE_DOLLAR)).kind !== 'held') return false;
      await ledger.dispatch(id);
      await ledger.settle(id, bill(0.1));
      return true;
    });
    report({ kind: 'accepted', count: (await Promise.all(tries)).filter(Boolean).length });
    await once(process, 'message');
    await ledger.close();
    process.disconnect();
    break;
  }
  case 'hold': {
    await ledger.reserve(request('only held', 0.2), ONE_DOLLAR);
    await ledger.reserve(request('sent', 0.3), ONE_DOLLAR);
    await ledger.dispatch('sent');
    report({ kind: 'ready' });
    await once(process, 'message');
    break;
  }
  case 'pay': {
    report({ kind: 'ready' });
    for (;;) {
      const id = randomUUID();
      const reply = await ledger.reserve(request(id, 0.001), { monthlyNanoUsd: undefined });
      if (reply.kind !== 'held') continue;
      try {
        await ledger.dispatch(id);
        await ledger.settle(id, bill(0.0005));
        report({ kind: 'settled', id });
      } catch (error) {
        // The server went away for too long, or this process was taken for dead in the meantime and the call was ended.
        const ended =
          error instanceof Error && /got one that is (voided|settled_at_bound)/.test(error.message);
        if (!ended && !(error instanceof LedgerUnavailableError)) throw error;
      }
    }
  }
  default:
    throw new Error(`expected a task, got ${task}`);
}
