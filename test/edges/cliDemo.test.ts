/** `demo`: the lines that people and scripts read, with a key and without one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { demoPrompts } from '../../server/src/cli/demoPrompts.ts';
import { failure } from '../../server/src/core/errors.ts';
import { BIG, fails, LOCAL, MINI, type Script, says } from '../support/scriptedPorts.ts';
import { cli } from './cliHarness.ts';

const noKey: Script = {
  availability: { [BIG]: { kind: 'no_api_key' }, [MINI]: { kind: 'no_api_key' } },
};
const classics = [
  "Summarize last week's support tickets into three bullet points.",
  'Design a multi-step rollout plan and analyze trade-offs for risk mitigation.',
  'Rewrite this email to sound friendly and professional.',
];

test('six prompts at least, the classic ones among them, and material for those that speak of some', () => {
  assert.ok(demoPrompts.length >= 6);
  const texts = demoPrompts.map(({ text }) => text);
  for (const classic of classics) assert.ok(texts.includes(classic), classic);
  for (const { text, context } of demoPrompts) {
    assert.equal(context.length > 0, /\b(this|tickets)\b/.test(text), text);
  }
});

test('easy prompts are answered locally and counted', async () => {
  const run = await cli(['demo'], {
    script: { ...noKey, answers: { [LOCAL]: [says('First.\n\nSecond.\nThird.', { sure: true })] } },
  });
  assert.equal(run.code, 0);
  const blocks = run.stdout.trim().split('\n\n');
  assert.equal(blocks.length, demoPrompts.length + 1);
  for (const [index, { text }] of demoPrompts.entries()) {
    const [prompt, routed, reason, ...answer] = (blocks[index] ?? '').split('\n');
    assert.equal(prompt, `Prompt: ${text}`);
    assert.match(routed ?? '', /^-> Routed to small-local \| cost \$0\.00 \| latency \d+ms$/);
    assert.match(reason ?? '', /^ {3}Looks easy \(/);
    assert.deepEqual(answer, ['   First.', '   Second.', '   …']);
  }
  assert.match(
    blocks.at(-1) ?? '',
    /^Total spend: \$0\.00 USD \| Savings vs cloud-big: \$0\.\d+ USD$/,
  );
});

test('without a key a hard prompt is shown as not sent, with the local answer marked as a fallback', async () => {
  const run = await cli(['demo'], { script: { ...noKey, scores: { [LOCAL]: 0.9 } } });
  assert.equal(run.code, 0);
  const [, routed, reason, answer] = run.stdout.split('\n');
  assert.match(
    routed ?? '',
    /^-> Routed to cloud-big \| would cost ≈ \$0\.\d+ \| not sent: no API key$/,
  );
  assert.match(reason ?? '', /^ {3}Looks hard \(0\.90, local up to 0\.50; question\)\.$/);
  assert.match(answer ?? '', /^ {3}local fallback \(\d\.\d s\): answer of small-local$/);
  // The fallback was not what was wanted, so nothing counts as saved.
  assert.match(
    run.stdout,
    /\nTotal spend: \$0\.00 USD \| Savings vs cloud-big: unknown \(6 of 6 unknown\)\n$/,
  );
});

test('with a key a hard prompt has its bill, and the bills make the sum', async () => {
  const run = await cli(['demo'], { script: { scores: { [LOCAL]: 0.9 } } });
  assert.equal(run.code, 0);
  assert.match(
    run.stdout,
    /\n-> Routed to cloud-big \| cost \$0\.0030 \| latency \d+ms\n {3}Looks hard/,
  );
  assert.match(run.stdout, /\nTotal spend: \$0\.02 USD \| Savings vs cloud-big: \$0\.00 USD\n$/);
});

test('an unsure local answer that was replaced has both reasons', async () => {
  const run = await cli(['demo'], {
    script: {
      answers: { [LOCAL]: [says('Hm.', { sure: false })], [BIG]: [says('Yes.')] },
      scores: { [MINI]: 0.4 },
    },
  });
  assert.match(
    run.stdout,
    /\n-> Routed to cloud-big [^\n]*\n {3}Looks easy [^\n]* The local draft was unsure /,
  );
});

test('an unsure local answer that had to stand says both', async () => {
  const run = await cli(['demo'], {
    script: { ...noKey, answers: { [LOCAL]: [says('Hm.', { sure: false })] } },
  });
  assert.match(
    run.stdout,
    /\n-> Routed to small-local \| cost \$0\.00 [^\n]*\n {3}Looks easy [^\n]*\. The local answer is unsure \(confidence 0\.\d\d of 0\.50\)\. Wanted cloud-big /,
  );
});

test('a prompt that fails says so, the others go on, and the exit code tells', async () => {
  const run = await cli(['demo'], {
    script: {
      ...noKey,
      answers: {
        [LOCAL]: [fails(failure('model_crashed', 'it crashed')), says('Fine.', { sure: true })],
      },
    },
  });
  assert.equal(run.code, 4);
  assert.match(run.stdout, /-> Not answered \| model_crashed\n[^\n]*\n {3}it crashed\n/);
  assert.equal(run.stdout.match(/-> Routed to small-local/g)?.length, demoPrompts.length - 1);
});

test('a model that can not be had ends the demo before it begins', async () => {
  const run = await cli(['demo'], {
    app: (app) => ({
      ...app,
      local: {
        ...app.local,
        prepare: async () => ({
          kind: 'failed',
          failure: failure('model_missing', 'no source has it'),
          tried: [],
        }),
      },
    }),
  });
  assert.deepEqual([run.code, run.stdout], [4, '']);
  assert.match(run.stderr, /no source has it \(model_missing\)/);
});
