/**
 * How good the scan is: planted secrets that it should find, real code that it should pass. The long form (`npm run secrets`)
 * takes more seeds and files and names what was missed.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { generationRequest } from '../../server/src/core/request.ts';
import { createPrivacyScan } from '../../server/src/privacy/privacyScan.ts';
import { cleanFiles } from '../support/cleanFiles.ts';
import { plantedSecrets, secretKinds } from '../support/plantedSecrets.ts';
import { registry } from '../support/scriptedPorts.ts';

const long = process.env['COST_AWARE_ROUTER_PROOF'] === 'full';
const seeds = long ? [1, 2, 3, 4, 5, 6, 7, 8] : [1];
const FILES = long ? 4000 : 1000;
const cloud = registry.models[1]!;
const { scan } = createPrivacyScan();

async function rulesIn(text: string, path: string): Promise<readonly string[]> {
  const context = [{ kind: 'file', text, path }] as const;
  const request = generationRequest({ text: 'Explain.', history: [], context }, cloud, 1);
  return (await scan(request, context)).map(({ rule }) => rule);
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;

test('finds planted secrets of every kind that has a form or a name', async (context) => {
  const planted = seeds.flatMap(plantedSecrets);
  assert.ok(planted.length >= 300 && secretKinds.length >= 25);
  const missed = new Map<string, number>();
  for (const { kind, text, secret } of planted) {
    const rules = await rulesIn(text, 'src/planted.txt');
    if (rules.length === 0) missed.set(kind, (missed.get(kind) ?? 0) + 1);
    assert.ok(!rules.join().includes(secret), 'a finding never names the secret');
  }
  const misses = [...missed.values()].reduce((sum, count) => sum + count, 0);
  const recall = 1 - misses / planted.length;
  context.diagnostic(
    `recall ${percent(recall)}: ${planted.length - misses} of ${planted.length} secrets of ${secretKinds.length} kinds`,
  );
  context.diagnostic(
    `missed: ${[...missed].map(([kind, count]) => `${kind} ${count}`).join(', ')}`,
  );
  assert.ok(recall >= 0.93, `recall ${percent(recall)}`);
  // What has neither a name nor a form can't be told from any other text; everything else is found.
  const hopeless = ['in prose', 'taken apart', 'without a name', 'in another language'];
  assert.deepEqual(
    [...missed.keys()].filter((kind) => !hopeless.includes(kind)),
    [],
  );
});

test('passes real code without secrets', async (context) => {
  const files = cleanFiles(FILES, 1);
  assert.equal(files.length, FILES);
  const flagged: string[] = [];
  for (const { path, text } of files) {
    const rules = await rulesIn(text, 'src/clean.txt');
    if (rules.length > 0) flagged.push(`${path} (${rules.join()})`);
  }
  const share = flagged.length / files.length;
  context.diagnostic(
    `false positives ${percent(share)}: ${flagged.length} of ${files.length} files`,
  );
  for (const file of flagged.slice(0, long ? 100 : 10)) context.diagnostic(file);
  assert.ok(share <= 0.01, `false positives ${percent(share)}:\n${flagged.join('\n')}`);
});
