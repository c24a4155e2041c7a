/** Random lives of reservations against a plain model of the rules; the real ledger must agree after every step. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { dayOf, monthOf } from '../../server/src/core/budget.ts';
import type { Clock } from '../../server/src/core/ports.ts';
import { nanoUsd } from '../../server/src/core/price.ts';
import { type AnyPlace, eachStore, eventsOf, NOVEMBER, request, USAGE } from './ledgerFixture.ts';

const IDS = ['a', 'b', 'c', 'd', 'e'];

type Step =
  | {
      readonly do: 'reserve';
      readonly id: string;
      readonly bound: number;
      readonly limit: number;
      readonly narrow: number | undefined;
      readonly session: string | undefined;
      readonly workspace: string | undefined;
    }
  /** Time goes on by some hours, or the clock is set back. */
  | { readonly do: 'wait'; readonly hours: number }
  | { readonly do: 'dispatch' | 'void' | 'at bound'; readonly id: string }
  | { readonly do: 'settle'; readonly id: string; readonly cost: number }
  | { readonly do: 'reopen' };

const id = fc.constantFrom(...IDS);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('reserve' as const),
      id,
      bound: fc.integer({ min: 0, max: 60 }),
      limit: fc.constantFrom(50, 100, 100, 100, 150),
      narrow: fc.constantFrom(undefined, 40, 80),
      session: fc.constantFrom(undefined, 's', 't'),
      workspace: fc.constantFrom(undefined, 'w'),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('dispatch' as const), id }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('settle' as const),
      id,
      cost: fc.integer({ min: 0, max: 60 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constantFrom('void' as const, 'at bound' as const), id }),
  },
  { weight: 1, arbitrary: fc.constant({ do: 'reopen' as const }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('wait' as const),
      hours: fc.constantFrom(-30, 20, 300),
    }),
  },
);

interface Modelled {
  readonly bound: number;
  state: 'reserved' | 'dispatched' | 'ended';
  booked: number;
  /** Month, day, session and workspace of that month, as far as it has them. */
  readonly scopes: readonly string[];
}

const START_MS = Date.parse(NOVEMBER);

eachStore(
  'random sequences agree with a plain model and never pass a limit',
  async (_, temp, store) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30 }), async (steps) => {
        await live(temp, steps);
      }),
      // Each run has a database of its own, which takes a server a while.
      { numRuns: store === 'SQLite' ? 60 : 12 },
    );
  },
);

function later(a: string, b: string): string {
  return a > b ? a : b;
}

