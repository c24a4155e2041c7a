/** Nothing unscanned leaves: also by a fallback that no decision foresaw, and whatever a decision says. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callModel } from '../../server/src/core/callModel.ts';
import { createDecide } from '../../server/src/core/decide.ts';
import { failure } from '../../server/src/core/errors.ts';
import type { Availability, RouterPorts } from '../../server/src/core/ports.ts';
import { reasonText } from '../../server/src/core/reason.ts';
import { createRouter } from '../../server/src/core/router.ts';
import type { Run } from '../../server/src/core/run.ts';
import { settingsSchema } from '../../server/src/core/schema.ts';
import type { PrivacyFinding } from '../../server/src/core/types.ts';
import {
  BIG,
  collect,
  fails,
  failureOf,
  LOCAL,
  MINI,
  promptOf,
  type Script,
  scriptedRouter,
} from '../support/scriptedPorts.ts';
import { gateConfidence, scorerOf } from '../support/scriptedScores.ts';

const found: readonly PrivacyFinding[] = [{ rule: 'aws', where: 'prompt' }];
const hard = { [LOCAL]: 0.9, [MINI]: 0.15, [BIG]: 0.1 };
const crashes = { [LOCAL]: [fails(failure('model_crashed', 'the model crashed'))] };

/** Availability that changes while the local model answers. */
function changing(): { readonly script: Script; enterKey(): void } {
  let there: Availability = { kind: 'no_api_key' };
  const availability = {
    get [MINI]() {
      return there;
    },
    get [BIG]() {
      return there;
    },
  };
  return {
    script: { availability },
    enterKey() {
      there = { kind: 'ready' };
    },
  };
}

test('a key that is entered while a local model crashes does not send a prompt that nobody scanned', async () => {
  const { script, enterKey } = changing();
  const { router, calls } = scriptedRouter({
    ...script,
    findings: found,
    answers: {
      [LOCAL]: [
        async function* () {
          enterKey();
          yield { type: 'failed', failure: failure('model_crashed', 'the model crashed') };
        },
      ],
    },
  });
  const events = await collect(router, promptOf('Why?'));
  assert.deepEqual(
    calls.map(({ modelId }) => modelId),
    [LOCAL],
  );
  assert.equal(failureOf(events).failure.code, 'model_crashed');
});

test('a plan that was local for its speed is scanned before another model takes over', async () => {
  const fast = { promptTokensPerSecond: 1e6, outputTokensPerSecond: 1e4, timeToFirstTokenMs: 1 };
  const slow = { promptTokensPerSecond: 1e6, outputTokensPerSecond: 10, timeToFirstTokenMs: 100 };
  const script: Script = {
    speeds: {
      [LOCAL]: { ...fast, samples: 3 },
      [MINI]: { ...slow, samples: 3 },
      [BIG]: { ...slow, samples: 3 },
    },
    answers: crashes,
  };
  const asked = promptOf('Why?', { maxLatencyMs: 2000 });
  const clean = scriptedRouter(script);
  await collect(clean.router, asked);
  assert.ok(
    clean.calls.some(({ modelId }) => modelId !== LOCAL),
    'without a find the cloud takes over',
  );
  const { router, calls } = scriptedRouter({ ...script, findings: found });
  await collect(router, promptOf('Why?', { maxLatencyMs: 2000 }));
  assert.deepEqual(
    calls.map(({ modelId }) => modelId),
    [LOCAL],
  );
});

test('the last gate holds whatever a decision says: no finding, wish or missing trust passes it', async () => {
  for (const [findings, privacy, rule] of [
    [found, 'any', 'aws'],
    [[], 'local-only', 'local-only'],
    [[], 'untrusted-workspace', 'untrusted-workspace'],
  ] as const) {
    const { router, ports, calls } = scriptedRouter({ scores: hard });
    const scanning = { ...ports, privacy: { scan: async () => findings } };
    const settings = () => settingsSchema.parse({ monthlyBudgetNanoUsd: 20e9 });
    const scorer = scorerOf(ports.catalogue.registry().models, hard, 0.5);
    const decide = createDecide({
      ports: scanning,
      scorer,
      confidence: () => gateConfidence,
      settings,
    });
    const prompt = promptOf('Why?', { privacy });
    const decided = await decide(prompt);
    const routed = await router.decide(promptOf('Why?'));
    if (routed.kind !== 'routed') throw new Error(JSON.stringify(routed));
    assert.equal(routed.route.modelId, BIG, 'a route that wants the cloud');
    const run: Run = {
      prompt: decided.prompt,
      decided,
      deps: {
        ports: scanning,
        confidence: () => gateConfidence,
        decide,
        background: { run() {} },
        behind() {},
        audit() {},
      },
      startedMs: 0,
      signal: new AbortController().signal,
      attempts: [],
    };
    const outcome = await callModel(run, routed.route, BIG).next();
    assert.equal(outcome.done, true);
    assert.deepEqual(outcome.value.kind === 'failed' && outcome.value.reason, {
      code: 'privacy_floor',
      facts: { rule, wanted: BIG },
    });
    assert.deepEqual(calls, []);
  }
});

test('a scan that throws keeps the prompt local and says so', async () => {
  const { ports } = scriptedRouter();
  const broken: RouterPorts = {
    ...ports,
    privacy: {
      async scan() {
        throw new Error('the scanner is broken');
      },
    },
  };
  const settings = () => settingsSchema.parse({ monthlyBudgetNanoUsd: 20e9 });
  const scorer = scorerOf(ports.catalogue.registry().models, hard, 0.5);
  const router = createRouter({
    ports: broken,
    scorer,
    confidence: () => gateConfidence,
    settings,
  });
  const decision = await router.decide(promptOf('Why?'));
  if (decision.kind !== 'routed') throw new Error(JSON.stringify(decision));
  assert.deepEqual(
    [decision.route.modelId, reasonText(decision.route.reason)],
    [LOCAL, `privacy_floor(rule=scan-failed, wanted=${BIG})`],
  );
});
