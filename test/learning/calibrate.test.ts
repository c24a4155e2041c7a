/** Calibrating a scripted model whose right and wrong answers differ in how sure they are. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { withCalibratedGates } from '../../server/src/core/calibration.ts';
import { onCurve } from '../../server/src/core/calibrationCurve.ts';
import { gateOf, parseFittedConfidence } from '../../server/src/core/confidence.ts';
import { failure } from '../../server/src/core/errors.ts';
import { parseFittedScore } from '../../server/src/core/fittedScore.ts';
import { measuredAbility } from '../../server/src/core/measuredAbility.ts';
import type { ModelPort } from '../../server/src/core/ports.ts';
import { type CalibrationOptions, calibrate } from '../../server/src/learning/calibrate.ts';
import { readCheckableQuestions } from '../../server/src/learning/checkableQuestions.ts';
import { isotonic, platt } from '../../server/src/learning/fitCurve.ts';
import { createSeededRandom } from '../../server/src/learning/seededRandom.ts';
import { readJson, shippedModels } from '../../server/src/models/shippedFiles.ts';
import { openCalibrations } from '../../server/src/store/calibrations.ts';
import { smolLm2 } from '../support/localModel.ts';

const questionsPath = join(shippedModels(), 'checkable.jsonl');
const questions = readCheckableQuestions(questionsPath);
const fitted = parseFittedScore(await readJson(join(shippedModels(), 'score.json')));
const confidence = parseFittedConfidence(await readJson(join(shippedModels(), 'confidence.json')));
const escalation = { ...smolLm2, id: 'big', ability: { kind: 'size', billions: 400 } } as const;

/** Right on some kinds, and then sure; wrong elsewhere, and then unsure, with some noise. */
function modelPort(asked: string[] = []): ModelPort {
  const random = createSeededRandom(3);
  return {
    availability: () => ({ kind: 'ready' }),
    identity: () => 'abc123',
    async *generate(_model, request, signal) {
      const text = request.turns.at(-1)?.text ?? '';
      asked.push(text);
      const question = questions.find((one) => one.question === text);
      if (signal.aborted || question === undefined) {
        yield { type: 'failed', failure: failure('cancelled', 'cancelled') };
        return;
      }
      const right = 'accept' in question && random.next() < 0.7;
      const answer = right && 'accept' in question ? (question.accept[0] ?? '') : 'nothing at all';
      const logProb = (right ? -0.1 : -0.9) - 0.5 * random.next();
      const logProbs = answer.split(' ').map((word) => ({ text: word, logProb }));
      yield { type: 'text-delta', text: answer, logProbs };
      const usage = {
        inputTokens: 10,
        outputTokens: logProbs.length,
        cachedInputTokens: 0,
        cacheWriteTokens: 0,
        reasoningTokens: 0,
      };
      yield { type: 'end', finish: 'stop', usage, logProbs };
    },
  };
}

const deps = (local: ModelPort) => ({
  local,
  clock: { now: () => 1000, monotonicMs: () => performance.now() },
  checkCode: async () => undefined,
  fitted,
  confidence,
  escalateShare: 0.5,
  questionsPath,
});

function options(change: Partial<CalibrationOptions> = {}): CalibrationOptions {
  return {
    model: smolLm2,
    escalation,
    target: { kind: 'escalated', value: 0.5 },
    limit: 120,
    signal: new AbortController().signal,
    ...change,
  };
}

function store(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'calibration-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const problems: string[] = [];
  return { folder, problems, open: () => openCalibrations(folder, (said) => problems.push(said)) };
}

test('a calibration finds what the model can do, and routes better than without', async (t) => {
  const { open } = store(t);
  const result = await calibrate(deps(modelPort()), options(), (id) => open().journal(id));
  assert.ok(result.kind === 'calibrated');
  const { gate, after, outcomes } = result.calibration;
  assert.equal(gate.source, 'outcomes');
  assert.ok((after.gateAuroc ?? 0) > 0.9, `${after.gateAuroc}`);
  assert.ok((after.gateCalibrationError ?? 1) < 0.12, `${after.gateCalibrationError}`);
  assert.ok(after.escalated <= 0.5, `${after.escalated}`);
  // Escalating by luck would reach the mean of both models.
  const right = Object.values(result.calibration.kinds).reduce((sum, kind) => sum + kind.right, 0);
  const cloud = after.quality / after.kept;
  const byLuck = (share: number) => (1 - share) * (right / 120) + share * cloud;
  assert.ok(
    after.quality > byLuck(after.escalated) + 0.02,
    `${after.quality}, by luck ${byLuck(after.escalated)}`,
  );
  const counted = Object.values(outcomes).reduce((sum, { good, bad }) => sum + good + bad, 0);
  assert.equal(counted, 120);
  // Tasks that it failed count against it, and only those that were asked of it move.
  const moved = measuredAbility(fitted, smolLm2.ability, outcomes);
  assert.ok(moved.kind === 'stated');
  const [worst] = Object.entries(outcomes).toSorted(
    ([, a], [, b]) => b.bad - b.good - (a.bad - a.good),
  );
  const before0 = measuredAbility(fitted, smolLm2.ability, {});
  assert.ok(before0.kind === 'stated' && worst !== undefined);
  assert.ok((moved.tasks[worst[0]] ?? 1) < (before0.tasks[worst[0]] ?? 0));
});

test('a quality target takes more of the cloud the higher it is', async (t) => {
  const { open } = store(t);
  const shares: number[] = [];
  for (const value of [0.5, 0.9, 1]) {
    const target = { kind: 'kept', value } as const;
    const result = await calibrate(deps(modelPort()), options({ target }), (id) =>
      open().journal(id),
    );
    assert.ok(result.kind === 'calibrated');
    assert.ok(result.calibration.after.kept >= value - 1e-9);
    shares.push(result.calibration.after.escalated);
  }
  assert.ok(
    (shares[0] ?? 1) < (shares[1] ?? 0) && (shares[1] ?? 1) <= (shares[2] ?? 0),
    shares.join(),
  );
});

