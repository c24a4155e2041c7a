/** What the committed events of a ledger say, folded one by one, apart from the ledger's own tables. */
import { isOpen, type ReservationState } from '../../server/src/core/budget.ts';
import { countersOf } from '../../server/src/core/budgetsInForce.ts';
import type { LedgerEvent } from '../../server/src/core/ledgerAudit.ts';

export interface ShadowReservation {
  readonly id: string;
  readonly owner: string;
  readonly promptId: string;
  readonly modelId: string;
  readonly boundNanoUsd: number;
  readonly month: string;
  readonly day: string;
  /** Of its budgets, as `month 2026-11`. */
  readonly keys: readonly string[];
  kind: ReservationState['kind'];
  dispatched: boolean;
  /** Spent or held: what it takes of its budgets. */
  takesNanoUsd: number;
  /** How often it ended. */
  ends: number;
}

export interface Shadow {
  readonly reservations: ReadonlyMap<string, ShadowReservation>;
  /** Spent and held by budget. */
  readonly taken: ReadonlyMap<string, number>;
  readonly frozen: ReadonlySet<string>;
  seq(): number;
  /** Returns the reservation that moved; `undefined` for an event that concerns none. */
  fold(event: LedgerEvent): ShadowReservation | undefined;
}

export function createShadow(): Shadow {
  const reservations = new Map<string, ShadowReservation>();
  const taken = new Map<string, number>();
  const frozen = new Set<string>();
  let seq = 0;

  function take(reservation: ShadowReservation, amount: number): void {
    const more = amount - reservation.takesNanoUsd;
    reservation.takesNanoUsd = amount;
    for (const key of reservation.keys) taken.set(key, (taken.get(key) ?? 0) + more);
  }

  return {
    reservations,
    taken,
    frozen,
    seq: () => seq,
    fold(event) {
      seq = event.seq;
      const { kind, reservationId, amountNanoUsd } = event;
      if (kind === 'unfrozen' || reservationId === null) {
        frozen.delete(JSON.parse(event.details).modelId);
        return undefined;
      }
      if (kind === 'rebuilt') throw new Error('expected no rebuild in a simulation, got one');
      const known = reservations.get(reservationId);
      if (known === undefined) {
        const facts = JSON.parse(event.details);
        const fresh: ShadowReservation = {
          id: reservationId,
          owner: event.owner,
          promptId: facts.promptId,
          modelId: facts.modelId,
          boundNanoUsd: amountNanoUsd,
          month: facts.month,
          day: facts.day,
          keys: countersOf(facts).map(({ period, key }) => `${period} ${key}`),
          kind,
          dispatched: false,
          takesNanoUsd: 0,
          ends: 0,
        };
        reservations.set(reservationId, fresh);
        take(fresh, amountNanoUsd);
        return fresh;
      }
      known.kind = kind;
      known.dispatched ||= kind === 'dispatched';
      if (!isOpen({ kind } as ReservationState)) known.ends += 1;
      take(known, amountNanoUsd);
      if (kind === 'overrun') frozen.add(known.modelId);
      return known;
    },
  };
}
