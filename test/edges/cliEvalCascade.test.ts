/** `eval cascade` on the real small model and a provider on loopback that we did not write. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { z } from 'zod';
import { type CascadeRow, cascadeFigures } from '../../server/src/learning/cascadeFigures.ts';
import { CLOUD_USAGE, openRealApp, type RealApp } from '../support/realApp.ts';
import { type CliRun, cli, jsonOf } from './cliHarness.ts';

const folder = mkdtempSync(join(tmpdir(), 'eval-cascade-'));
let real: RealApp;

before(async () => {
  real = await openRealApp();
});
after(async () => {
  await real.close();
  rmSync(folder, { recursive: true, force: true });
});

const questions = [
  { kind: 'capital', question: 'What is the capital of France?', accept: ['paris'] },
  { kind: 'capital', question: 'What is the capital of Mongolia?', accept: ['ulaanbaatar'] },
  { kind: 'arithmetic', question: 'What is 250 + 175?', accept: ['425'] },
  { task: 'code', prompt: 'Write a JavaScript function twice(n).', tests: ['twice(4) === 8'] },
  { prompt: 'Which planet is red?\nA) Venus\nB) Mars\nC) Earth\nD) Pluto', choice: 'B' },
  { prompt: 'Say the word yes and nothing else.', text: { equals: ['yes', 'Yes'], maxWords: 2 } },
];

const share = z.object({ value: z.number(), low: z.number(), high: z.number() });
const report = z.strictObject({
  prompts: z.int(),
  left_out: z.int(),
  cancelled: z.boolean(),
  cheap: z.object({ model: z.string(), accuracy: share, cost_usd: z.literal(0) }),
  cascade: z.strictObject({
    accuracy: share.nullable(),
    accuracy_bounds: z.object({ low: z.number(), high: z.number() }),
    cost_usd: z.number().nullable(),
    sent_at_once: z.number(),
    deferred: z.number(),
    accuracy_by_luck: z.number().nullable(),
  }),
  strong: z.object({
    model: z.string(),
    accuracy: share.nullable(),
    known_prompts: z.int(),
    cost_usd: z.number().nullable(),
  }),
  gate: z.object({ auroc: z.number().nullable(), calibration_error: z.number() }),
  tasks: z.array(
    z.object({ task: z.string(), prompts: z.int(), right_here: z.int(), sent: z.int() }),
  ),
  paid_usd: z.number(),
  cloud_stopped: z.string().nullable(),
});

function file(name: string, lines: readonly unknown[]): string {
  const path = join(folder, name);
  writeFileSync(path, lines.map((line) => JSON.stringify(line)).join('\n'));
  return path;
}

async function evalCascade(args: readonly string[], signal?: AbortSignal): Promise<CliRun> {
  return await cli(['eval', 'cascade', ...args], {
    ...(signal === undefined ? {} : { signal }),
    // The real parts stay open for the next test; the harness counts the closing.
    app: (scripted) => ({ ...real.app, close: () => scripted.close() }),
  });
}

test('live: every prompt is asked here, the cloud is paid within the cap and the ledger agrees', async () => {
  real.provider.prependFixture({
    match: { userMessage: /capital of Mongolia/ },
    response: { content: 'It is Ulaanbaatar.', usage: CLOUD_USAGE },
  });
  const spentBefore = (await real.app.budget()).spentNanoUsd;
  const run = await evalCascade([
    '--data',
    file('live.jsonl', questions),
    '--max-cost-usd',
    '1',
    '--json',
  ]);
  assert.equal(run.code, 0, run.stderr);
  const found = report.parse(jsonOf(run));
  assert.equal(found.prompts, questions.length);
  assert.deepEqual(
    found.tasks.map(({ task, prompts }) => [task, prompts]),
    [
      ['capital', 2],
      ['arithmetic', 1],
      ['code', 1],
      ['all', 2],
    ],
  );
  // The provider is right once, and is asked everything once.
  assert.equal(found.strong.known_prompts, questions.length);
  assert.equal(found.strong.accuracy?.value, 1 / questions.length);
  assert.equal(real.provider.getRequests().length, questions.length);
  const spent = (await real.app.budget()).spentNanoUsd - spentBefore;
  assert.ok(spent > 0);
  assert.equal(Math.round(found.paid_usd * 1e9), spent);
  assert.equal(Math.round((found.strong.cost_usd ?? 0) * 1e9), spent);
  // All answers cost the same here.
  const sent = found.cascade.sent_at_once + found.cascade.deferred;
  assert.equal(
    Math.round((found.cascade.cost_usd ?? 0) * 1e9),
    Math.round((spent / questions.length) * sent * questions.length),
  );
  assert.ok(found.cascade.accuracy !== null);
  assert.equal(found.cascade.accuracy.value, found.cascade.accuracy_bounds.low);
  // The real model knows Paris.
  assert.ok((found.tasks[0]?.right_here ?? 0) >= 1);
  assert.ok(found.cheap.accuracy.low < found.cheap.accuracy.value);
});

test('a cap that is reached ends the asking, and what is then not known is said so', async () => {
  const asked = real.provider.getRequests().length;
  const hard = [
    {
      kind: 'proof',
      prompt:
        'If each of 7 boxes holds twice as many marbles as the one before, then half of the remaining are given away and 12 more are added, is the total odd or even? Say one word.',
      accept: ['odd'],
    },
  ];
  const run = await evalCascade([
    '--data',
    file('capped.jsonl', hard),
    '--max-cost-usd',
    '0.000001',
    '--json',
  ]);
  assert.equal(run.code, 0, run.stderr);
  const found = report.parse(jsonOf(run));
  assert.match(found.cloud_stopped ?? '', /cost limit/);
  assert.equal(found.paid_usd, 0);
  assert.equal(real.provider.getRequests().length, asked);
  assert.ok(found.cascade.sent_at_once + found.cascade.deferred > 0);
  assert.equal(found.cascade.accuracy, null);
  assert.equal(found.cascade.cost_usd, null);
  assert.ok(found.cascade.accuracy_bounds.high > found.cascade.accuracy_bounds.low);
});

test('recorded answers cost nothing again: texts are checked by the key, outcomes are taken', async () => {
  const asked = real.provider.getRequests().length;
  const [france, mongolia, sum] = questions;
  const run = await evalCascade([
    '--data',
    file('recorded.jsonl', [
      { ...france, cloud: { text: 'Paris.', cost_usd: 0.0002 } },
      { ...mongolia, cloud: { text: 'I am not sure.', cost_usd: 0.0003 } },
      { ...sum, strong_big: 0.5 },
    ]),
  ]);
  assert.equal(run.code, 0, run.stderr);
  assert.equal(real.provider.getRequests().length, asked);
  assert.match(run.stdout, /^3 prompts$/m);
  assert.match(run.stdout, / alone +50\.0 % \(.*\) +100\.0 % +unknown/);
  assert.doesNotMatch(run.stdout, /Paid for this/);
  assert.match(run.stdout, /Gate: AUROC (unknown|\d\.\d{3}), calibration error \d\.\d{3}\./);
});

test('Ctrl-C ends with 130 and the figures of what was asked', async () => {
  const stop = new AbortController();
  let asked = 0;
  const run = await cli(['eval', 'cascade', '--data', file('long.jsonl', questions), '--json'], {
    signal: stop.signal,
    app: (scripted) => ({
      ...real.app,
      router: {
        ...real.app.router,
        async decide(...given) {
          asked += 1;
          if (asked === 3) stop.abort();
          return await real.app.router.decide(...given);
        },
      },
      close: () => scripted.close(),
    }),
  });
  assert.equal(run.code, 130);
  const found = report.parse(jsonOf(run));
  assert.ok(found.cancelled);
  assert.equal(found.prompts, 2);
  assert.match(run.stderr, /2 of 6 prompts were asked/);
});

const bad: [name: string, lines: readonly unknown[], says: RegExp][] = [
  ['empty', [], /empty\.jsonl: expected prompts, one JSON object a line, got none/],
  ['keyless', [{ prompt: 'Hello' }], /expected an answer key with every prompt.*got 1 without/],
  ['blank', [{ accept: ['x'] }], /blank\.jsonl:1: expected a text in the field prompt/],
  ['shape', [{ prompt: 'x', choice: 'E' }], /shape\.jsonl:1: expected an answer key that can be/],
  ['pattern', [{ prompt: 'x', text: { matches: '(' } }], /expected text\.matches to be a regular/],
  ['range', [{ prompt: 'x', accept: ['y'], strong_a: 2 }], /expected strong_NAME to be a number/],
  ['cloud', [{ prompt: 'x', accept: ['y'], cloud: 'z' }], /cloud\.jsonl:1: expected a prompt/],
];
for (const [name, lines, says] of bad) {
  test(`a bad file is told by what was expected before anything is asked: ${name}`, async () => {
    const run = await cli(['eval', 'cascade', '--data', file(`${name}.jsonl`, lines)], {});
    assert.equal(run.code, 2);
    assert.match(run.stderr, says);
    assert.equal(run.opened.length, 0);
  });
}

test('without a key a cap is refused before the model is loaded', async () => {
  const keyless = await openRealApp({ apiKey: '' });
  try {
    const run = await cli(
      ['eval', 'cascade', '--data', file('key.jsonl', questions), '--max-cost-usd', '1'],
      { app: (scripted) => ({ ...keyless.app, close: () => scripted.close() }) },
    );
    assert.equal(run.code, 4);
    assert.match(run.stderr, /expected an API key/);
    assert.equal(keyless.app.local.hostPid(), undefined);
  } finally {
    await keyless.close();
  }
});

test('the figures by hand: four prompts, one sent at once, one deferred in error', () => {
  const rows: CascadeRow[] = [
    { kind: 'a', local: true, confidence: 0.9, end: 'local' },
    { kind: 'a', local: false, confidence: 0.8, end: 'local', cloud: { quality: 1 } },
    { kind: 'b', local: true, confidence: 0.3, end: 'deferred', cloud: { quality: 0.5 } },
    { kind: 'b', local: false, confidence: 0.2, end: 'at once', cloud: { quality: 1 } },
  ];
  const found = cascadeFigures(rows);
  assert.equal(found.cheapOnly.share, 0.5);
  assert.equal(found.cascade?.share, 2.5 / 4);
  assert.equal(found.strong?.share, 2.5 / 3);
  assert.equal(found.strongKnown, 3);
  assert.equal(found.byLuck, 0.5 * 0.5 + 0.5 * (2.5 / 3));
  assert.deepEqual([found.atOnceShare, found.deferredShare], [0.25, 0.25]);
  // Of the four pairs of a right and a wrong answer, the right one is the surer in three.
  assert.equal(found.gateAuroc, 0.75);
  assert.equal(found.cascadeNanoUsd, undefined);
  assert.throws(() => cascadeFigures([]), /at least one prompt/);
});
