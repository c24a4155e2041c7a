/** The short form of `npm run simulate`: some hundred seeds in memory, some on the real SQLite ledger. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { simulate } from './simulation.ts';
import { addTally, EMPTY_TALLY, type Tally } from './tally.ts';

async function simulateSeeds(
  t: TestContext,
  store: 'memory' | 'sqlite',
  seeds: number,
): Promise<Tally> {
  let tally = EMPTY_TALLY;
  for (let seed = 1; seed <= seeds; seed++) {
    const result = await simulate({ seed, steps: 150, store });
    assert.deepEqual(result.findings, [], `npm run simulate -- --seed ${seed} --store ${store}`);
    tally = addTally(tally, result);
  }
  const { steps, prompts, calls } = tally;
  t.diagnostic(`${store}: ${seeds} seeds, ${steps} steps, ${prompts} prompts, ${calls} calls`);
  t.diagnostic(`faults: ${JSON.stringify(tally.faults)}`);
  return tally;
}

test('the promises hold under every kind of fault, in memory', async (t) => {
  const { faults, calls } = await simulateSeeds(t, 'memory', 400);
  assert.ok(calls > 1000, `expected some calls a seed, got ${calls} in all`);
  const kinds = Object.keys(faults);
  // A provider that bills what it turns away, and a model unfrozen after that, come about once in a thousand seeds.
  assert.ok(kinds.length >= 28, `expected every common kind of fault, got ${kinds.join(', ')}`);
});

test('they hold on the real SQLite ledger, with its own full disk and lost connections', async (t) => {
  const { faults } = await simulateSeeds(t, 'sqlite', 25);
  for (const kind of ['crash', 'disk full', 'response lost', 'program closed']) {
    assert.ok((faults[kind] ?? 0) > 0, `expected a ${kind} in some seed`);
  }
});

test('a seed replays step by step, and another one goes another way', async () => {
  const run = (seed: number) => simulate({ seed, steps: 150, traced: true });
  const [once, again, other] = [await run(7), await run(7), await run(8)];
  assert.ok(once.trace.length > 150);
  assert.deepEqual(again, once);
  assert.notDeepEqual(other.trace, once.trace);
});

test('both stores are driven alike: seeds without a full disk take the same steps on each', async (t) => {
  let compared = 0;
  for (let seed = 1; seed <= 12; seed++) {
    const memory = await simulate({ seed, steps: 150, traced: true });
    // What fits on a full disk is another matter in memory than in a file.
    if (memory.faults['disk full'] !== undefined) continue;
    const sqlite = await simulate({ seed, steps: 150, traced: true, store: 'sqlite' });
    assert.deepEqual(sqlite, memory);
    compared += 1;
  }
  t.diagnostic(`${compared} seeds compared`);
  assert.ok(compared >= 4);
});
