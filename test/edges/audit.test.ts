/** The audit end to end: a real local answer, a provider that we did not write, a real ledger, and what the edges then tell. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { App } from '../../server/src/compose.ts';
import { english } from '../../server/src/core/translate.ts';
import { createApi } from '../../server/src/http/api.ts';
import { languageOf } from '../../server/src/lsp/language.ts';
import { reportWire, routeTrace } from '../../server/src/lsp/reports.ts';
import { CLOUD_USAGE, openRealApp, type RealApp } from '../support/realApp.ts';
import { answerOf, collect, promptOf } from '../support/scriptedPorts.ts';
import { cli, jsonOf } from './cliHarness.ts';

/** 200 input tokens at 2 USD and 30 output tokens at 10 USD per million. */
const CALL_NANO_USD = 700_000;
const TRUTH = 'The baseline says that it is Paris.';

// biome-ignore lint/suspicious/noExplicitAny: a provider's bodies and a reply are read as they come
type Json = any;

describe('an audited answer', () => {
  let real: RealApp;
  before(async () => {
    real = await openRealApp({ settings: { auditShare: 1, escalateShare: 0 } });
    real.provider.clearFixtures();
    // Who judges says which of the two it is: the one with the baseline's words is the other's.
    real.provider.onMessage(/"second":"The baseline says/s, {
      content: 'first',
      usage: CLOUD_USAGE,
    });
    real.provider.onMessage(/"first":"The baseline says/s, {
      content: 'second',
      usage: CLOUD_USAGE,
    });
    real.provider.onMessage(/.*/s, { content: TRUTH, usage: CLOUD_USAGE });
  });
  after(() => real.close());

  /** The harness closes the app that it made; ours is closed at the end. */
  const shared = (scripted: App): App => ({ ...real.app, close: scripted.close });
  const sent = (): Json[] => real.provider.getRequests().map(({ body }) => body);

  test('is answered here, then asked of the baseline and judged by it, for two settled bills', async () => {
    const { app } = real;
    const prompt = promptOf('What is the capital of France?', {
      maxOutputTokens: 24,
    });
    const preview = await app.router.wouldSend(prompt);
    assert.ok(preview.kind === 'routed');
    const shown = preview.requests.find(({ when }) => when === 'audit');
    assert.ok(shown !== undefined, 'what an audit would send is shown');
    const answer = answerOf(await collect(app.router, prompt));
    assert.deepEqual([answer.served, answer.costNanoUsd], ['local', 0]);
    await app.router.idle();
    const [own, judge, ...more] = sent();
    assert.equal(more.length, 0);
    assert.equal(JSON.stringify(own).includes('the capital of France?'), true);
    assert.ok(JSON.stringify(judge).includes('You compare two answers'));
    assert.ok(JSON.stringify(judge).includes(JSON.stringify(answer.text).slice(1, 12)));
    const spend = await app.router.spend();
    assert.equal(spend.budget.spentNanoUsd, 2 * CALL_NANO_USD);
    assert.equal(spend.budget.heldNanoUsd, 0);
    assert.deepEqual(spend.audits, {
      audits: 1,
      costNanoUsd: 2 * CALL_NANO_USD,
      judged: [{ baselineId: 'gpt-6-sol', asGood: 1, worse: 0 }],
    });
    const trace = await routeTrace(app, prompt.id, english);
    assert.equal(
      trace?.audit,
      'At least as good as the answer of GPT-6 Sol (judged by that model). The audit cost $0.0014.',
    );
  });

  test('stands in the account on a line of its own, and every edge says unknown until there are enough', async () => {
    const { app } = real;
    const run = await cli(['statement', '--format', 'json'], { app: shared });
    const account: Json = jsonOf(run);
    assert.equal(account.reconciles, true);
    const lines = account.lines.filter(({ line }: Json) => line === 'audit');
    assert.deepEqual(
      lines.map(({ model, calls, amount_usd }: Json) => [model, calls, amount_usd]),
      [['gpt-6-sol', 2, '0.001400000']],
    );

    const api = createApi({
      router: app.router,
      ports: app.ports,
      settings: () => app.settings(),
      token: undefined,
      version: '1.2.3',
      onDefect: (error) => assert.fail(String(error)),
    });
    const reply = await api.fetch(new Request('http://127.0.0.1:5000/spend'));
    const spend: Json = await reply.json();
    assert.deepEqual(spend.quality_kept, {
      share: null,
      low: null,
      high: null,
      audits: 1,
      needed: 30,
    });
    assert.deepEqual([spend.audits, spend.audits_usd], [1, 0.0014]);
    const text = await cli(['spend'], { app: shared });
    assert.match(text.stdout, /quality kept by local answers: unknown \(1 of 30 audits\)/);
    const report = await reportWire(app, undefined, languageOf('de'));
    assert.equal(report.quality, 'unbekannt (1 von 30 Prüfungen)');
    assert.match(report.qualityLines.join('\n'), /1 lokale Antworten diesen Monat für \$0\.0014/);
  });

  test('a secret, or a wish to stay here, sends nothing at all', async () => {
    const { app } = real;
    const before = sent().length;
    const secret = `What does this do? api_key = "${'sk-proj-'}${'a1B2c3D4e5F6g7H8'.repeat(3)}"`;
    for (const prompt of [
      promptOf(secret, { maxOutputTokens: 4 }),
      promptOf('What is an inode?', { privacy: 'local-only', maxOutputTokens: 4 }),
    ]) {
      assert.equal(answerOf(await collect(app.router, prompt)).served, 'local');
      await app.router.idle();
    }
    assert.equal(sent().length, before);
  });
});
