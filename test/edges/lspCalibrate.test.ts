/** Calibrating from an editor: the real desk and the real questions over the protocol, with a scripted model. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createCalibrationDesk } from '../../server/src/calibrationDesk.ts';
import type { App } from '../../server/src/compose.ts';
import { parseFittedConfidence } from '../../server/src/core/confidence.ts';
import { parseFittedScore } from '../../server/src/core/fittedScore.ts';
import { settingsSchema } from '../../server/src/core/schema.ts';
import { readCheckableQuestions } from '../../server/src/learning/checkableQuestions.ts';
import { readJson, shippedModels } from '../../server/src/models/shippedFiles.ts';
import { openTuning } from '../../server/src/tuning.ts';
import { LOCAL, type ScriptedAnswer, says, scriptedRouter } from '../support/scriptedPorts.ts';
import { type Lsp, openLsp } from './lspHarness.ts';

const fitted = parseFittedScore(await readJson(join(shippedModels(), 'score.json')));
const shippedConfidence = parseFittedConfidence(
  await readJson(join(shippedModels(), 'confidence.json')),
);
const questionsPath = join(shippedModels(), 'checkable.jsonl');
const questions = readCheckableQuestions(questionsPath);

/** Right and sure where a word is asked for, else wrong and unsure. */
const answers: ScriptedAnswer = (request, signal) => {
  const text = request.turns.at(-1)?.text;
  const question = questions.find((one) => one.question === text);
  return question !== undefined && 'accept' in question
    ? says(question.accept[0] ?? '', { sure: true })(request, signal)
    : says('nothing at all', { sure: false })(request, signal);
};

async function withDesk(
  t: TestContext,
  work: (lsp: Lsp) => Promise<void>,
  more: {
    readonly locale?: string;
    readonly answers?: ScriptedAnswer;
    readonly there?: boolean;
  } = {},
): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), 'calibrate-'));
  t.after(() => rmSync(dataDir, { recursive: true, force: true }));
  const { router, ports } = scriptedRouter({ answers: { [LOCAL]: [more.answers ?? answers] } });
  const tuning = openTuning({
    dataDir,
    fitted,
    shippedConfidence,
    identityOf: (model) => ports.local.identity(model),
    onProblem: assert.fail,
  });
  const calibration = createCalibrationDesk({
    ...{ ports, router, fitted, shippedConfidence, tuning, questionsPath },
    checkCode: async () => undefined,
    settings: () => settingsSchema.parse({}),
  });
  const local = {
    ...ports.local,
    availability: () => ({ kind: more.there === false ? 'model_missing' : 'ready' }),
    prepare: async () => ({ kind: 'ready' }),
  } as unknown as App['local'];
  const lsp = await openLsp({
    app: { calibration, local },
    ...(more.locale === undefined ? {} : { initializationOptions: { locale: more.locale } }),
  });
  try {
    await work(lsp);
  } finally {
    await lsp.close();
  }
}

const target = { kind: 'escalated', value: 0.5 } as const;
const ask = { requestId: 'c1', modelId: LOCAL, target, questions: 60 };

test('a model is calibrated with progress, its figures stand before and after, and it can be taken back', async (t) => {
  await withDesk(t, async (lsp) => {
    assert.equal(await lsp.request('costAwareRouter/calibration', { modelId: LOCAL }), null);
    const result = await lsp.request('costAwareRouter/calibrate', ask);
    assert.ok(result.kind === 'calibrated', JSON.stringify(result));
    const { calibration } = result;
    assert.match(
      calibration.summary,
      /^Small Local: answered in the cloud [\d.]+ % → [\d.]+ %, quality kept [\d.]+ % → [\d.]+ %$/,
    );
    assert.deepEqual(calibration.figures.map(({ name }) => name).slice(0, 3), [
      'answered in the cloud',
      'quality kept',
      'gate: AUROC',
    ]);
    const [, , gate] = calibration.figures;
    assert.ok(
      Number(gate?.after) > 0.9,
      'sure answers are the right ones, so the fitted gate tells',
    );
    assert.match(calibration.document, /^# Calibration of Small Local\n\nsmall-local \(sha256 /);
    assert.match(calibration.document, /\| capital \| \d+ of \d+ \| 100\.0 % \| \d+ ms \|/);
    const told = lsp.notifications('costAwareRouter/calibrateProgress');
    assert.equal(told.length, 61);
    assert.deepEqual(told[0], {
      requestId: 'c1',
      done: 0,
      total: 60,
      message: 'Calibrating Small Local: question 1 of 60',
    });
    assert.equal(told.at(-1)?.done, 60);
    const inForce = await lsp.request('costAwareRouter/calibration', { modelId: LOCAL });
    assert.deepEqual(inForce, calibration);
    const back = { modelId: LOCAL };
    assert.deepEqual(await lsp.request('costAwareRouter/rollbackCalibration', back), {
      kind: 'done',
      message: 'Small Local is judged as it ships again.',
    });
    assert.deepEqual(await lsp.request('costAwareRouter/rollbackCalibration', back), {
      kind: 'failed',
      message: 'Small Local has no calibration to take back.',
    });
  });
});

test('a cancelled calibration keeps its answers and puts nothing in force; what can not be done is said', async (t) => {
  let asked = 0;
  let cancel = () => {};
  const slow: ScriptedAnswer = (request, signal) => {
    asked += 1;
    if (asked === 10) cancel();
    return answers(request, signal);
  };
  await withDesk(
    t,
    async (lsp) => {
      const { CancellationTokenSource } = await import('vscode-languageserver/node');
      const source = new CancellationTokenSource();
      cancel = () => source.cancel();
      const result = await lsp.client.sendRequest<unknown>(
        'costAwareRouter/calibrate',
        ask,
        source.token,
      );
      const message = JSON.stringify(result);
      assert.match(
        message,
        /"cancelled".*Die Kalibrierung wurde abgebrochen\. \d+ von 60 Antworten/,
      );
      assert.equal(await lsp.request('costAwareRouter/calibration', { modelId: LOCAL }), null);
      const few = await lsp.request('costAwareRouter/calibrate', { ...ask, questions: 5 });
      assert.deepEqual(few, {
        kind: 'failed',
        message: 'Erwartet wurden mindestens 30 Fragen, es waren 5.',
      });
      const unknown = await lsp.request('costAwareRouter/calibrate', { ...ask, modelId: 'other' });
      assert.equal(unknown.kind, 'failed');
    },
    { locale: 'de', answers: slow },
  );
  await withDesk(
    t,
    async (lsp) => {
      const missing = await lsp.request('costAwareRouter/calibrate', ask);
      assert.deepEqual(missing, {
        kind: 'failed',
        message: 'Small Local is not on this machine yet; download it first.',
      });
    },
    { there: false },
  );
});
