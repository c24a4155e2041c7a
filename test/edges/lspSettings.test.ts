/** Settings as the server reads them: defaults, senseless values, and workspaces, which can only tighten. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { editorSettings } from '../../server/src/lsp/settings.ts';
import { askOf, openLsp } from './lspHarness.ts';

const usd = (dollars: number) => dollars * 1e9;

test('nothing set is the default of every setting', () => {
  const settings = editorSettings(undefined);
  assert.equal(settings.app.monthlyBudgetNanoUsd, usd(20));
  assert.equal(settings.lens, 'selection');
  assert.equal(settings.keepHistory, false);
  assert.deepEqual(settings.notices, []);
});

test('a ladder is a list, `auto` in it is every model, and none leaves the choice to the registry', () => {
  const ladder = (models: unknown) => editorSettings({ models }).app.ladder;
  assert.equal(ladder({ ladder: ['auto'] }), 'auto');
  assert.deepEqual(ladder({ ladder: [' small ', 'large'] }), ['small', 'large']);
  assert.equal(ladder({ ladder: [] }), undefined);
  assert.equal(ladder({ ladder: null }), undefined);
  const senseless = editorSettings({ models: { ladder: 'auto' } });
  assert.equal(senseless.app.ladder, undefined);
  assert.match(senseless.notices[0] ?? '', /costAwareRouter\.models\.ladder.*its default holds/);
});

test('null takes the limit of the month away, a senseless value does not', () => {
  const without = editorSettings({ budget: { monthlyUsd: null } });
  assert.equal(without.app.monthlyBudgetNanoUsd, undefined);
  const senseless = editorSettings({ budget: { monthlyUsd: '1 million' } });
  assert.equal(senseless.app.monthlyBudgetNanoUsd, usd(20));
  assert.match(
    senseless.notices[0] ?? '',
    /costAwareRouter\.budget\.monthlyUsd.*its default holds/,
  );
});

test('every setting has its place, nested or by its dotted name', () => {
  const { app, ...rest } = editorSettings({
    budget: { monthlyUsd: 5, dailyUsd: 1, perRequestUsd: 0.05, perSessionUsd: 0.5, warnAt: 0.5 },
    'budget.atLimit': 'stop',
    audit: { share: 0.05 },
    models: {
      cheap: 'a',
      escalation: 'b',
      baseline: 'c',
      ladder: ['a', 'b'],
      ownFile: '/models/own.gguf',
    },
    openai: { baseUrl: 'http://127.0.0.1:9/v1' },
    quality: { min: 0.7 },
    latency: { maxMs: 2000 },
    lens: 'functions',
    history: { enabled: true },
    dataDir: '/data',
    threads: 3,
    privacy: { exclude: ['*.customer'] },
    workspacePrivacy: { exclude: ['drafts/'] },
  });
  assert.deepEqual(app, {
    monthlyBudgetNanoUsd: usd(5),
    dailyBudgetNanoUsd: usd(1),
    perRequestNanoUsd: usd(0.05),
    sessionBudgetNanoUsd: usd(0.5),
    pacingFrom: 0.5,
    atLimit: 'stop',
    auditShare: 0.05,
    cheap: 'a',
    escalation: 'b',
    baseline: 'c',
    ladder: ['a', 'b'],
    ownModelPath: '/models/own.gguf',
    baseUrl: 'http://127.0.0.1:9/v1',
    minQuality: 0.7,
    maxLatencyMs: 2000,
    excludedFiles: ['*.customer', 'drafts/'],
  });
  assert.deepEqual(rest, {
    workspaceNanoUsd: undefined,
    lens: 'functions',
    keepHistory: true,
    dataDir: '/data',
    threads: 3,
    notices: [],
  });
});

test('the tightest workspace holds; one that asks for more than the user allows is told so', () => {
  const user = { budget: { monthlyUsd: 10 } };
  const tight = editorSettings(user, [
    { budget: { monthlyUsd: 4 }, privacy: null },
    { budget: { monthlyUsd: 2 }, privacy: null },
    { budget: null, privacy: null },
  ]);
  assert.equal(tight.workspaceNanoUsd, usd(2));
  assert.deepEqual(tight.notices, []);

  const loose = editorSettings(user, [{ budget: { monthlyUsd: 50 }, privacy: null }]);
  assert.equal(loose.workspaceNanoUsd, undefined);
  assert.equal(loose.app.monthlyBudgetNanoUsd, usd(10));
  assert.deepEqual(loose.notices, [
    'This workspace asks for a budget of $50 a month, above your $10; a workspace can only tighten, so $10 holds.',
  ]);
});

test('the open folder is under its budget from the start, another workspace with its first question', async () => {
  const lsp = await openLsp({
    settings: {
      costAwareRouter: { budget: { monthlyUsd: 10 } },
      'costAwareRouter.workspaceBudget': { monthlyUsd: 3 },
    },
  });
  await lsp.request('costAwareRouter/models', null);
  const limits = () => lsp.configured.at(-1)?.workspaceBudgetsNanoUsd ?? {};
  assert.deepEqual(Object.values(limits()), [usd(3)]);
  assert.match(Object.keys(limits()).join(), /^[0-9a-f]{16}$/);
  await lsp.request('costAwareRouter/answer', askOf('Hello?', { workspaceId: 'w1' }));
  assert.equal(limits()['w1'], usd(3));
  await lsp.changeSettings({
    costAwareRouter: { budget: { monthlyUsd: 10 } },
    'costAwareRouter.workspaceBudget': { monthlyUsd: 30 },
  });
  const told = await lsp.status(({ notices }) => notices.length > 0);
  assert.match(told.notices[0] ?? '', /asks for a budget of \$30 a month, above your \$10/);
  assert.deepEqual(lsp.configured.at(-1)?.workspaceBudgetsNanoUsd, {});
  await lsp.close();
});

test('the folder of the data is read before the app is composed', async () => {
  const lsp = await openLsp({
    settings: { costAwareRouter: { dataDir: '/data', threads: 2 } },
    initializationOptions: { modelsDir: '/models' },
  });
  await lsp.request('costAwareRouter/models', null);
  assert.deepEqual(
    lsp.created.map(({ dataDir, modelsDir, threads }) => ({ dataDir, modelsDir, threads })),
    [{ dataDir: '/data', modelsDir: '/models', threads: 2 }],
  );
  await lsp.close();
});

test('a client that can not be asked may send its settings itself', async () => {
  const lsp = await openLsp({ capabilities: {} });
  await lsp.client.sendNotification('workspace/didChangeConfiguration', {
    settings: { costAwareRouter: { budget: { monthlyUsd: 1 } } },
  });
  await lsp.request('costAwareRouter/models', null);
  assert.equal(lsp.app.settings().monthlyBudgetNanoUsd, usd(1));
  await lsp.close();
});
