/** Settings, key and own model that change while the program runs, on the composed program with a real protocol server. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createApp } from '../../server/src/compose.ts';
import { nanoUsdFromDollars as usd } from '../../server/src/core/price.ts';
import { ensureSmolLm2 } from '../support/localModel.ts';
import { CLOUD_TEXT, openRealApp, type RealApp, TEST_KEY } from '../support/realApp.ts';
import { answerOf, collect, failureOf, promptOf } from '../support/scriptedPorts.ts';

const cloud = { forceModel: { tier: 'escalation' } } as const;
const HERE = { sessionId: 's', workspaceId: 'w' };

describe('while the program runs', () => {
  let real: RealApp;
  let url: string;
  before(async () => {
    real = await openRealApp();
    url = `${real.provider.url}/v1`;
  });
  after(() => real.close());

  const ask = (text: string) => collect(real.app.router, promptOf(text, cloud, HERE));

  test('a lowered budget refuses at once, a raised one answers at once', async () => {
    const { app } = real;
    const rows = [
      [{ monthlyBudgetNanoUsd: usd(0.000001) }, "this month's budget"],
      [{ dailyBudgetNanoUsd: usd(0.000001) }, "today's budget"],
      [{ sessionBudgetNanoUsd: usd(0.000001) }, "this session's budget"],
      [{ workspaceBudgetsNanoUsd: { w: usd(0.000001) } }, "this workspace's budget"],
    ] as const;
    const open = {
      monthlyBudgetNanoUsd: usd(20),
      dailyBudgetNanoUsd: undefined,
      sessionBudgetNanoUsd: undefined,
      workspaceBudgetsNanoUsd: undefined,
    };
    for (const [tight, name] of rows) {
      assert.deepEqual(app.configure(tight), []);
      const { failure } = failureOf(await ask(`Plan it under ${name}.`));
      assert.equal(failure.code, 'budget_exhausted');
      assert.ok(failure.message.startsWith(name), failure.message);
      assert.deepEqual(app.configure(open), []);
      assert.equal(answerOf(await ask(`Plan it under ${name}.`)).text, CLOUD_TEXT);
    }
    assert.equal((await app.budget(HERE)).narrower, undefined);
  });

  test('the key is used only for the base URL that it was given for', async () => {
    const { app, provider } = real;
    const calls = () => provider.getRequests().length;
    app.setKey(undefined);
    const none = calls();
    assert.equal(failureOf(await ask('One?')).failure.code, 'no_api_key');
    app.setKey({ key: TEST_KEY, baseUrl: 'https://elsewhere.example/v1' });
    assert.equal(failureOf(await ask('Two?')).failure.code, 'no_api_key');
    assert.equal(calls(), none);
    app.setKey({ key: TEST_KEY, baseUrl: `${url}/` });
    assert.equal(answerOf(await ask('Three?')).text, CLOUD_TEXT);
    // The address moves: the key does not follow it.
    assert.deepEqual(app.configure({ baseUrl: 'http://127.0.0.1:9/v1' }), []);
    assert.equal(failureOf(await ask('Four?')).failure.code, 'no_api_key');
    assert.deepEqual(app.configure({ baseUrl: url }), []);
    assert.equal(answerOf(await ask('Five?')).text, CLOUD_TEXT);
  });

  test('a key is tested without generating, and never told again', async () => {
    const { app } = real;
    const works = await app.testKey();
    assert.equal(works.kind, 'done', works.message);
    app.setKey(undefined);
    assert.match((await app.testKey()).message, /there is none; enter one/);
    app.setKey({ key: TEST_KEY, baseUrl: 'http://127.0.0.1:9/v1' });
    const refused = await app.testKey();
    assert.equal(refused.kind, 'failed');
    assert.match(refused.message, /127\.0\.0\.1:9/);
    assert.ok(!refused.message.includes(TEST_KEY));
    app.setKey({ key: TEST_KEY, baseUrl: url });
  });

  test('what can not be put in force is said, and the rest is', () => {
    const { app } = real;
    const problems = app.configure({
      escalation: 'no-such-model',
      dailyBudgetNanoUsd: usd(7),
      ownModelPath: '/no/such/model.gguf',
    });
    assert.equal(problems.length, 2);
    assert.match(problems.join('\n'), /own model, got \/no\/such\/model\.gguf/);
    assert.match(problems.join('\n'), /as escalation, got no-such-model; choose one of /);
    assert.deepEqual(
      [app.settings().escalation, app.settings().dailyBudgetNanoUsd],
      [undefined, usd(7)],
    );
    assert.match(app.configure({ pacingFrom: 7 })[0] ?? '', /^pacingFrom: /);
    assert.equal(app.settings().pacingFrom, 0.8);
    assert.deepEqual(app.configure({ ownModelPath: undefined, dailyBudgetNanoUsd: undefined }), []);
  });

  test('a ladder keeps the models that are known, and says which are not', () => {
    const { app } = real;
    const [why = '', ...more] = app.configure({ ladder: ['gpt-6-sol', 'no-such-model'] });
    assert.match(why, /as ladder, got no-such-model; choose one of /);
    assert.deepEqual(more, []);
    assert.deepEqual(app.settings().ladder, ['gpt-6-sol']);
    assert.equal(app.configure({ ladder: ['no-such-model'] }).length, 1);
    assert.equal(app.settings().ladder, undefined);
    assert.deepEqual(app.configure({ ladder: undefined }), []);
  });

  test('a GGUF of the user answers as the cheap model while it is chosen', async () => {
    const { app } = real;
    const path = await ensureSmolLm2();
    assert.deepEqual(app.configure({ ownModelPath: path }), []);
    const own = app.catalogue.registry().models[0];
    assert.deepEqual([own?.id, own?.label], ['own-model', 'SmolLM2-135M-Instruct.Q4_1']);
    assert.equal(app.settings().cheap, 'own-model');
    const prompt = promptOf('What is the capital of France?', {
      forceModel: { tier: 'cheap' },
      maxOutputTokens: 16,
    });
    const answer = answerOf(await collect(app.router, prompt));
    assert.deepEqual([answer.modelId, answer.served], ['own-model', 'local']);
    assert.match(answer.text, /Paris/);
    assert.deepEqual(app.configure({ ownModelPath: undefined }), []);
    assert.ok(app.catalogue.registry().models.every(({ id }) => id !== 'own-model'));

    const text = join(real.dataDir, 'notes.gguf');
    writeFileSync(text, 'no model at all');
    assert.match(app.configure({ ownModelPath: text })[0] ?? '', /which is of another format/);
    app.configure({ ownModelPath: undefined });
  });

  test('another process of the user is noticed, and its answers are in the reports', async (t) => {
    const { app, dataDir } = real;
    const { promise, resolve } = Promise.withResolvers<void>();
    t.after(app.onLedgerChanged(resolve));
    const before = (await app.reports.month()).total.answers;
    const other = await createApp({ dataDir, apiKey: TEST_KEY, baseUrl: url });
    t.after(() => other.close());
    const prompt = promptOf('What does the other window say?', cloud);
    answerOf(await collect(other.router, { ...prompt, id: 'from-the-other-window' }));
    await other.recordOutcome('from-the-other-window', 'up');
    await promise;
    assert.equal((await app.reports.month()).total.answers, before + 1);
    assert.equal((await app.reports.month()).verdicts.up, 1);
    const trace = await app.reports.trace('from-the-other-window');
    assert.deepEqual(trace?.verdicts, ['up']);
    assert.equal(trace?.trace.attempts?.[0]?.priceRowId?.startsWith('gpt-6-sol@'), true);

    await app.history.add({
      workspaceId: 'w',
      promptId: 'from-the-other-window',
      question: 'What does the other window say?',
      answer: CLOUD_TEXT,
      line: 'cloud',
    });
    const { month } = (await app.reports.month()).budget;
    const found = await app.reports.routes({
      month,
      search: 'other window say',
      offset: 0,
      limit: 5,
    });
    assert.deepEqual(
      found.rows.map(({ promptId }) => promptId),
      ['from-the-other-window'],
    );
  });
});
