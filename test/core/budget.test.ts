import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  fits,
  monthOf,
  nextState,
  type ReservationEvent,
  type ReservationState,
  remaining,
  resetDate,
  usedShare,
} from '../../server/src/core/budget.ts';
import type { BudgetState } from '../../server/src/core/ports.ts';
import { nanoUsd } from '../../server/src/core/price.ts';

function state(limit: number | undefined, spent: number, held = 0): BudgetState {
  return {
    month: '2026-11',
    limitNanoUsd: limit === undefined ? undefined : nanoUsd(limit),
    spentNanoUsd: nanoUsd(spent),
    heldNanoUsd: nanoUsd(held),
  };
}

test('months are UTC and end where the next begins', () => {
  const rows: readonly [iso: string, month: string, reset: string][] = [
    ['2026-11-23T07:19:00Z', '2026-11', '2026-12-01'],
    ['2026-11-30T23:59:59.999Z', '2026-11', '2026-12-01'],
    ['2026-12-01T00:00:00Z', '2026-12', '2027-01-01'],
    ['2026-12-01T01:00:00+02:00', '2026-11', '2026-12-01'],
    ['2028-02-29T12:00:00Z', '2028-02', '2028-03-01'],
  ];
  for (const [iso, month, reset] of rows) {
    assert.equal(monthOf(Date.parse(iso)), month, iso);
    assert.equal(resetDate(month), reset, iso);
  }
});

test('what is left, what is used and what fits', () => {
  const rows: readonly [
    BudgetState,
    { left: number | undefined; used: number | undefined; fits: number[]; not: number[] },
  ][] = [
    [state(100, 0), { left: 100, used: 0, fits: [0, 100], not: [101] }],
    [state(100, 60, 30), { left: 10, used: 0.9, fits: [10], not: [11] }],
    [state(100, 130), { left: 0, used: 1.3, fits: [0], not: [1] }],
    [state(0, 0), { left: 0, used: 1, fits: [0], not: [1] }],
    [state(undefined, 5, 5), { left: undefined, used: undefined, fits: [1e15], not: [] }],
  ];
  for (const [budget, want] of rows) {
    assert.equal(remaining(budget), want.left);
    assert.equal(usedShare(budget), want.used);
    for (const bound of want.fits) assert.equal(fits(budget, nanoUsd(bound)), true);
    for (const bound of want.not) assert.equal(fits(budget, nanoUsd(bound)), false);
  }
});

test('a reservation moves only forward and ends once', () => {
  const bound = nanoUsd(100);
  const open = (kind: 'reserved' | 'dispatched'): ReservationState => ({
    kind,
    boundNanoUsd: bound,
  });
  const ended = (
    kind: 'settled' | 'settled_at_bound' | 'overrun' | 'voided',
    booked: number,
  ): ReservationState => ({ kind, boundNanoUsd: bound, bookedNanoUsd: nanoUsd(booked) });
  const settled = (cost: number): ReservationEvent => ({
    kind: 'settled',
    costNanoUsd: nanoUsd(cost),
  });
  const rows: readonly [ReservationState, ReservationEvent, ReservationState | string][] = [
    [open('reserved'), { kind: 'dispatched' }, open('dispatched')],
    [open('reserved'), { kind: 'voided' }, ended('voided', 0)],
    [open('reserved'), settled(5), 'refused'],
    [open('reserved'), { kind: 'settled_at_bound' }, 'refused'],
    [open('dispatched'), { kind: 'dispatched' }, 'refused'],
    [open('dispatched'), settled(0), ended('settled', 0)],
    [open('dispatched'), settled(100), ended('settled', 100)],
    [open('dispatched'), settled(101), ended('overrun', 101)],
    [open('dispatched'), { kind: 'settled_at_bound' }, ended('settled_at_bound', 100)],
    [open('dispatched'), { kind: 'voided' }, ended('voided', 0)],
    [ended('settled', 7), settled(7), 'repeated'],
    [ended('settled', 7), settled(8), 'refused'],
    [ended('settled', 100), { kind: 'settled_at_bound' }, 'refused'],
    [ended('settled', 0), { kind: 'voided' }, 'refused'],
    [ended('overrun', 101), settled(101), 'repeated'],
    [ended('settled_at_bound', 100), { kind: 'settled_at_bound' }, 'repeated'],
    [ended('settled_at_bound', 100), settled(40), 'refused'],
    [ended('voided', 0), { kind: 'voided' }, 'repeated'],
    [ended('voided', 0), { kind: 'dispatched' }, 'refused'],
  ];
  for (const [from, event, want] of rows) {
    const step = nextState(from, event);
    const label = `${from.kind} + ${event.kind}`;
    if (typeof want === 'string') assert.equal(step.kind, want, label);
    else assert.deepEqual(step, { kind: 'moved', state: want }, label);
  }
});
