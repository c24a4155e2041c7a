/** `bench modes` on the real small model and a provider on loopback that we did not write. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { z } from 'zod';
import { benchFigures, type ModeAnswer } from '../../server/src/learning/modeFigures.ts';
import { CLOUD_USAGE, openRealApp, type RealApp } from '../support/realApp.ts';
import { type CliRun, cli, jsonOf } from './cliHarness.ts';

const folder = mkdtempSync(join(tmpdir(), 'bench-modes-'));
let real: RealApp;

before(async () => {
  real = await openRealApp();
  real.provider.prependFixture({
    match: { userMessage: /capital of/ },
    response: { content: 'Paris, or Rome.', usage: CLOUD_USAGE },
  });
});
after(async () => {
  await real.close();
  rmSync(folder, { recursive: true, force: true });
});

const prompts = [
  { prompt: 'What is the capital of France?', accept: ['paris'] },
  { prompt: 'What is the capital of Italy?', accept: ['rome'] },
  {
    prompt:
      'If each of 7 boxes holds twice as many marbles as the one before, then half of the remaining are given away and 12 more are added, is the total odd or even? Say one word.',
    accept: ['no such word'],
  },
];

const mode = z.strictObject({
  cost_usd: z.number(),
  accuracy: z.object({ value: z.number(), low: z.number(), high: z.number() }).nullable(),
  local_share: z.number(),
  median_ms: z.number(),
  within_target: z.number().nullable(),
});
const report = z.strictObject({
  prompts: z.int(),
  checked: z.int(),
  left_out: z.int(),
  latency_target_ms: z.number().nullable(),
  cheap_only: mode,
  cloud_only: mode,
  routed: mode,
  cost_reduction: z.number().nullable(),
  quality_kept: z.number().nullable(),
  paid_usd: z.number(),
  cancelled: z.boolean(),
  stopped: z.string().nullable(),
});

function file(name: string, lines: readonly unknown[]): string {
  const path = join(folder, name);
  writeFileSync(path, lines.map((line) => JSON.stringify(line)).join('\n'));
  return path;
}

async function bench(args: readonly string[]): Promise<CliRun> {
  return await cli(['bench', 'modes', ...args], {
    app: (scripted) => ({ ...real.app, close: () => scripted.close() }),
  });
}

test('every prompt in three modes: money by the ledger, quality by the keys, nothing counted as saved', async () => {
  const before = await real.app.router.spend();
  const run = await bench([
    file('three.jsonl', prompts),
    '--max-cost-usd',
    '1',
    '--latency-ms',
    '600000',
    '--json',
  ]);
  assert.equal(run.code, 0, run.stderr);
  const found = report.parse(jsonOf(run));
  assert.equal(found.prompts, 3);
  assert.equal(found.checked, 3);
  assert.equal(found.cheap_only.cost_usd, 0);
  assert.equal(found.cheap_only.local_share, 1);
  assert.equal(found.cloud_only.local_share, 0);
  assert.equal(found.cloud_only.accuracy?.value, 2 / 3);
  assert.equal(found.cloud_only.within_target, 1);
  assert.equal(found.cost_reduction, 1 - found.routed.cost_usd / found.cloud_only.cost_usd);
  assert.equal(
    found.quality_kept,
    (found.routed.accuracy?.value ?? 0) / found.cloud_only.accuracy.value,
  );
  // The modes' costs are all that was paid, and the ledger says the same.
  const after = await real.app.router.spend();
  const spent = after.budget.spentNanoUsd - before.budget.spentNanoUsd;
  assert.ok(spent > 0);
  assert.equal(Math.round(found.paid_usd * 1e9), spent);
  assert.equal(Math.round((found.cloud_only.cost_usd + found.routed.cost_usd) * 1e9), spent);
  assert.equal(after.answers - before.answers, 9);
  assert.equal(after.savedNanoUsd, before.savedNanoUsd);
  assert.equal(after.unknownSavings - before.unknownSavings, 9);
});

test('a cap that is reached ends the run and says how far it came', async () => {
  const run = await bench([
    file('capped.jsonl', prompts.slice(0, 1)),
    '--max-cost-usd',
    '0.000001',
  ]);
  assert.equal(run.code, 3);
  assert.equal(run.stdout, '');
  assert.match(run.stderr, /cost_limit/);
  assert.match(run.stderr, /0 of 1 prompts were answered in every mode, for \$0\.00/);
});

test('without keys in the file the quality is unknown, and without a target so is the time', async () => {
  const run = await bench([
    file('keyless.jsonl', [{ prompt: 'What is the capital of France?' }]),
    '--max-cost-usd',
    '1',
  ]);
  assert.equal(run.code, 0, run.stderr);
  assert.match(run.stdout, /^1 prompts, 0 of them with an answer that can be checked$/m);
  assert.match(run.stdout, /^cheap only +\$0\.00 +unknown +100\.0 % .*no target$/m);
  assert.match(run.stdout, /quality kept unknown\./);
});

test('the cap is asked for, and a key is needed before the model is loaded', async () => {
  const path = file('flags.jsonl', prompts);
  const uncapped = await cli(['bench', 'modes', path], {});
  assert.equal(uncapped.code, 2);
  assert.match(uncapped.stderr, /--max-cost-usd/);
  const keyless = await openRealApp({ apiKey: '' });
  try {
    const run = await cli(['bench', 'modes', path, '--max-cost-usd', '1'], {
      app: (scripted) => ({ ...keyless.app, close: () => scripted.close() }),
    });
    assert.equal(run.code, 4);
    assert.match(run.stderr, /expected an API key/);
    assert.equal(keyless.app.local.hostPid(), undefined);
  } finally {
    await keyless.close();
  }
});

test('the figures by hand', () => {
  const answer = (right: boolean | undefined, costNanoUsd: number, latencyMs: number) =>
    ({ right, costNanoUsd, latencyMs, served: costNanoUsd > 0 ? 'cloud' : 'local' }) as ModeAnswer;
  const found = benchFigures(
    [
      { cheap: answer(true, 0, 10), cloud: answer(true, 40, 30), routed: answer(true, 0, 10) },
      { cheap: answer(false, 0, 10), cloud: answer(true, 60, 50), routed: answer(true, 60, 90) },
      { cheap: answer(true, 0, 10), cloud: answer(undefined, 0, 9), routed: answer(true, 0, 9) },
    ],
    30,
  );
  assert.equal(found.checked, 2);
  assert.equal(found.costReduction, 0.4);
  assert.equal(found.qualityKept, 1);
  assert.equal(found.modes.cheap.quality?.share, 0.5);
  assert.equal(found.modes.routed.inTimeShare, 2 / 3);
  assert.equal(found.modes.routed.medianMs, 10);
  assert.throws(() => benchFigures([], undefined), /at least one prompt/);
});
