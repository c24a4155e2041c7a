/** Runs the rows of policyRows.ts, and holds docs/LIMITS.md against them. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { nanoUsd } from '../../server/src/core/price.ts';
import type { Router } from '../../server/src/core/router.ts';
import type { Prompt, Tier, Turn } from '../../server/src/core/types.ts';
import {
  answerOf,
  BIG,
  collect,
  LOCAL,
  MINI,
  promptOf,
  type Script,
  scriptedRouter,
} from '../support/scriptedPorts.ts';
import { hard, missing, noKey, rows, usd } from './policyRows.ts';

for (const row of rows) {
  test(`route: ${row.name}`, async () => {
    const { router, calls } = scriptedRouter(row.script);
    const asked = promptOf(row.prompt?.text ?? 'Why is the sky blue?', row.constraints);
    const history = row.earlier === undefined ? [] : await talk(router, row.earlier);
    const prompt = { ...asked, history, ...row.prompt };
    const before = calls.length;
    const decision = await router.decide(prompt);
    const [model, code] = row.leadsTo;
    if (decision.kind === 'refused') {
      assert.deepEqual(['refused', decision.failure.code], [model, code]);
    } else {
      assert.deepEqual([decision.route.modelId, decision.route.reason.code], [model, code]);
      if ('ifUnsure' in row) assert.equal(decision.route.ifUnsure, row.ifUnsure);
    }
    assert.equal(calls.length, before, 'a decision generates nothing');
  });
}

const keptHere: readonly (readonly [name: string, script: Script, prompt: Prompt, said: RegExp])[] =
  [
    [
      'a secret',
      { ...hard, findings: [{ rule: 'aws-access-key', where: 'prompt' }] },
      promptOf('?'),
      /^the prompt may not leave this machine \(aws-access-key\), and the local model is not on this machine/,
    ],
    [
      'the budget',
      { ...hard, settings: { monthlyBudgetNanoUsd: nanoUsd(0) } },
      promptOf('?'),
      /^this month's budget does not cover cloud-big, and the local model is not on this machine/,
    ],
    [
      'the cost limit',
      hard,
      promptOf('?', { maxCostNanoUsd: usd(0.00001) }),
      /^cloud-big does not fit the cost limit of this request, and the local model is not on this/,
    ],
  ];
for (const [name, script, prompt, said] of keptHere) {
  test(`a missing local model does not hide that ${name} keeps the cloud away`, async () => {
    const { router } = scriptedRouter({ ...script, availability: missing });
    const decision = await router.decide(prompt);
    assert.ok(decision.kind === 'refused');
    assert.equal(decision.failure.code, 'model_missing');
    assert.match(decision.failure.message, said);
  });
}

test('a model forced on a prompt with a secret is refused without asking for a download', async () => {
  const { router } = scriptedRouter({
    ...hard,
    findings: [{ rule: 'aws-access-key', where: 'prompt' }],
  });
  const decision = await router.decide(promptOf('?', { forceModel: { id: BIG } }));
  assert.ok(decision.kind === 'refused');
  assert.equal(decision.failure.code, 'privacy_floor');
  assert.match(
    decision.failure.message,
    /^the prompt may not leave this machine \(aws-access-key\), so cloud-big can't answer it; force no model/,
  );
});

/** A long question and its answer, as the next prompt's history. */
async function talk(router: Router, tier: Tier): Promise<readonly Turn[]> {
  const text = `Read this. ${'It goes on and on. '.repeat(400)}`;
  const answer = answerOf(await collect(router, promptOf(text, { forceModel: { tier } })));
  return [
    { role: 'user', text },
    { role: 'assistant', text: answer.text },
  ];
}

test('a threshold above the score keeps local, one below escalates', async () => {
  for (const [threshold, model] of [
    [0.41, LOCAL],
    [0.39, BIG],
  ] as const) {
    const { router } = scriptedRouter({ scores: { [LOCAL]: 0.4 }, threshold });
    const decision = await router.decide(promptOf('?'));
    assert.equal(decision.kind === 'routed' && decision.route.modelId, model);
  }
});

test('the output cap is lowered before a model is given up for its price', async () => {
  const { router } = scriptedRouter(hard);
  const maxCostNanoUsd = usd(0.01);
  const decision = await router.decide(promptOf('Plan it.', { maxCostNanoUsd }));
  assert.equal(decision.kind, 'routed');
  if (decision.kind !== 'routed') return;
  const plan = decision.route.trace.candidates.find(
    ({ first, ifUnsure }) => first === BIG && ifUnsure === undefined,
  );
  assert.equal(decision.route.modelId, BIG);
  assert.ok((plan?.outputCaps[BIG] ?? 0) < 1024);
  assert.ok((decision.route.boundNanoUsd ?? Infinity) <= maxCostNanoUsd);
});

test('no_api_key says what the answer would have cost', async () => {
  const { router } = scriptedRouter({ ...hard, availability: noKey });
  const decision = await router.decide(promptOf('Plan it.'));
  assert.ok(decision.kind === 'routed' && decision.route.reason.code === 'no_api_key');
  assert.equal(decision.route.wanted, BIG);
  assert.equal(decision.route.reason.facts.wanted, BIG);
  assert.ok((decision.route.reason.facts.wouldCostNanoUsd ?? 0) > 0);
});

test('what would have changed the choice is only what could have', async () => {
  const flipsOf = async (script: Script, constraints = {}) => {
    const decision = await scriptedRouter(script).router.decide(promptOf('Why?', constraints));
    return decision.kind === 'routed' ? decision.route.trace.flips : [];
  };
  const easy = { scores: { [LOCAL]: 0.2 } };
  assert.match((await flipsOf(easy)).join(), /^the score had been above 0\.\d\d \(it is 0\.20\)$/);
  assert.match((await flipsOf(hard)).join(), /^the score had been at or below/);
  const withoutKey = `there had been an API key for ${BIG}`;
  assert.deepEqual(await flipsOf({ ...easy, availability: noKey }), [withoutKey]);
  assert.deepEqual(await flipsOf({ ...hard, availability: noKey }), [withoutKey]);
  assert.deepEqual(await flipsOf(easy, { privacy: 'local-only' }), [
    `the prompt could have left this machine for ${BIG}`,
  ]);
});

test('bulk scoring judges the prompt alone', async () => {
  const { router } = scriptedRouter({
    ...hard,
    availability: { ...noKey, ...missing },
    spentNanoUsd: 20e9,
  });
  const decision = await router.decide(promptOf('Plan it.'), {
    assumeAvailable: true,
    scan: false,
  });
  assert.equal(decision.kind === 'routed' && decision.route.reason.code, 'prompt_complexity_high');
});

test('docs/LIMITS.md shows these rows', () => {
  const models: Readonly<Record<string, string>> = {
    [LOCAL]: 'local',
    [MINI]: 'cheaper cloud',
    [BIG]: 'cloud',
    refused: 'refused',
  };
  const table = rows.map(
    ({ name, leadsTo: [model, code] }) => `| ${name} | ${models[model]} | \`${code}\` |`,
  );
  const doc = readFileSync(join(import.meta.dirname, '../../docs/LIMITS.md'), 'utf8');
  const shown = doc.split('\n').filter((line) => /^\| .* \| `\w+` \|$/.test(line));
  assert.deepEqual(shown, table);
});
