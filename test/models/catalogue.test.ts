/** The catalogue over real files: edits are picked up, mistakes leave the last good version in force. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createCatalogue, type LiveCatalogue } from '../../server/src/models/catalogue.ts';

const registryText = (label: string) => `version: 1
defaults: { cheap: small, escalation: big, baseline: big }
models:
  - { id: small, label: ${label}, tier: cheap, provider: openai, context_window: 9, max_output_tokens: 1, ability: { size_billions: 1 } }
  - { id: big, tier: escalation, provider: openai, context_window: 9, max_output_tokens: 1, ability: { size_billions: 1 } }
`;

const pricingText = (input: string) => `version: 1
prices:
  - { model: big, effective_from: 2026-03-01, source: me, checked_at: 2026-03-01, input: ${input}, output: 10 }
  - { model: big, effective_from: 2026-01-01, source: me, checked_at: 2026-01-01, input: 1, output: 10 }
  - { model: small, effective_from: 2026-01-01, source: me, checked_at: 2026-01-01, input: 0, output: 0 }
`;

interface House {
  readonly folder: string;
  readonly catalogue: LiveCatalogue;
  readonly reported: string[];
  /** Writes a file and moves the clock to the next look. */
  edit(name: string, text: string): void;
  remove(name: string): void;
}

function house(t: TestContext): House {
  const folder = mkdtempSync(join(tmpdir(), 'catalogue-'));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'registry.yaml'), registryText('One'));
  writeFileSync(join(folder, 'pricing.yaml'), pricingText('2'));
  const reported: string[] = [];
  let nowMs = 0;
  const result = createCatalogue({
    registryPath: join(folder, 'registry.yaml'),
    pricingPath: join(folder, 'pricing.yaml'),
    overlays: [
      { registryPath: join(folder, 'mine.yaml'), pricingPath: join(folder, 'mine-prices.yaml') },
    ],
    onProblem: ({ message }) => reported.push(message),
    clock: { monotonicMs: () => nowMs },
  });
  const catalogue = result.kind === 'ready' ? result.catalogue : assert.fail('not ready');
  return {
    folder,
    catalogue,
    reported,
    edit(name, text) {
      writeFileSync(join(folder, name), text);
      nowMs += 250;
    },
    remove(name) {
      rmSync(join(folder, name));
      nowMs += 250;
    },
  };
}

const label = ({ catalogue }: House) => catalogue.registry().models[0]?.label;
const at = (day: string) => Date.parse(`${day}T12:00:00Z`);

test('the row in force is the latest that has begun', (t) => {
  const { catalogue } = house(t);
  const rows = [
    ['2025-12-31', undefined],
    ['2026-01-01', 'big@2026-01-01'],
    ['2026-02-28', 'big@2026-01-01'],
    ['2026-03-01', 'big@2026-03-01'],
  ] as const;
  for (const [day, id] of rows) assert.equal(catalogue.price('big', at(day))?.id, id, day);
  assert.equal(catalogue.price('nobody', at('2026-03-01')), undefined);
});

test('an edit is picked up while running', (t) => {
  const own = house(t);
  assert.equal(label(own), 'One');
  own.edit('registry.yaml', registryText('Two'));
  assert.equal(label(own), 'Two');
  own.edit('pricing.yaml', pricingText('3.5'));
  assert.equal(own.catalogue.price('big', at('2026-03-01'))?.base.inputPicoUsd, 3_500_000);
});

test('a bad edit is reported once and leaves the last good version in force', (t) => {
  const own = house(t);
  own.edit('registry.yaml', registryText('Two').replace('tier: cheap', 'tier: cheep'));
  assert.equal(label(own), 'One');
  own.edit('another-file.txt', 'time goes by');
  assert.equal(label(own), 'One');
  assert.equal(own.reported.length, 1);
  assert.match(own.reported[0]!, /^registry\.yaml:4:\d+: expected cheap or escalation .*"cheep"$/);
  assert.equal(own.catalogue.problems().length, 1);
  assert.equal(own.catalogue.price('big', at('2026-03-01'))?.base.inputPicoUsd, 2_000_000);

  own.edit('registry.yaml', registryText('Three'));
  assert.equal(label(own), 'Three');
  assert.deepEqual(own.catalogue.problems(), []);
  assert.equal(own.reported.length, 1);
});

test('a file that disappears is a bad edit', (t) => {
  const own = house(t);
  own.remove('pricing.yaml');
  assert.equal(own.catalogue.price('small', at('2026-03-01'))?.base.inputPicoUsd, 0);
  assert.match(own.reported[0]!, /^pricing\.yaml:1:1: expected a readable file, found ENOENT$/);
});

test("a user's own files may appear, add and replace, and go again", (t) => {
  const own = house(t);
  own.edit(
    'mine.yaml',
    'version: 1\nmodels:\n  - { id: extra, tier: cheap, provider: openai, context_window: 9, max_output_tokens: 1, ability: { size_billions: 1 } }\n',
  );
  own.edit(
    'mine-prices.yaml',
    'version: 1\nprices:\n  - { model: extra, effective_from: 2026-01-01, source: me, checked_at: 2026-01-01, input: "0.000001", output: 1 }\n  - { model: big, effective_from: 2026-03-01, source: me, checked_at: 2026-03-01, input: 9, output: 9 }\n',
  );
  assert.deepEqual(
    own.catalogue.registry().models.map(({ id }) => id),
    ['small', 'big', 'extra'],
  );
  assert.equal(own.catalogue.price('extra', at('2026-03-01'))?.base.inputPicoUsd, 1);
  assert.equal(own.catalogue.price('big', at('2026-03-01'))?.base.inputPicoUsd, 9_000_000);
  own.remove('mine-prices.yaml');
  assert.equal(own.catalogue.price('extra', at('2026-03-01')), undefined);
  assert.deepEqual(own.reported, []);
});

test('prices that nobody has checked for 60 days are stale, free ones never', (t) => {
  const { catalogue } = house(t);
  const stale = (day: string) => catalogue.stalePrices(at(day)).map(({ id }) => id);
  assert.deepEqual(stale('2026-04-29'), []);
  assert.deepEqual(stale('2026-05-01'), ['big@2026-03-01']);
});

test('a bad file at the start is a result with every mistake of both files', (t) => {
  const { folder } = house(t);
  writeFileSync(join(folder, 'registry.yaml'), 'version: 1\n');
  writeFileSync(join(folder, 'pricing.yaml'), 'version: 3\nprices: []\n');
  const result = createCatalogue({
    registryPath: join(folder, 'registry.yaml'),
    pricingPath: join(folder, 'pricing.yaml'),
    onProblem: () => assert.fail('reported as an edit'),
  });
  const problems = result.kind === 'failed' ? result.problems : assert.fail('not failed');
  assert.deepEqual(
    problems.map(({ path }) => path),
    ['defaults', 'models', 'version'],
  );
});