test('a cancelled calibration keeps its answers, leaves nothing in force, and goes on later', async (t) => {
  const { open, folder } = store(t);
  const stop = new AbortController();
  const first: string[] = [];
  const cancelled = await calibrate(
    deps(modelPort(first)),
    options({ signal: stop.signal, onProgress: ({ done }) => done === 40 && stop.abort() }),
    (id) => open().journal(id),
  );
  assert.deepEqual(cancelled, { kind: 'cancelled', answered: 40, total: 120 });
  assert.deepEqual(readdirSync(folder), ['abc123.answers.jsonl']);
  const again: string[] = [];
  const journal = open().journal('abc123');
  // A crash may cut the last line.
  journal.add('{"identity":"abc123","kind":"ari');
  const result = await calibrate(deps(modelPort(again)), options(), () => journal);
  assert.equal(result.kind, 'calibrated');
  assert.equal(again.length, 80);
  assert.ok(!again.some((question) => first.slice(0, 40).includes(question)));
});

test('where the entry asks for samples, their agreement is measured and fitted, of kept answers too', async (t) => {
  const { open } = store(t);
  const port = modelPort();
  const kept = await calibrate(deps(port), options({ limit: 60 }), (id) => open().journal(id));
  assert.ok(kept.kind === 'calibrated');
  assert.equal(kept.calibration.gate.withLogProbs.agreement, undefined);
  // A right answer comes again; a wrong one comes out differently every time.
  let drawn = 0;
  const last = { text: '' };
  const sampling: ModelPort = {
    ...port,
    async *generate(model, request, signal) {
      if (request.drawn === undefined) {
        last.text = '';
        for await (const event of port.generate(model, request, signal)) {
          if (event.type === 'text-delta') last.text += event.text;
          yield event;
        }
        return;
      }
      drawn += 1;
      const text = last.text === 'nothing at all' ? `something else ${drawn}` : last.text;
      yield { type: 'text-delta', text };
      const usage = {
        inputTokens: 1,
        outputTokens: 1,
        cachedInputTokens: 0,
        cacheWriteTokens: 0,
        reasoningTokens: 0,
      };
      yield { type: 'end', finish: 'stop', usage };
    },
  };
  const model = { ...smolLm2, file: { ...smolLm2.file, agreementSamples: 3 } };
  const result = await calibrate(deps(sampling), options({ model, limit: 60 }), (id) =>
    open().journal(id),
  );
  assert.ok(result.kind === 'calibrated');
  assert.equal(drawn, 120);
  const { agreement } = result.calibration.gate.withLogProbs;
  assert.ok(agreement !== undefined && agreement.weight > 0.5, JSON.stringify(agreement));
  assert.ok(agreement.usual > 0 && agreement.usual < 1);
});

test('the cloud model is measured too until it says stop', async (t) => {
  const { open } = store(t);
  let asked = 0;
  const result = await calibrate(
    deps(modelPort()),
    options({
      askCloud: async () => {
        asked += 1;
        return asked > 10
          ? { kind: 'stopped', why: 'the cap is reached' }
          : { kind: 'answered', text: 'nothing at all', costNanoUsd: 5 as never };
      },
    }),
    (id) => open().journal(id),
  );
  assert.ok(result.kind === 'calibrated');
  assert.equal(asked, 11);
  assert.equal(result.cloudStopped, 'the cap is reached');
  assert.equal(result.calibration.cloud, 'estimated');
});

test('calibrations are kept by file hash, taken back one by one, and a broken file is said', async (t) => {
  const { open, folder, problems } = store(t);
  const result = await calibrate(deps(modelPort()), options(), (id) => open().journal(id));
  assert.ok(result.kind === 'calibrated');
  const one = result.calibration;
  open().put(one);
  open().put({ ...one, atMs: 2000 });
  const kept = open();
  assert.equal(kept.current().get('abc123')?.atMs, 2000);
  const gates = withCalibratedGates(confidence, kept.current().values());
  const task = Object.keys(one.gate.tasks)[0] ?? '';
  assert.equal(gateOf(gates, 'abc123', task).source, 'outcomes');
  assert.equal(gateOf(gates, 'another quantisation', task), confidence.gate);
  const back = kept.rollback('abc123');
  assert.ok(typeof back === 'object' && back.atMs === 1000);
  assert.equal(kept.rollback('abc123'), 'shipped');
  assert.equal(open().current().size, 0);
  assert.equal(open().rollback('abc123'), 'none');
  writeFileSync(join(folder, 'bad.json'), '{');
  open();
  assert.match(problems.join(), /expected a calibration in .*bad\.json/);
});

for (const [name, fitter] of [
  ['platt', platt],
  ['isotonic', isotonic],
] as const) {
  test(`${name}: an overconfident fit is corrected, and the order is kept`, () => {
    const random = createSeededRandom(9);
    const rows = Array.from({ length: 2000 }, () => {
      const truth = 4 * random.next() - 2;
      return { logit: 3 * truth, good: random.next() < 1 / (1 + Math.exp(-truth)) };
    });
    const curve = fitter(rows);
    const chances = [-6, -3, -1, 0, 1, 3, 6].map((logit) => onCurve(curve, logit));
    assert.deepEqual(
      chances,
      chances.toSorted((a, b) => a - b),
    );
    assert.ok(Math.abs(onCurve(curve, 3) - 1 / (1 + Math.exp(-1))) < 0.08, chances.join());
  });
}
