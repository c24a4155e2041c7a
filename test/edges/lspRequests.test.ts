/** Every request of the wire contract, asked by a real client of the server in one process, over scripted models. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CancellationTokenSource } from 'vscode-languageserver/node';
import { failure } from '../../server/src/core/errors.ts';
import type { BudgetState } from '../../server/src/core/ports.ts';
import { nanoUsd } from '../../server/src/core/price.ts';
import type { AnswerEvent, AnswerResultWire } from '../../server/src/protocol.ts';
import { BIG, LOCAL, type ScriptedAnswer, says } from '../support/scriptedPorts.ts';
import { endless } from './httpApi.ts';
import { askOf, type Lsp, type LspOptions, openLsp } from './lspHarness.ts';

async function withLsp(options: LspOptions, work: (lsp: Lsp) => Promise<void>): Promise<void> {
  const lsp = await openLsp(options);
  try {
    await work(lsp);
  } finally {
    await lsp.close();
  }
}

function eventsOf(lsp: Lsp, requestId: string): AnswerEvent[] {
  return lsp
    .notifications('costAwareRouter/answerEvent')
    .filter((one) => one.requestId === requestId)
    .map(({ event }) => event);
}

function answered(result: AnswerResultWire) {
  if (result.kind === 'answered') return result.answer;
  throw new Error(`expected an answer, got ${JSON.stringify(result)}`);
}

test('a local answer streams its events before its end, with the line that every surface shows', async () => {
  await withLsp({}, async (lsp) => {
    const ask = askOf('What is this?');
    const answer = answered(await lsp.request('costAwareRouter/answer', ask));
    const events = eventsOf(lsp, ask.requestId);
    assert.equal(events[0]?.kind, 'route');
    const text = events.map((event) => (event.kind === 'delta' ? event.text : '')).join('');
    assert.equal(text, `answer of ${LOCAL}`);
    assert.equal(answer.text, text);
    assert.equal(answer.served, 'local');
    assert.deepEqual(answer.cost, { nanoUsd: 0, text: 'free' });
    assert.match(answer.line, /^local · Small Local · free · /);
    assert.ok(answer.trace.candidates.some(({ chosen }) => chosen));
  });
});

test('an unsure draft is deferred within the same request, and the bill stands beside its estimate', async () => {
  const answers = { [LOCAL]: [says('a guess', { sure: false })], [BIG]: [says('the answer')] };
  await withLsp({ script: { answers, scores: { [LOCAL]: 0.4 } } }, async (lsp) => {
    const ask = askOf('Why?');
    const answer = answered(await lsp.request('costAwareRouter/answer', ask));
    const deferred = eventsOf(lsp, ask.requestId).find(({ kind }) => kind === 'deferred');
    assert.match(
      JSON.stringify(deferred),
      /Local draft \(confidence 0\.\d\d of 0\.\d\d\), replaced by/,
    );
    assert.equal(answer.served, 'cloud');
    assert.ok(answer.cost.nanoUsd > 0);
    assert.match(answer.trace.estimateAgainstBill, /^estimate ≤ \$[\d.]+, billed \$[\d.]+$/);
    assert.deepEqual(
      answer.trace.attempts.map(({ outcome }) => outcome),
      ['deferred', 'answered'],
    );
  });
});

test('the preview is the decision of the answer that follows', async () => {
  await withLsp({}, async (lsp) => {
    const context = [{ kind: 'selection' as const, text: 'one\ntwo' }];
    const preview = await lsp.request(
      'costAwareRouter/preview',
      askOf('What is this?', { context }),
    );
    const answer = answered(
      await lsp.request('costAwareRouter/answer', askOf('What is this?', { context })),
    );
    if (preview.kind !== 'route') throw new Error(JSON.stringify(preview));
    assert.equal(preview.route.modelId, answer.modelId);
    assert.equal(preview.route.score, answer.trace.score);
    assert.equal(preview.context, 'selection (2 lines, ≈ 2 tokens)');
    assert.deepEqual(await lsp.request('costAwareRouter/preview', askOf('  ')), { kind: 'empty' });
  });
});

test('a preview lets the local model get ready for what is typed, and only where it would answer', async () => {
  await withLsp({}, async (lsp) => {
    const begun: string[] = [];
    Object.assign(lsp.scripted.ports.local, {
      warm: async (model: { readonly id: string }) => {
        begun.push(model.id);
      },
    });
    const typed = 'What is this about?';
    await lsp.request('costAwareRouter/preview', askOf(typed, { destination: 'cloud' }));
    assert.deepEqual(begun, []);
    await lsp.request('costAwareRouter/preview', askOf(typed));
    assert.deepEqual(begun, [LOCAL]);
  });
});

test('a cancel of LSP ends the answer at once, as a value', async () => {
  const never = endless();
  await withLsp({ script: { answers: { [LOCAL]: [never.answer] } } }, async (lsp) => {
    const source = new CancellationTokenSource();
    const running = lsp.client.sendRequest<AnswerResultWire>(
      'costAwareRouter/answer',
      askOf('Go on for ever'),
      source.token,
    );
    await never.started;
    source.cancel();
    const result = await running;
    assert.equal(result.kind === 'failed' && result.code, 'cancelled');
    await never.stopped;
  });
});

test('where a person sends it is where it goes; an untrusted workspace sends nothing out', async () => {
  await withLsp({ script: { scores: { [LOCAL]: 0.9 } } }, async (lsp) => {
    const cloud = askOf('Easy?', { destination: 'cloud' });
    assert.equal(answered(await lsp.request('costAwareRouter/answer', cloud)).served, 'cloud');
    const untrusted = askOf('Easy?', { destination: 'cloud', trusted: false });
    const refused = await lsp.request('costAwareRouter/answer', untrusted);
    assert.ok(refused.kind === 'failed', JSON.stringify(refused));
    assert.equal(refused.nextStep, 'trust_workspace');
    assert.match(refused.message, /not trusted, so only a local model may answer/);
    const kept = await lsp.request(
      'costAwareRouter/answer',
      askOf('Hard?', { trusted: false, requestId: 'kept' }),
    );
    assert.equal(answered(kept).served, 'local');
    assert.match(answered(kept).reason, /Kept local: this workspace is not trusted/);
    assert.equal(lsp.scripted.calls.filter(({ modelId }) => modelId !== LOCAL).length, 1);
  });
});

test('a failure names the one thing to do', async () => {
  const unavailable = {
    [LOCAL]: { kind: 'model_missing' },
    [BIG]: { kind: 'no_api_key' },
  } as const;
  const availability = { ...unavailable, 'cloud-mini': { kind: 'no_api_key' } } as const;
  await withLsp({ script: { availability, scores: { [LOCAL]: 0.8 } } }, async (lsp) => {
    const result = await lsp.request('costAwareRouter/answer', askOf('Hello?'));
    assert.ok(result.kind === 'failed', JSON.stringify(result));
    assert.deepEqual([result.code, result.nextStep], ['model_missing', 'download_model']);
    const status = await lsp.request('costAwareRouter/status', null);
    assert.equal(status.text, 'set up');
    assert.deepEqual(
      status.missing.map(({ what, nextStep }) => [what, nextStep]),
      [
        ['model', 'download_model'],
        ['key', 'set_key'],
      ],
    );
  });
});

test('the status follows a running answer, a settled one, and another window', async () => {
  let problem: string | undefined;
  const held = Promise.withResolvers<void>();
  const slow: ScriptedAnswer = async function* (...given) {
    await held.promise;
    yield* says('late')(...given);
  };
  const app = { ledgerProblem: () => problem };
  await withLsp({ app, script: { answers: { [BIG]: [slow] } } }, async (lsp) => {
    await lsp.status(({ text }) => text === '$0.00 / $20 · saved $0.0050');
    const asked = askOf('Easy?', { destination: 'cloud' });
    const answering = lsp.request('costAwareRouter/answer', asked);
    await lsp.status(({ running }) => running?.tier === 'cloud' && running.model === BIG);
    held.resolve();
    await answering;
    const after = await lsp.status((one) => one.spent.nanoUsd > 0 && one.running === null);
    assert.equal(after.lastReason, `You asked for ${BIG}.`);
    problem = 'another window found it damaged';
    lsp.ledgerChanged();
    const told = await lsp.status(({ missing }) => missing.some(({ what }) => what === 'ledger'));
    assert.match(told.missing[0]?.message ?? '', /found it damaged/);
  });
});

test('money: normal, then pacing, then the limit, then raised at once', async () => {
  const spent = { spentNanoUsd: 17_000_000_000 };
  const settings = { costAwareRouter: { budget: { monthlyUsd: 20 } } };
  await withLsp({ script: spent, settings }, async (lsp) => {
    const pacing = await lsp.status(({ level }) => level === 'pacing');
    assert.equal(pacing.text, '$17.00 / $20 · pacing');
    await lsp.changeSettings({ costAwareRouter: { budget: { monthlyUsd: 17 } } });
    const exhausted = await lsp.status(({ level }) => level === 'exhausted');
    assert.equal(exhausted.text, 'local only until 1 Dec');
    await lsp.changeSettings({ costAwareRouter: { budget: { monthlyUsd: 100 } } });
    await lsp.status(({ text }) => text === '$17.00 / $100 · saved $0.0050');
  });
});

test('at the limit: a question is answered locally, asked about, or refused with the ways out', async () => {
  const why = /^cloud-big could cost \$[\d.]+, and \$0\.00 of this month's budget is left\./;
  const atLimit = (at: 'local' | 'ask' | 'stop', work: (lsp: Lsp) => Promise<void>) =>
    withLsp(
      {
        script: {
          spentNanoUsd: 20_000_000_000,
          scores: { [LOCAL]: 0.9 },
          settings: { atLimit: at },
        },
        settings: { costAwareRouter: { budget: { monthlyUsd: 20, atLimit: at } } },
      },
      async (lsp) => {
        await work(lsp);
        assert.ok(lsp.scripted.calls.every(({ modelId }) => modelId === LOCAL));
      },
    );

  await atLimit('local', async (lsp) => {
    const local = answered(await lsp.request('costAwareRouter/answer', askOf('Why?')));
    assert.equal(local.served, 'local');
    assert.match(local.reason, why);
  });
  await atLimit('ask', async (lsp) => {
    for (const method of ['costAwareRouter/answer', 'costAwareRouter/preview'] as const) {
      const asked = await lsp.request(method, askOf('Why?'));
      assert.ok(asked.kind === 'at_limit', JSON.stringify(asked));
      assert.match(asked.message, why);
    }
    const locally = askOf('Why?', { destination: 'local' });
    assert.equal(answered(await lsp.request('costAwareRouter/answer', locally)).served, 'local');
  });
  await atLimit('stop', async (lsp) => {
    const stopped = await lsp.request('costAwareRouter/answer', askOf('Why?'));
    assert.ok(stopped.kind === 'failed', JSON.stringify(stopped));
    assert.equal(stopped.nextStep, 'raise_budget');
    assert.match(stopped.message, why);
    assert.match(
      stopped.message,
      /Nothing was sent: raise the budget, or ask again for local only\.$/,
    );
    const preview = await lsp.request('costAwareRouter/preview', askOf('Why?'));
    assert.equal(preview.kind, 'refused');
  });
});

test('a failure names its model by its label and is written as a sentence', async () => {
  const cancelled: ScriptedAnswer = async function* () {
    yield { type: 'failed', failure: failure('cancelled', `the answer of ${LOCAL} was cancelled`) };
  };
  await withLsp({ script: { answers: { [LOCAL]: [cancelled] } } }, async (lsp) => {
    const result = await lsp.request('costAwareRouter/answer', askOf('Easy?'));
    assert.equal(
      result.kind === 'failed' && result.message,
      'The answer of Small Local was cancelled.',
    );
  });
});

test('the budget that binds is shown before the first question, and all in force as sentences', async () => {
  const budget = (spent: number, narrower: BudgetState['narrower']): BudgetState => ({
    month: '2026-11',
    limitNanoUsd: nanoUsd(20e9),
    spentNanoUsd: nanoUsd(spent),
    heldNanoUsd: nanoUsd(0),
    ...(narrower === undefined ? {} : { narrower }),
  });
  const narrow = (period: 'day' | 'session' | 'workspace', limit: number, spent: number) => ({
    period,
    limitNanoUsd: nanoUsd(limit),
    spentNanoUsd: nanoUsd(spent),
    heldNanoUsd: nanoUsd(0),
  });
  const scopes: unknown[] = [];
  let state = budget(3.12e9, [narrow('workspace', 1e9, 0.4e9), narrow('day', 5e9, 2e9)]);
  const app = {
    budget: async (scope: unknown) => {
      scopes.push(scope);
      return state;
    },
  };
  await withLsp({ app }, async (lsp) => {
    const status = await lsp.status(({ text }) => text.startsWith('$'));
    assert.equal(status.text, '$0.40 / $1 workspace · saved $0.0050');
    assert.deepEqual(status.budgets, [
      '$0.40 of $1 spent in this workspace this month; resets on 1 December.',
      '$2.00 of $5 spent today; resets on 16 November.',
      '$3.12 of $20 spent this month; resets on 1 December.',
    ]);
    const [scope] = scopes;
    assert.match(JSON.stringify(scope), /"sessionId":"[^"]+","workspaceId":"[0-9a-f]{16}"/);

    state = budget(3e9, [narrow('day', 2e9, 2e9)]);
    const day = await lsp.request('costAwareRouter/status', null);
    assert.deepEqual(
      [day.level, day.text, day.usedUp],
      ['exhausted', 'local only until 16 Nov', 'local only until 16 Nov'],
    );
    state = budget(3e9, [narrow('session', 2e9, 2e9)]);
    const session = await lsp.request('costAwareRouter/status', null);
    assert.equal(session.text, 'local only in this session');
  });
});

test('the key lives in the app alone, and is forgotten on request', async () => {
  await withLsp({}, async (lsp) => {
    const given = { key: 'sk-canary-1', baseUrl: 'https://api.openai.com/v1' };
    assert.equal((await lsp.request('costAwareRouter/setKey', given)).kind, 'done');
    assert.equal((await lsp.request('costAwareRouter/testKey', null)).kind, 'done');
    await lsp.request('costAwareRouter/models', null);
    await lsp.request('costAwareRouter/setKey', { key: null, baseUrl: given.baseUrl });
    assert.deepEqual(lsp.keys.slice(-2), [given, undefined]);
    const everything = JSON.stringify(lsp.notifications('costAwareRouter/statusChanged'));
    assert.doesNotMatch(everything, /sk-canary/);
  });
});

test('reports, models, outcomes, export, prices: each is the app asked in its own words', async () => {
  await withLsp({}, async (lsp) => {
    const report = await lsp.request('costAwareRouter/report', {});
    assert.equal(report.spent.nanoUsd, 0);
    assert.equal(report.baseline, BIG);
    assert.equal(report.quality, 'unknown (0 of 10 verdicts)');
    const models = await lsp.request('costAwareRouter/models', null);
    assert.deepEqual(
      models.map(({ id, tier, price, chosenAs }) => [id, tier, price, chosenAs]),
      [
        [LOCAL, 'local', 'free', ['cheap']],
        ['cloud-mini', 'cloud', '$1.00 in, $4.00 out per million tokens', []],
        [BIG, 'cloud', '$10.00 in, $40.00 out per million tokens', ['escalation', 'baseline']],
      ],
    );
    await lsp.request('costAwareRouter/outcome', { promptId: 'p', verdict: 'up' });
    assert.deepEqual(lsp.outcomes, ['p up']);
    assert.deepEqual(
      await lsp.request('costAwareRouter/export', { month: '2026-11', format: 'csv' }),
      { text: '2026-11 as csv\n' },
    );
    assert.equal((await lsp.request('costAwareRouter/refreshPrices', null)).kind, 'done');
    assert.equal(await lsp.request('costAwareRouter/trace', { promptId: 'none' }), null);
    const page = await lsp.request('costAwareRouter/routes', { offset: 0, limit: 100 });
    assert.deepEqual(page, { total: 0, totalText: '0', offset: 0, rows: [] });
  });
});

test('a download tells its progress by its own id, and a failure is a value', async () => {
  const prepare = (async (_model, { onProgress } = {}) => {
    onProgress?.({ stage: 'downloading', receivedBytes: 5e6, totalBytes: 1e7, source: 'x' });
    return {
      kind: 'failed',
      failure: failure('cancelled', 'the download was cancelled'),
      tried: [],
    };
  }) satisfies Lsp['app']['local']['prepare'];
  await withLsp({}, async (lsp) => {
    Object.assign(lsp.app.local, { prepare });
    const params = { requestId: 'd1', modelId: LOCAL };
    const result = await lsp.request('costAwareRouter/download', params);
    assert.deepEqual(result, { kind: 'failed', message: 'The download was cancelled.' });
    const [progress] = lsp.notifications('costAwareRouter/downloadProgress');
    assert.equal(progress?.requestId, 'd1');
    assert.deepEqual([progress?.receivedBytes, progress?.totalBytes], [5_000_000, 10_000_000]);
    assert.match(progress?.message ?? '', /^Downloading .*: 5 MB of 10 MB$/);
    const wrong = await lsp.request('costAwareRouter/download', { requestId: 'd2', modelId: BIG });
    assert.match(wrong.message, /expected a local model \(small-local\), got cloud-big/);
  });
});

test('history is kept only when it was turned on, and goes when it is cleared', async () => {
  await withLsp({}, async (lsp) => {
    const mine = { workspaceId: 'workspace' };
    await lsp.request('costAwareRouter/answer', askOf('Not kept'));
    assert.deepEqual(await lsp.request('costAwareRouter/history', mine), []);
    await lsp.changeSettings({ costAwareRouter: { history: { enabled: true } } });
    await lsp.request('costAwareRouter/answer', askOf('Kept'));
    const [entry, ...others] = await lsp.request('costAwareRouter/history', mine);
    assert.equal(entry?.question, 'Kept');
    assert.deepEqual(others, []);
    await lsp.request('costAwareRouter/clearHistory', mine);
    assert.deepEqual(await lsp.request('costAwareRouter/history', mine), []);
  });
});

test('an app that can not be composed fails each request with its sentence, and the next one tries again', async () => {
  let broken = true;
  const lsp = await openLsp({
    createApp: async () => {
      if (broken) throw new Error('expected a list of models in registry.yaml, got nothing');
      return undefined;
    },
  });
  const status = await lsp.status(({ missing }) => missing.length > 0);
  assert.deepEqual(status.missing[0]?.what, 'registry');
  await assert.rejects(lsp.request('costAwareRouter/models', null), /got nothing/);
  broken = false;
  await assert.doesNotReject(lsp.request('costAwareRouter/models', null));
  await lsp.close();
});

test('params of another shape are refused with the field and what was expected, never with their value', async () => {
  const lsp = await openLsp();
  const refused = async (method: string, params: unknown) =>
    await lsp.client.sendRequest(method, params).then(
      () => assert.fail(`${method} was answered`),
      (error: { code: number; message: string }) => {
        assert.equal(error.code, -32602);
        return error.message;
      },
    );
  assert.equal(
    await refused('costAwareRouter/answer', { ...askOf('Why?'), context: [{ kind: 'file' }] }),
    'costAwareRouter/answer: expected string, got nothing at context[0].text; docs/PROTOCOL.md lists the fields',
  );
  assert.match(
    await refused('costAwareRouter/outcome', { promptId: 'p', verdict: 'fine' }),
    /expected one of "kept"\|.* at verdict;/,
  );
  const secret = await refused('costAwareRouter/setKey', { key: { sk: 'sk-canary' }, baseUrl: 1 });
  assert.doesNotMatch(secret, /canary/);
  // A newer client's further fields don't disturb, and no params are as good as none.
  const further = { month: '2026-11', later: true } as { month: string };
  assert.equal((await lsp.request('costAwareRouter/report', further)).month, '2026-11');
  assert.ok(await lsp.client.sendRequest('costAwareRouter/models'));
  await lsp.close();
});
