/** `train --lora` without a file: what a person asked in the editor and kept is what the model learns from. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { ensureTorch } from '../../server/src/training/torchEnvironment.ts';
import { openLsp } from '../edges/lspHarness.ts';
import { CLOUD_TEXT, openRealApp, type RealApp, TEST_KEY } from '../support/realApp.ts';

const root = join(import.meta.dirname, '../..');
const { COST_AWARE_ROUTER_TORCH_ENV, COST_AWARE_ROUTER_PYTHON } = process.env;
const environment =
  COST_AWARE_ROUTER_TORCH_ENV ?? join(homedir(), '.cache', 'cost-aware-router-torch');
const folder = mkdtempSync(join(tmpdir(), 'torch-history-'));
let real: RealApp;

before(async () => {
  const python = await ensureTorch({
    folder: environment,
    python: COST_AWARE_ROUTER_PYTHON ?? 'python3',
    onProgress: (step) => process.stderr.write(`· ${step}\n`),
    signal: new AbortController().signal,
  });
  mkdirSync(join(folder, 'base'));
  const tinyBase = join(import.meta.dirname, 'tiny_base.py');
  execFileSync(python, [tinyBase, join(folder, 'base'), join(root, 'data/sample.txt')]);
  real = await openRealApp();
});
after(async () => {
  await real.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The command line as a program of its own on the data folder of the editor's server; its temporary files are seen. */
async function fineTune(): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = spawn(
    process.execPath,
    [
      join(root, 'server/src/cli/main.ts'),
      ...['--data-dir', real.dataDir, 'train', '--lora', join(folder, 'base')],
      ...['--lora-out', join(folder, 'tuned'), '--merge'],
    ],
    {
      cwd: folder,
      env: {
        ...process.env,
        COST_AWARE_ROUTER_TORCH_ENV: environment,
        OMP_NUM_THREADS: '1',
        TMPDIR: folder,
      },
    },
  );
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (piece) => (output.stdout += String(piece)));
  child.stderr.on('data', (piece) => (output.stderr += String(piece)));
  const [code] = (await once(child, 'close')) as [number];
  return { code, ...output };
}

test('answers kept in the editor fine-tune a model; rejected ones and those without a verdict do not', async () => {
  const baseUrl = `${real.provider.url}/v1`;
  const lsp = await openLsp({
    createApp: async () => real.app,
    settings: { costAwareRouter: { history: { enabled: true }, openai: { baseUrl } } },
  });
  await lsp.request('costAwareRouter/setKey', { key: TEST_KEY, baseUrl });
  const ask = async (text: string) => {
    const answered = await lsp.request('costAwareRouter/answer', {
      requestId: text,
      text,
      context: [],
      history: [],
      destination: 'cloud',
      sessionId: 's',
      workspaceId: 'w',
      trusted: true,
    });
    assert.equal(answered.kind, 'answered', JSON.stringify(answered));
    return answered.kind === 'answered' ? answered.answer.requestId : '';
  };
  const judge = (promptId: string, verdict: 'kept' | 'up' | 'down') =>
    lsp.request('costAwareRouter/outcome', { promptId, verdict });

  const none = await fineTune();
  assert.equal(none.code, 2, none.stderr);
  assert.match(none.stderr, /expected kept answers to learn from, got none; turn history on/);

  for (let n = 0; n < 12; n += 1) {
    const promptId = await ask(`What colour is whale number ${n}?`);
    if (n < 10) await judge(promptId, n % 2 === 0 ? 'kept' : 'up');
    if (n === 9) await judge(promptId, 'down');
  }
  assert.equal((await lsp.request('costAwareRouter/history', { workspaceId: 'w' })).length, 12);
  assert.equal(real.app.history.all()[0]?.answer, CLOUD_TEXT);

  const done = await fineTune();
  assert.equal(done.code, 0, done.stderr);
  // Ten were liked, one of them was rejected afterwards, two were never judged.
  assert.match(done.stdout, / 8 answers to learn from, 1 held out /);
  const tuned = join(folder, 'tuned');
  assert.ok(readFileSync(join(tuned, 'adapter', 'adapter_model.safetensors')).length > 0);
  assert.ok(existsSync(join(tuned, 'merged', 'config.json')));
  const left = readdirSync(folder).filter((name) => name.startsWith('cost-aware-router-answers-'));
  assert.deepEqual(left, [], 'the file with the answers is gone');
  await lsp.close();
});
