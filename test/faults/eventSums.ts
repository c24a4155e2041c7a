/** What a ledger's events add up to, counted here without any code of the ledger. */
import type { LedgerEvent } from '../../server/src/core/ledgerAudit.ts';

export interface EventSums {
  /** The most that was spent and held together after any event, in nano-USD. */
  readonly highestUsed: number;
  readonly spent: number;
  readonly held: number;
  /** By reservation: how it ended, and what was booked. */
  readonly ended: ReadonlyMap<string, { readonly kind: string; readonly booked: number }>;
  /** Reservations that were dispatched. */
  readonly dispatched: ReadonlySet<string>;
}

export function sumEvents(events: Iterable<LedgerEvent>): EventSums {
  const open = new Map<string, number>();
  const ended = new Map<string, { kind: string; booked: number }>();
  const dispatched = new Set<string>();
  let [spent, held, highestUsed] = [0, 0, 0];
  for (const { kind, reservationId, amountNanoUsd } of events) {
    if (reservationId === null) continue;
    if (kind === 'reserved') {
      open.set(reservationId, amountNanoUsd);
      held += amountNanoUsd;
    } else if (kind === 'dispatched') {
      dispatched.add(reservationId);
    } else {
      held -= open.get(reservationId) ?? 0;
      spent += amountNanoUsd;
      open.delete(reservationId);
      ended.set(reservationId, { kind, booked: amountNanoUsd });
    }
    highestUsed = Math.max(highestUsed, spent + held);
  }
  return { highestUsed, spent, held, ended, dispatched };
}