async function live(
  temp: (clock: Clock) => Promise<AnyPlace>,
  steps: readonly Step[],
): Promise<void> {
  let nowMs = START_MS;
  const clock = { now: () => nowMs, monotonicMs: () => performance.now() };
  let latest = { month: '', day: '' };
  const { ledger: opened, open } = await temp(clock);
  let ledger = opened;
  const model = new Map<string, Modelled>();
  const sum = (scope: string, part: (one: Modelled) => number) =>
    [...model.values()]
      .filter(({ scopes }) => scopes.includes(scope))
      .reduce((total, one) => total + part(one), 0);
  const held = (scope: string) => sum(scope, (one) => (one.state === 'ended' ? 0 : one.bound));
  const spent = (scope: string) => sum(scope, (one) => one.booked);
  /** Days and months follow the clock forward once something was reserved in them, never back. */
  const datesNow = () => ({
    month: later(latest.month, monthOf(nowMs)),
    day: later(latest.day, dayOf(nowMs)),
  });

  for (const each of steps) {
    switch (each.do) {
      case 'reserve': {
        const { bound, limit, narrow, session, workspace } = each;
        const { month, day } = datesNow();
        const scopes = [
          month,
          day,
          ...(session === undefined ? [] : [session]),
          ...(workspace === undefined ? [] : [`${month} ${workspace}`]),
        ];
        const limits = scopes.flatMap((scope) => {
          const most = scope === month ? limit : narrow;
          return most === undefined ? [] : [{ scope, most }];
        });
        const over = limits.some(({ scope, most }) => spent(scope) + held(scope) + bound > most);
        const known = model.get(each.id);
        // The model is frozen after an overrun; each id has a model of its own, so that the others go on.
        const asked = request(each.id, 0, { boundNanoUsd: nanoUsd(bound), modelId: each.id });
        const narrower = narrow === undefined ? undefined : nanoUsd(narrow);
        const reply = await ledger.reserve(
          { ...asked, sessionId: session, workspaceId: workspace },
          {
            monthlyNanoUsd: nanoUsd(limit),
            dailyNanoUsd: narrower,
            sessionNanoUsd: narrower,
            workspaceNanoUsd: narrower,
          },
        );
        if (known !== undefined) {
          assert.equal(reply.kind, known.bound === bound ? 'held' : 'conflict');
        } else if (bound > 0 && over) {
          assert.equal(reply.kind, 'exhausted');
        } else {
          assert.equal(reply.kind, 'held');
          model.set(each.id, { bound, state: 'reserved', booked: 0, scopes });
          latest = { month, day };
          // A lowered limit or an overrun may lie below what is held; then only free calls are taken.
          assert.ok(
            bound === 0 || limits.every(({ scope, most }) => spent(scope) + held(scope) <= most),
          );
        }
        break;
      }
      case 'wait':
        nowMs += each.hours * 3_600_000;
        break;
      case 'reopen':
        await ledger.close();
        ledger = await open(clock);
        for (const one of model.values()) {
          if (one.state === 'dispatched') one.booked = one.bound;
          one.state = 'ended';
        }
        break;
      default: {
        const one = model.get(each.id);
        const may =
          each.do === 'dispatch' || each.do === 'void'
            ? one?.state === 'reserved' || (each.do === 'void' && one?.state === 'dispatched')
            : one?.state === 'dispatched';
        if (one === undefined || !may) {
          // Repeating an end is allowed when it is the same; either way nothing may change below.
          await act(each).catch(() => undefined);
          break;
        }
        await act(each);
        one.state = each.do === 'dispatch' ? 'dispatched' : 'ended';
        if (each.do === 'settle') one.booked = each.cost;
        if (each.do === 'at bound') one.booked = one.bound;
      }
    }
    const limit = nanoUsd(1000);
    const state = await ledger.budget(
      {
        monthlyNanoUsd: undefined,
        dailyNanoUsd: limit,
        sessionNanoUsd: limit,
        workspaceNanoUsd: limit,
      },
      { sessionId: 's', workspaceId: 'w' },
    );
    const { month, day } = datesNow();
    const counted = [state, ...(state.narrower ?? [])];
    assert.deepEqual(
      counted.map(({ spentNanoUsd, heldNanoUsd }) => [spentNanoUsd, heldNanoUsd]),
      [month, day, 's', `${month} w`].map((scope) => [spent(scope), held(scope)]),
    );
  }
  assert.deepEqual(await ledger.verify(), []);
  const ends = (await eventsOf(ledger)).filter(
    ({ kind }) => kind !== 'reserved' && kind !== 'dispatched',
  );
  assert.equal(new Set(ends.map(({ reservationId }) => reservationId)).size, ends.length);
  await ledger.close();

  async function act(each: Exclude<Step, { do: 'reserve' | 'reopen' | 'wait' }>): Promise<unknown> {
    switch (each.do) {
      case 'dispatch':
        return ledger.dispatch(each.id);
      case 'settle':
        return ledger.settle(each.id, {
          kind: 'settled',
          costNanoUsd: nanoUsd(each.cost),
          usage: USAGE,
        });
      case 'void':
        return ledger.settle(each.id, { kind: 'voided', why: 'connection refused' });
      case 'at bound':
        return ledger.settle(each.id, { kind: 'settled_at_bound', why: 'timeout' });
    }
  }
}
