/** `calibrate --measure-cloud`: the cloud is asked through the ledger and a provider that we did not write, up to the cap. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readCheckableQuestions } from '../../server/src/learning/checkableQuestions.ts';
import type { RecordedAnswer } from '../../server/src/learning/recordedAnswers.ts';
import { shippedModels } from '../../server/src/models/shippedFiles.ts';
import { smolLm2 } from '../support/localModel.ts';
import { openRealApp, type RealApp } from '../support/realApp.ts';
import { cli, jsonOf } from './cliHarness.ts';

const LIMIT = 30;
const identity = smolLm2.file.sha256;
const questions = readCheckableQuestions(join(shippedModels(), 'checkable.jsonl'));

/** Local answers from an earlier run, so that only the cloud is left to ask. */
function keepAnswers({ dataDir }: RealApp): void {
  const lines = Array.from({ length: LIMIT }, (_, at) => {
    const { kind, question } = questions[Math.floor((at * questions.length) / LIMIT)] ?? {};
    return {
      ...{ identity, kind: kind ?? '', question: question ?? '', text: 'a b', finish: 'stop' },
      ...{ logProbs: at % 2 === 0 ? [-0.1, -0.2] : [-2, -3], good: at % 2 === 0, latencyMs: 10 },
    } satisfies RecordedAnswer;
  });
  const folder = join(dataDir, 'calibration');
  mkdirSync(folder, { recursive: true });
  const text = lines.map((line) => JSON.stringify(line)).join('\n');
  writeFileSync(join(folder, `${identity}.answers.jsonl`), `${text}\n`);
}

async function calibrate(real: RealApp, capUsd: string) {
  const args = ['--limit', String(LIMIT), '--measure-cloud', '--max-cost-usd', capUsd, '--json'];
  return await cli(['calibrate', ...args], {
    app: (scripted) => ({ ...real.app, close: () => scripted.close() }),
  });
}

test('every question is asked of the cloud once, paid through the ledger, and its quality is measured', async () => {
  const real = await openRealApp();
  try {
    keepAnswers(real);
    const run = await calibrate(real, '1');
    assert.equal(run.code, 0, run.stderr);
    const found = jsonOf(run);
    assert.equal(found['cloud'], 'measured');
    assert.equal(real.provider.getRequests().length, LIMIT);
    const spent = (await real.app.budget()).spentNanoUsd;
    assert.ok(spent > 0);
    assert.equal(Math.round(Number(found['cloud_cost_usd']) * 1e9), spent);
    // What was measured is kept: the same command pays nothing again.
    const again = await calibrate(real, '1');
    assert.equal(jsonOf(again)['cloud_cost_usd'], 0);
    assert.equal(real.provider.getRequests().length, LIMIT);
  } finally {
    await real.close();
  }
});

test('the cap ends the asking before it is passed, and the rest is estimated', async () => {
  const real = await openRealApp();
  try {
    keepAnswers(real);
    const run = await calibrate(real, '0.02');
    assert.equal(run.code, 0, run.stderr);
    const spent = (await real.app.budget()).spentNanoUsd;
    assert.ok(spent > 0 && spent <= 20_000_000, `${spent}`);
    assert.ok(real.provider.getRequests().length < LIMIT);
    assert.equal(jsonOf(run)['cloud'], 'estimated');
    assert.match(run.stderr, /the cloud model was asked no further/);
  } finally {
    await real.close();
  }
});
