/** Random lives of reservations against a plain model of the rules; the real ledger must agree after every step. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { nanoUsd } from '../../server/src/core/price.ts';
import { openAt, request, USAGE } from './ledgerFixture.ts';

const IDS = ['a', 'b', 'c', 'd', 'e'];

type Step =
  | { readonly do: 'reserve'; readonly id: string; readonly bound: number; readonly limit: number }
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
);

interface Modelled {
  readonly bound: number;
  state: 'reserved' | 'dispatched' | 'ended';
  booked: number;
}

test('random sequences agree with a plain model and never pass the limit by a reservation', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'ledger-test-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30 }), async (steps) => {
      run += 1;
      await live(join(folder, `${run}.sqlite`), steps);
    }),
    { numRuns: 60 },
  );
});

async function live(path: string, steps: readonly Step[]): Promise<void> {
  let ledger = await openAt(path);
  const model = new Map<string, Modelled>();
  const sum = (part: (one: Modelled) => number) =>
    [...model.values()].reduce((total, one) => total + part(one), 0);
  const held = () => sum((one) => (one.state === 'ended' ? 0 : one.bound));
  const spent = () => sum((one) => one.booked);

  for (const each of steps) {
    switch (each.do) {
      case 'reserve': {
        const { bound, limit } = each;
        const known = model.get(each.id);
        // The model is frozen after an overrun; each id has a model of its own, so that the others go on.
        const asked = request(each.id, 0, { boundNanoUsd: nanoUsd(bound), modelId: each.id });
        const reply = await ledger.reserve(asked, { monthlyNanoUsd: nanoUsd(limit) });
        if (known !== undefined) {
          assert.equal(reply.kind, known.bound === bound ? 'held' : 'conflict');
        } else if (bound > 0 && spent() + held() + bound > limit) {
          assert.equal(reply.kind, 'exhausted');
        } else {
          assert.equal(reply.kind, 'held');
          model.set(each.id, { bound, state: 'reserved', booked: 0 });
          // A lowered limit or an overrun may lie below what is held; then only free calls are taken.
          assert.ok(bound === 0 || spent() + held() <= limit);
        }
        break;
      }
      case 'reopen':
        await ledger.close();
        ledger = await openAt(path);
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
    const { spentNanoUsd, heldNanoUsd } = ledger.budget({ monthlyNanoUsd: undefined });
    assert.deepEqual([spentNanoUsd, heldNanoUsd], [spent(), held()]);
  }
  assert.deepEqual(ledger.verify(), []);
  const ends = [...ledger.events()].filter(
    ({ kind }) => kind !== 'reserved' && kind !== 'dispatched',
  );
  assert.equal(new Set(ends.map(({ reservationId }) => reservationId)).size, ends.length);
  await ledger.close();

  async function act(each: Exclude<Step, { do: 'reserve' | 'reopen' }>): Promise<unknown> {
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
