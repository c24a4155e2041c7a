/** The policy of an administrator: it holds at every edge, only tightens, and closes when it can't be read. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { lockedSentences } from '../../server/src/core/adminPolicy.ts';
import { adminPolicyPath, createAdminPolicy } from '../../server/src/models/adminPolicyFile.ts';
import { openRealApp, type RealApp } from '../support/realApp.ts';
import { answerOf, collect, failureOf, promptOf } from '../support/scriptedPorts.ts';
import { scriptedApi } from './httpApi.ts';
import { askOf, openLsp } from './lspHarness.ts';

const folder = mkdtempSync(join(tmpdir(), 'router-policy-'));
after(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;

function policyFile(text: string): string {
  const path = join(folder, `policy-${files++}.yaml`);
  writeFileSync(path, text);
  return path;
}

async function withPolicy(text: string, use: (real: RealApp) => Promise<void>): Promise<void> {
  const real = await openRealApp({ adminPolicyPath: policyFile(text), onProblem: () => {} });
  try {
    await use(real);
  } finally {
    await real.close();
  }
}

const usd = (dollars: number) => dollars * 1e9;
const HARD = 'Design a lock-free queue and prove it correct, step by step.';

test('local only: nothing leaves, not by score, by force, by configuration nor by a test of the key', async () => {
  await withPolicy('local_only: true\n', async ({ app, provider }) => {
    const routed = await app.router.decide(promptOf(HARD));
    assert.equal(routed.kind === 'routed' && routed.route.tier, 'cheap');
    app.configure({ localOnly: false, minQuality: 1 });
    const forced = failureOf(
      await collect(
        app.router,
        promptOf(HARD, { forceModel: { tier: 'escalation' }, privacy: 'any' }),
      ),
    );
    assert.equal(forced.failure.code, 'privacy_floor');
    assert.match(forced.failure.message, /administrator of this machine/);
    assert.equal(forced.reason?.code === 'privacy_floor' && forced.reason.facts.rule, 'policy');
    const tested = await app.testKey();
    assert.equal(tested.kind, 'failed');
    const cloud = app.catalogue.registry().models.find(({ provider: who }) => who === 'openai')!;
    const request = {
      system: '',
      turns: [{ role: 'user', text: HARD } as const],
      maxOutputTokens: 9,
    };
    const { signal } = new AbortController();
    for await (const event of app.ports.cloud.generate(cloud, request, signal)) {
      assert.equal(event.type, 'failed', 'the model itself is not called either');
    }
    assert.equal(provider.getRequests().length, 0);
  });
});

test('the budget is the tighter of both, whatever is configured', async () => {
  await withPolicy('max_monthly_usd: 5\n', async ({ app }) => {
    assert.equal(app.limits().monthlyNanoUsd, usd(5));
    app.configure({ monthlyBudgetNanoUsd: undefined });
    assert.equal(app.limits().monthlyNanoUsd, usd(5), 'no limit is above any limit');
    app.configure({ monthlyBudgetNanoUsd: usd(2) as never });
    assert.equal(app.limits().monthlyNanoUsd, usd(2), 'a person can tighten');
    assert.equal((await app.budget()).limitNanoUsd, usd(2));
  });
});

test('only allowed models answer, by route and by name', async () => {
  await withPolicy('allowed_models: [smollm2-135m-instruct]\n', async ({ app, provider }) => {
    const { models } = app.catalogue.registry();
    for (const model of models.filter(({ provider: who }) => who !== 'local')) {
      const availability = app.ports.cloud.availability(model);
      assert.equal(availability.kind, 'unavailable');
      const forced = await collect(app.router, promptOf(HARD, { forceModel: { id: model.id } }));
      assert.match(
        failureOf(forced).failure.message,
        /allows other models only|expected at least one/,
      );
    }
    assert.equal(provider.getRequests().length, 0);
  });
});

test('what is allowed still works under a policy', async () => {
  await withPolicy('local_only: false\nmax_monthly_usd: 5\n', async ({ app, provider }) => {
    const asked = promptOf(HARD, { forceModel: { tier: 'escalation' } });
    assert.equal(answerOf(await collect(app.router, asked)).served, 'cloud');
    assert.equal(provider.getRequests().length, 1);
  });
});

test('a policy that can not be read or understood lets nothing leave, and says where and why', () => {
  const bad: readonly (readonly [text: string, problem: RegExp])[] = [
    ['', /empty/],
    ['local_only: maybe\n', /:1:\d+: expected true or false at local_only/],
    ['local_only: false\nlocalonly: true\n', /:2:1: expected no such key at localonly/],
    ['max_monthly_usd: -1\n', /max_monthly_usd/],
    ['max_monthly_usd: none\n', /a number at max_monthly_usd/],
    ['allowed_models: gpt\n', /a list at allowed_models/],
    ['- a\n', /a mapping/],
    ['local_only: [\n', /plain YAML/],
    [`a: &a [x]\n${'b: *a\n'.repeat(3)}`, /expected/],
  ];
  for (const [text, problem] of bad) {
    const told: string[] = [];
    const read = createAdminPolicy({
      path: policyFile(text),
      monotonicMs: () => 0,
      onProblem: (one) => told.push(one),
    });
    assert.equal(read().localOnly, true, text);
    assert.match(read().problem ?? '', problem, text);
    assert.equal(told.length, 1);
    assert.match(
      lockedSentences(read()).join(),
      /nothing leaves it until its administrator mends it/,
    );
  }
  const isFolder = join(folder, 'policy-folder.yaml');
  mkdirSync(isFolder);
  const read = createAdminPolicy({ path: isFolder, monotonicMs: () => 0, onProblem: () => {} });
  assert.deepEqual([read().localOnly, /EISDIR/.test(read().problem ?? '')], [true, true]);
  if (process.getuid?.() !== 0) {
    const path = policyFile('local_only: false\n');
    chmodSync(path, 0);
    const unread = createAdminPolicy({ path, monotonicMs: () => 0, onProblem: () => {} });
    assert.match(unread().problem ?? '', /EACCES/);
  }
});

test('no file is no policy, and one that appears, changes or goes is followed while the program runs', () => {
  let nowMs = 0;
  const path = join(folder, 'later.yaml');
  const read = createAdminPolicy({ path, monotonicMs: () => nowMs, onProblem: () => {} });
  const next = () => {
    nowMs += 2000;
    return read();
  };
  assert.deepEqual(read(), { localOnly: false });
  writeFileSync(path, 'local_only: true\n');
  assert.equal(next().localOnly, true);
  writeFileSync(path, 'max_monthly_usd: 1\n');
  utimesSync(path, 1, 1);
  assert.deepEqual(next(), { localOnly: false, maxMonthlyNanoUsd: usd(1) });
  writeFileSync(path, 'nonsense');
  assert.equal(next().localOnly, true);
  rmSync(path);
  assert.deepEqual(next(), { localOnly: false });
});

test('its place is fixed: no flag, setting, environment or request names another', async () => {
  assert.equal(adminPolicyPath('linux'), '/etc/cost-aware-router/policy.yaml');
  assert.equal(
    adminPolicyPath('darwin'),
    '/Library/Application Support/cost-aware-router/policy.yaml',
  );
  assert.equal(adminPolicyPath('win32'), 'C:\\ProgramData\\cost-aware-router\\policy.yaml');
  const before = { ...process.env };
  Object.assign(process.env, {
    ProgramData: 'D:\\x',
    COST_AWARE_ROUTER_ADMIN_POLICY: '/x',
    HOME: '/x',
  });
  assert.equal(adminPolicyPath('win32'), 'C:\\ProgramData\\cost-aware-router\\policy.yaml');
  process.env = before;
  const lsp = await openLsp({ initializationOptions: { adminPolicyPath: '/x', dataDir: folder } });
  await lsp.request('costAwareRouter/models', null);
  assert.ok(lsp.created.length > 0);
  for (const options of lsp.created) assert.ok(!('adminPolicyPath' in options));
  await lsp.close();
});

test('REST is under the same policy', async () => {
  await withPolicy('local_only: true\n', async ({ app, provider }) => {
    const { router, ports, settings } = app;
    const { post } = scriptedApi({}, { router, ports, settings });
    const reply = await post('/generate', { prompt: HARD, force_model: 'openai' });
    assert.equal(reply.status, 422);
    assert.match(await reply.text(), /administrator of this machine/);
    assert.equal(provider.getRequests().length, 0);
  });
});

test('the editor is told what is locked', async () => {
  const lsp = await openLsp({
    app: {
      policy: () => ({
        localOnly: true,
        maxMonthlyNanoUsd: usd(5) as never,
        allowedModels: ['a', 'b'],
      }),
    },
  });
  await lsp.request('costAwareRouter/answer', askOf('Hello?'));
  const status = await lsp.status(({ locked }) => locked.length > 0);
  assert.deepEqual(status.locked, [
    'Locked by the administrator: only local models may answer.',
    'Locked by the administrator: only these models may answer: a, b.',
    'Locked by the administrator: at most $5.00 a month.',
  ]);
  await lsp.close();
});
