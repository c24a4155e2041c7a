/** The composed program end to end, as every edge sees it: real model, real SDK, real protocol server, real ledger. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { RouterEvent } from '../../server/src/core/answer.ts';
import { nanoUsdFromDollars } from '../../server/src/core/price.ts';
import { CLOUD_TEXT, openRealApp, type RealApp, TEST_KEY } from '../support/realApp.ts';
import { answerOf, collect, failureOf, promptOf } from '../support/scriptedPorts.ts';

const cheap = { forceModel: { tier: 'cheap' } } as const;
const cloud = { forceModel: { tier: 'escalation' } } as const;

describe('the composed program', () => {
  let real: RealApp;
  before(async () => {
    real = await openRealApp();
  });
  after(() => real.close());

  test('a prompt that is being written starts the model host where it would stay here, and not for the cloud', async () => {
    const { router, local } = real.app;
    const question = 'What is the capital of France?';
    const toCloud = await router.foresee(promptOf(question, cloud));
    assert.ok(toCloud.kind === 'routed' && toCloud.route.tier === 'escalation');
    await new Promise((next) => setTimeout(next, 50));
    assert.equal(local.hostPid(), undefined);
    await router.foresee(promptOf(question, cheap));
    // Nobody is told of it, so this looks until it is there.
    while (local.hostPid() === undefined) await new Promise((next) => setTimeout(next, 5));
  });

  test('the local model answers for nothing, differently for different prompts', async () => {
    const { router } = real.app;
    const one = answerOf(
      await collect(
        router,
        promptOf('What is the capital of France?', { ...cheap, maxOutputTokens: 24 }),
      ),
    );
    const two = answerOf(
      await collect(
        router,
        promptOf('Write a line of Python that prints hello.', { ...cheap, maxOutputTokens: 24 }),
      ),
    );
    assert.match(one.text, /Paris/);
    assert.match(two.text, /print/);
    assert.deepEqual([one.costNanoUsd, one.served], [0, 'local']);
    assert.ok((one.usage.inputTokens ?? 0) > 5 && (one.usage.outputTokens ?? 0) > 2);
    assert.ok(one.confidence !== undefined);
  });

  test('a cloud answer is settled at the usage told, and the month shows it', async () => {
    const before = await real.app.router.spend();
    const answer = answerOf(await collect(real.app.router, promptOf('Plan it.', cloud)));
    assert.equal(answer.text, CLOUD_TEXT);
    // gpt-6-sol: 200 input tokens at 2 USD and 30 output tokens at 10 USD per million.
    assert.equal(answer.costNanoUsd, 700_000);
    const spend = await real.app.router.spend();
    assert.equal(spend.budget.spentNanoUsd - before.budget.spentNanoUsd, 700_000);
    assert.equal(spend.budget.heldNanoUsd, 0);
  });

  test('an unsure local draft goes on in the cloud in the same stream', async () => {
    // A prompt scored easy, whose answer the output cap cuts: the gate sees a truncated answer.
    const text = 'Rewrite this sentence to sound friendlier: send me the report now.';
    const constraints = { minQuality: 0.2, maxOutputTokens: 2 };
    const events = await collect(real.app.router, promptOf(text, constraints));
    const answer = answerOf(events);
    assert.ok(events.some(({ type }) => type === 'answer-deferred'));
    assert.equal(answer.reason.code, 'low_confidence');
    assert.equal(answer.text, CLOUD_TEXT);
  });

  test('the same prompt again comes from the cache, after a restart of nothing', async () => {
    const again = answerOf(await collect(real.app.router, promptOf('Plan it.', cloud)));
    assert.deepEqual([again.served, again.text, again.costNanoUsd], ['cache', CLOUD_TEXT, 0]);
  });

  test('killing the model host in mid-answer ends in an error event, and the next prompt works', async () => {
    const { router, local } = real.app;
    const prompt = promptOf('Tell a long story about the sea.', { ...cheap, maxOutputTokens: 400 });
    const events: RouterEvent[] = [];
    for await (const event of router.answer(prompt, new AbortController().signal)) {
      events.push(event);
      const pid = local.hostPid();
      const firstText = events.filter(({ type }) => type === 'text-delta').length === 1;
      if (event.type === 'text-delta' && firstText && pid !== undefined)
        process.kill(pid, 'SIGKILL');
    }
    assert.equal(failureOf(events).failure.code, 'model_crashed');
    const next = await collect(router, promptOf('Say hello.', { ...cheap, maxOutputTokens: 8 }));
    assert.ok(answerOf(next).text.length > 0);
  });

  test('a cancel ends the stream soon, and the next prompt is answered', async (t) => {
    const { router } = real.app;
    const times: string[] = [];
    let isSoon = false;
    // Within 300 ms where nobody else wants the cores, and otherwise in a tenth of what the answer would have taken. The
    // best of five counts: a busy machine may hold up any one of them.
    for (let attempt = 0; attempt < 5 && !isSoon; attempt++) {
      const cancel = new AbortController();
      const story = `Tell a long story about ${attempt + 2} mountains.`;
      let [firstAtMs, abortedAtMs, deltas] = [0, 0, 0];
      const prompt = promptOf(story, { ...cheap, maxOutputTokens: 400 });
      for await (const event of router.answer(prompt, cancel.signal)) {
        if (event.type !== 'text-delta' || cancel.signal.aborted) continue;
        firstAtMs ||= performance.now();
        if (++deltas < 9) continue;
        abortedAtMs = performance.now();
        cancel.abort();
      }
      const tookMs = performance.now() - abortedAtMs;
      const wholeMs = ((abortedAtMs - firstAtMs) / 8) * 400;
      isSoon = tookMs < 300 || tookMs < wholeMs / 10;
      times.push(`${Math.round(tookMs)} of ${Math.round(wholeMs)} ms`);
    }
    t.diagnostic(`cancelled within ${times.at(-1)}`);
    assert.ok(isSoon, `the cancels took ${times.join(', ')}`);
    const next = await collect(
      router,
      promptOf('Say hello again.', { ...cheap, maxOutputTokens: 4 }),
    );
    assert.ok(answerOf(next).text.length > 0);
  });

  test('a secret keeps the prompt here: nothing reaches the provider', async () => {
    const { router } = real.app;
    const sent = real.provider.getRequests().length;
    const secret =
      'Design a multi-step plan to rotate password = "hunter2-hunter2" across regions.';
    const answer = answerOf(
      await collect(router, promptOf(secret, { minQuality: 0.6, maxOutputTokens: 8 })),
    );
    assert.equal(answer.served, 'local');
    assert.equal(real.provider.getRequests().length, sent);
  });

  test('nothing on disk holds the key or a prompt', () => {
    for (const file of readdirSync(real.dataDir, { recursive: true, encoding: 'utf8' })) {
      let content = '';
      try {
        content = readFileSync(join(real.dataDir, file), 'latin1');
      } catch {
        continue; // A folder.
      }
      assert.ok(!content.includes(TEST_KEY), `${file} holds the key`);
      assert.ok(!content.includes('friendlier'), `${file} holds a prompt`);
    }
  });
});

test('a budget that is used up keeps the answer local and says so', async () => {
  const real = await openRealApp({ monthlyBudgetNanoUsd: nanoUsdFromDollars(0.000001) });
  try {
    const answer = answerOf(
      await collect(
        real.app.router,
        promptOf('Design a multi-step migration plan and weigh its risks.', { maxOutputTokens: 8 }),
      ),
    );
    assert.deepEqual([answer.served, answer.reason.code], ['local', 'budget_exhausted']);
    assert.equal(real.provider.getRequests().length, 0);
  } finally {
    await real.close();
  }
});

test('a model and its price added to the files are used while the program runs; a mistake keeps the last good version', async () => {
  const problems: string[] = [];
  const real = await openRealApp({ onProblem: (message) => problems.push(message) });
  const { app } = real;
  try {
    const registry = join(real.dataDir, 'registry.yaml');
    const entry = (tier: string) => `version: 1
models:
  - id: mine
    label: Mine
    tier: ${tier}
    provider: openai
    enabled: true
    context_window: 100000
    max_output_tokens: 1000
    ability: { size_billions: 70 }
    api_model: gpt-6-luna
    key: openai
`;
    writeFileSync(registry, entry('escalation'));
    writeFileSync(
      join(real.dataDir, 'pricing.yaml'),
      `version: 1
prices:
  - model: mine
    effective_from: 2026-01-01
    source: me
    checked_at: 2026-11-01
    input: 1
    output: 2
`,
    );
    // The files are looked at again at most every 250 ms.
    await new Promise((resolve) => setTimeout(resolve, 300));
    const prompt = promptOf('Hello.', { forceModel: { id: 'mine' } });
    const answer = answerOf(await collect(app.router, prompt));
    assert.deepEqual([answer.modelId, answer.costNanoUsd], ['mine', 260_000]);

    writeFileSync(registry, entry('middling'));
    await new Promise((resolve) => setTimeout(resolve, 300));
    const still = answerOf(
      await collect(app.router, promptOf('Hello!', { forceModel: { id: 'mine' } })),
    );
    assert.equal(still.modelId, 'mine');
    assert.match(
      problems.join('\n'),
      /registry\.yaml:5:\d+: .*cheap.*escalation.*models\[0\]\.tier.*middling/s,
    );
  } finally {
    await real.close();
  }
});
