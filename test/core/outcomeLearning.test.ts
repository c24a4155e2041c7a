/** Learning in use: bounded steps, replay, and simulated users whose models are not what their size promises. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { featuresOf } from '../../server/src/core/features.ts';
import { parseFittedScore } from '../../server/src/core/fittedScore.ts';
import { measuredAbility } from '../../server/src/core/measuredAbility.ts';
import { learnedShare, type Outcome, replay } from '../../server/src/core/outcomeLearning.ts';
import { createScorer } from '../../server/src/core/score.ts';
import { createSeededRandom } from '../../server/src/learning/seededRandom.ts';
import { readSeedPrompts } from '../../server/src/learning/seedPrompts.ts';
import { readJson, shippedModels } from '../../server/src/models/shippedFiles.ts';

const fitted = parseFittedScore(await readJson(join(shippedModels(), 'score.json')));
const prompts = readSeedPrompts().map((seed) => ({
  features: featuresOf({ text: seed.text, context: [], history: [] }),
}));

const outcome = (seq: number, change: Partial<Outcome> = {}): Outcome => ({
  seq,
  verdict: 'up',
  identity: 'a',
  served: 'local',
  task: 'debug',
  ...change,
});

test('one outcome moves a little, and a thousand do not take a tier away', () => {
  const [once] = replay([outcome(1, { verdict: 'down' })]).values();
  assert.ok(once !== undefined && learnedShare(0.5, once) > 0.5 && learnedShare(0.5, once) < 0.55);
  for (const verdict of ['down', 'up'] as const) {
    const many = Array.from({ length: 1000 }, (_, at) => outcome(at, { verdict }));
    const [all] = replay(many).values();
    assert.ok(all !== undefined);
    const share = learnedShare(0.5, all);
    assert.ok(share > 0.05 && share < 0.95, `${verdict}: ${share}`);
    const { good = 0, bad = 0 } = all.counts['debug'] ?? {};
    assert.ok(good + bad <= 60 + 1e-9);
  }
});

test('the cloud answers of one model teach nothing of the share, and models are kept apart', () => {
  const learned = replay([
    outcome(1, { served: 'cloud', identity: 'b', verdict: 'down' }),
    outcome(2, { verdict: 'up' }),
  ]);
  assert.equal(learned.get('b')?.shareShift, 0);
  assert.equal(learned.get('b')?.counts['debug']?.bad, 1);
  assert.equal(learned.get('a')?.counts['debug']?.good, 1);
});

test('the same outcomes teach the same, and what is left out was never learned', () => {
  const all = Array.from({ length: 50 }, (_, at) =>
    outcome(at, { verdict: at % 3 ? 'up' : 'down' }),
  );
  assert.deepEqual(replay(all), replay(all));
  assert.deepEqual(replay(all.slice(0, 20)), replay(all.filter(({ seq }) => seq < 20)));
});

/** What a bad answer costs, and a call of the cloud, in one unit; the better the local model, the less it is worth asking. */
const CLOUD_COST = 0.2;
const PROMPTS = 600;
const SAYS_SO = 0.5;

/** @param localQuality of the model as it truly is, by how its task lies in the list */
function livedWith(seed: number, localQuality: (task: number) => number, learns: boolean) {
  const random = createSeededRandom(seed);
  const scorer = createScorer(fitted);
  const cheap = { ability: { kind: 'size', billions: 1 } } as const;
  const strong = { ability: { kind: 'size', billions: 400 } } as const;
  const outcomes: Outcome[] = [];
  let loss = 0;
  let lateCloud = 0;
  let now: { ability: Parameters<typeof measuredAbility>[1] } = cheap;
  let share = 0.5;
  let threshold = scorer.gainThreshold(now, strong, share);
  for (let at = 0; at < PROMPTS; at += 1) {
    const prompt = prompts[random.below(prompts.length)];
    if (prompt === undefined) continue;
    const gain = scorer.gain(prompt.features, now, strong);
    const toCloud = gain.value > threshold;
    const task = fitted.tasks.findIndex(({ name }) => name === gain.task);
    const good = random.next() < (toCloud ? 0.9 : localQuality(task));
    loss += (good ? 0 : 1) + (toCloud ? CLOUD_COST : 0);
    if (toCloud && at >= PROMPTS / 2) lateCloud += 1;
    const said = random.next() < SAYS_SO;
    if (!learns || !said) continue;
    const served = toCloud ? 'cloud' : 'local';
    const identity = toCloud ? 'strong' : 'cheap';
    outcomes.push({ seq: at, verdict: good ? 'up' : 'down', identity, served, task: gain.task });
    const cheapLearned = replay(outcomes).get('cheap');
    if (cheapLearned === undefined || at % 10 !== 0) continue;
    now = { ability: measuredAbility(fitted, cheap.ability, cheapLearned.counts) };
    share = learnedShare(0.5, cheapLearned);
    threshold = scorer.gainThreshold(now, strong, share);
  }
  return { loss, lateCloudShare: lateCloud / (PROMPTS / 2) };
}

const users: readonly [what: string, quality: (task: number) => number][] = [
  ['a local model much better than its size', () => 0.9],
  ['a local model much worse than its size', () => 0.2],
  ['a local model good at every second task', (task) => (task % 2 === 0 ? 0.95 : 0.15)],
];
for (const [what, quality] of users) {
  test(`a simulated user of ${what}: learning loses less than a fixed threshold, and both tiers stay`, () => {
    const seeds = [1, 2, 3];
    const runs = seeds.map((seed) => ({
      fixed: livedWith(seed, quality, false),
      learned: livedWith(seed, quality, true),
    }));
    const sum = (pick: (run: (typeof runs)[number]) => number) =>
      runs.reduce((total, run) => total + pick(run), 0);
    const [fixed, learned] = [sum((run) => run.fixed.loss), sum((run) => run.learned.loss)];
    assert.ok(learned < 0.97 * fixed, `${learned} against ${fixed}`);
    for (const { learned: run } of runs) {
      assert.ok(run.lateCloudShare > 0.01 && run.lateCloudShare < 0.99, `${run.lateCloudShare}`);
    }
  });
}
