/** What past prompts would have cost, over the protocol: real files, the scripted router, another request in between. */
import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { CancellationTokenSource } from 'vscode-languageserver/node';
import type { WhatIfResult, WhatIfWire } from '../../server/src/protocol.ts';
import { repositoryRoot } from '../support/localModel.ts';
import { BIG, LOCAL, MINI, type Script } from '../support/scriptedPorts.ts';
import { type Lsp, openLsp } from './lspHarness.ts';

const told = { prompt_tokens: 1000, completion_tokens: 100 };
const ask = (content: string) => ({
  model: BIG,
  messages: [{ role: 'user', content }],
  usage: told,
});
const toBig: Script = { scores: { [LOCAL]: 0.9, [MINI]: 0.4, [BIG]: 0.1 } };

function folderOf(t: TestContext, files: Readonly<Record<string, readonly unknown[]>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'router-whatif-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, 'older'));
  for (const [name, lines] of Object.entries(files)) {
    writeFileSync(join(folder, name), lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  }
  return folder;
}

async function withLsp(
  t: TestContext,
  options: Parameters<typeof openLsp>[0],
): Promise<Pick<Lsp, 'request' | 'client' | 'notifications' | 'scripted'>> {
  const lsp = await openLsp(options);
  t.after(() => lsp.close());
  return lsp;
}

function figuresOf(result: WhatIfResult): WhatIfWire {
  assert.ok(result.kind === 'done', JSON.stringify(result));
  return result.whatIf;
}

test('a folder of logs has its costs, who would have answered and what was escalated, and nothing is asked', async (t) => {
  const folder = folderOf(t, {
    'a.jsonl': [ask('Plan it.'), ask('Plan it again.')],
    'older/b.ndjson': [ask('Plan more.'), { promt: 'x' }],
    'notes.txt': [{ prompt: 'not a log' }],
  });
  const lsp = await withLsp(t, { script: { ...toBig, spentNanoUsd: 20e9 } });
  const figures = figuresOf(
    await lsp.request('costAwareRouter/whatIf', { requestId: 'w1', path: folder }),
  );
  // 1,000 tokens in and 100 out at 10 and 40 dollars a million; the budget is used up and does not matter.
  assert.deepEqual(figures.costs, [
    { name: 'routed', nanoUsd: 42_000_000, cost: '≈ $0.04' },
    { name: `all by ${BIG}`, nanoUsd: 42_000_000, cost: '≈ $0.04' },
    { name: 'paid then', nanoUsd: 42_000_000, cost: '≈ $0.04' },
  ]);
  assert.deepEqual(figures.models, [{ name: BIG, prompts: 3, cost: '≈ $0.04' }]);
  assert.equal(figures.saved, `saved ≈ $0.00 against ${BIG}`);
  assert.equal(figures.escalated, '≈ 100 % escalated to the cloud');
  assert.match(figures.lines[0] ?? '', /^3 prompts: 0 % local, 100 % cloud at once/);
  assert.equal(figures.notes.at(-1), 'Lines that were no prompts: 1.');
  assert.equal(lsp.scripted.calls.length, 0);
});

test('what is not known has no number: without prices costs and savings are unknown, in the language of the editor', async (t) => {
  const folder = folderOf(t, { 'a.jsonl': [{ prompt: 'Plan it.' }] });
  const lsp = await withLsp(t, {
    script: { ...toBig, prices: {} },
    initializationOptions: { locale: 'de' },
  });
  const path = join(folder, 'a.jsonl');
  const figures = figuresOf(await lsp.request('costAwareRouter/whatIf', { requestId: 'w1', path }));
  assert.deepEqual(figures.costs.map(({ nanoUsd, cost }) => ({ nanoUsd, cost })).slice(1), [
    { nanoUsd: null, cost: 'unbekannt' },
    { nanoUsd: null, cost: 'unbekannt' },
  ]);
  assert.equal(figures.saved, 'gespart: unbekannt, weil manche Kosten unbekannt sind');
});

test('a usage export has the same tokens on every model and no savings; one of costs is refused', async (t) => {
  const lsp = await withLsp(t, {});
  const path = join(repositoryRoot, 'test/fixtures/openaiUsage/usage.json');
  const figures = figuresOf(await lsp.request('costAwareRouter/whatIf', { requestId: 'w1', path }));
  assert.deepEqual(figures.costs.map(({ name }) => name).sort(), [BIG, MINI]);
  for (const { nanoUsd } of figures.costs) assert.ok((nanoUsd ?? 0) > 0);
  assert.deepEqual([figures.saved, figures.escalated, figures.models], ['', '', []]);
  const costs = await lsp.request('costAwareRouter/whatIf', {
    requestId: 'w2',
    path: path.replace('usage.json', 'costs.json'),
  });
  assert.equal(costs.kind, 'failed');
});

test('what can not be read is told with what was expected', async (t) => {
  const folder = folderOf(t, { 'a.jsonl': [{ promt: 'x' }] });
  const lsp = await withLsp(t, {});
  const failure = async (path: string) => {
    const result = await lsp.request('costAwareRouter/whatIf', { requestId: 'w', path });
    return result.kind === 'failed' ? result.message : result.kind;
  };
  assert.match(await failure(join(folder, 'none')), /readable file or folder, .*\(ENOENT\)/);
  assert.match(await failure(join(folder, 'older')), /folder with \.jsonl files, found none/);
  assert.match(await failure('a.jsonl'), /full path, got a\.jsonl/);
  assert.match(await failure(folder), /found none; lines of another form: 1/);
});

test('a long log tells its progress, leaves room for other requests, and can be cancelled', async (t) => {
  const folder = folderOf(t, {});
  const path = join(folder, 'long.jsonl');
  const lines = Array.from({ length: 2_000 }, (_, at) => JSON.stringify(ask(`Plan ${at}.`)));
  for (let part = 0; part < 20; part += 1) appendFileSync(path, `${lines.join('\n')}\n`);
  const lsp = await withLsp(t, { script: toBig });
  await lsp.request('costAwareRouter/status', null);

  const source = new CancellationTokenSource();
  let isOver = false;
  const looking = lsp.client
    .sendRequest<WhatIfResult>('costAwareRouter/whatIf', { requestId: 'w1', path }, source.token)
    .finally(() => {
      isOver = true;
    });
  while (lsp.notifications('costAwareRouter/whatIfProgress').length === 0) {
    assert.equal(isOver, false, 'the log is longer than one progress');
    await lsp.request('costAwareRouter/status', null);
  }
  assert.equal(isOver, false, 'the status was answered while the log was read');
  source.cancel();
  assert.deepEqual(await looking, { kind: 'cancelled' });
  const [progress] = lsp.notifications('costAwareRouter/whatIfProgress');
  assert.equal(progress?.requestId, 'w1');
  assert.ok(progress.share > 0 && progress.share < 1, String(progress.share));
  assert.match(progress.message, /^[\d,.\s]+ prompts routed$/);
});
