/** `whatif`: what past prompts would have cost, from logs in several forms and from OpenAI's usage export; nothing is asked or spent. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { pastCallOf } from '../../server/src/core/pastCall.ts';
import { repositoryRoot } from '../support/localModel.ts';
import { BIG, LOCAL, MINI, type Script } from '../support/scriptedPorts.ts';
import { cli, jsonOf } from './cliHarness.ts';

function logs(t: TestContext, files: Readonly<Record<string, readonly unknown[]>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'router-whatif-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, 'older'));
  for (const [name, lines] of Object.entries(files)) {
    const text = lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line)));
    writeFileSync(join(folder, name), `${text.join('\n')}\n`);
  }
  return folder;
}

const user = (content: unknown) => ({ role: 'user', content });
const told = { prompt_tokens: 1000, completion_tokens: 100 };
const toBig: Script = { scores: { [LOCAL]: 0.9, [MINI]: 0.4, [BIG]: 0.1 } };

test('prompts of several forms are routed, and nothing is asked or recorded', async (t) => {
  const folder = logs(t, {
    'a.jsonl': [
      { prompt: 'Why?' },
      { model: BIG, messages: [user('Plan it.')], usage: told },
      { request: { model: BIG, input: 'Plan it again.' }, response: { usage: told } },
    ],
    'older/b.jsonl': [
      {
        custom_id: 'x',
        body: { model: BIG, messages: [user([{ type: 'text', text: 'Plan.' }])] },
        response: {
          body: { model: BIG, usage: told, choices: [{ message: { content: 'Yes.' } }] },
        },
      },
    ],
  });
  // A used-up budget does not change what comes out.
  const run = await cli(['whatif', folder, '--json'], { script: { ...toBig, spentNanoUsd: 20e9 } });
  assert.equal(run.code, 0, run.stderr);
  const got = jsonOf(run);
  // 1,000 tokens in and 100 out at 10 and 40 dollars a million.
  const each = 0.014;
  assert.partialDeepStrictEqual(got, {
    prompts: 4,
    local: 0,
    cloud: 4,
    refused: 0,
    estimated_usage: 1,
    paid: { cost_usd: 3 * each, unknown: 1 },
    bad_lines: 0,
  });
  assert.equal((got['routed'] as { unknown: number }).unknown, 0);
  assert.ok((got['routed'] as { cost_usd: number }).cost_usd > 3 * each);
});

test('local answers cost nothing but their share of deferrals, and the savings are against the baseline', async (t) => {
  const folder = logs(t, { 'a.jsonl': [{ messages: [user('Why?')], usage: told }] });
  const got = jsonOf(await cli(['whatif', join(folder, 'a.jsonl'), '--json']));
  assert.partialDeepStrictEqual(got, { local: 1, cloud: 0, baseline: { unknown: 0 } });
  const { cost_usd: routed } = got['routed'] as { cost_usd: number };
  const { cost_usd: baseline } = got['baseline'] as { cost_usd: number };
  const deferrals = Number(got['expected_deferrals']);
  assert.ok(deferrals > 0 && deferrals < 1);
  assert.ok(routed > 0 && routed < baseline);
  assert.ok(Math.abs(Number(got['saved_usd']) - (baseline - routed)) < 1e-9);
});

test('what must stay here would not have gone to the cloud', async (t) => {
  const folder = logs(t, { 'a.jsonl': [{ prompt: 'Plan it.' }] });
  const script = { ...toBig, findings: [{ rule: 'aws', where: 'prompt' }] };
  const got = jsonOf(await cli(['whatif', folder, '--json'], { script }));
  assert.partialDeepStrictEqual(got, { local: 1, kept_private: 1 });
});

test('without a price the sums say what is missing, and savings are unknown', async (t) => {
  const folder = logs(t, { 'a.jsonl': [{ prompt: 'Plan it.' }] });
  const run = await cli(['whatif', folder], { script: { ...toBig, prices: {} } });
  assert.match(run.stdout, /saved: unknown/);
  assert.match(run.stdout, /paid then\s+unknown/);
});

test('lines that are no prompts are told with their place, and the others count', async (t) => {
  const folder = logs(t, {
    'a.jsonl': ['{', { promt: 'x' }, { messages: [] }, { prompt: 'Why?' }],
  });
  const run = await cli(['whatif', join(folder, 'a.jsonl'), '--json']);
  assert.equal(run.code, 2);
  assert.partialDeepStrictEqual(jsonOf(run), { prompts: 1, bad_lines: 3 });
  for (const line of [1, 2, 3])
    assert.match(run.stderr, new RegExp(`a\\.jsonl:${line}: expected `));
});

test('what can not be read is refused with what was expected', async (t) => {
  const folder = logs(t, {});
  for (const path of [join(folder, 'none.jsonl'), folder]) {
    const run = await cli(['whatif', path]);
    assert.equal(run.code, 2);
    assert.match(run.stderr, /expected a readable file or folder/);
  }
});

test("a usage export is priced on every model, and says that it can't be routed", async () => {
  const path = join(repositoryRoot, 'test/fixtures/openaiUsage/usage.json');
  const got = jsonOf(await cli(['whatif', path, '--json']));
  assert.equal(got['routed'], null);
  assert.ok(Number(got['calls']) > 0);
  const models = got['models'] as readonly { model: string; cost_usd: number }[];
  assert.deepEqual(models.map(({ model }) => model).sort(), [BIG, MINI]);
  for (const { cost_usd } of models) assert.ok(cost_usd > 0);
  const costs = await cli(['whatif', path.replace('usage.json', 'costs.json')]);
  assert.equal(costs.code, 2);
});

test('a call keeps its instructions, its earlier turns and the answer it got', () => {
  const parsed = pastCallOf({
    body: {
      model: 'gpt',
      messages: [
        { role: 'system', content: 'Be brief.' },
        user('One?'),
        { role: 'assistant', content: 'Yes.' },
        user('Two?'),
      ],
    },
    response: {
      body: {
        usage: { ...told, prompt_tokens_details: { cached_tokens: 10 } },
        choices: [{ message: { content: 'No.' } }],
      },
    },
  });
  assert.deepEqual(parsed, {
    kind: 'call',
    call: {
      text: 'Two?',
      history: [
        { role: 'user', text: 'One?' },
        { role: 'assistant', text: 'Yes.' },
      ],
      instructions: 'Be brief.',
      model: 'gpt',
      usage: {
        inputTokens: 1000,
        outputTokens: 100,
        cachedInputTokens: 10,
        cacheWriteTokens: undefined,
        reasoningTokens: undefined,
      },
      answer: 'No.',
    },
  });
});
