/** The documented configuration of Neovim in a real Neovim, against the real server program and a provider on loopback. */
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { LLMock } from '@copilotkit/aimock';
import { repositoryRoot } from '../support/localModel.ts';
import { CLOUD_TEXT, CLOUD_USAGE, TEST_KEY } from '../support/realApp.ts';

const run = promisify(execFile);
const { NEOVIM: neovim = 'nvim' } = process.env;
const hasNeovim = spawnSync(neovim, ['--version']).status === 0;

test('Neovim: key, actions, an explanation, its hover and the status', {
  skip: hasNeovim
    ? false
    : 'LEFT OUT: no nvim on the PATH; install Neovim (Debian package neovim), or name it in NEOVIM',
  timeout: 250_000,
}, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'router-neovim-'));
  const provider = new LLMock({ port: 0 });
  try {
    await provider.start();
    provider.onMessage(/.*/s, { content: CLOUD_TEXT, usage: CLOUD_USAGE });
    const file = join(dir, 'add.py');
    writeFileSync(file, 'def add(a, b):\n    return a + b\n');
    const init = join(dir, 'init.vim');
    const config = {
      cmd: [process.execPath, join(repositoryRoot, 'server/src/lsp/main.ts'), '--stdio'],
      init_options: { dataDir: join(dir, 'data') },
      settings: { budget: { monthlyUsd: 5 }, openai: { baseUrl: `${provider.url}/v1` } },
    };
    writeFileSync(
      init,
      [
        `let g:cost_aware_router = json_decode('${JSON.stringify(config)}')`,
        `luafile ${join(repositoryRoot, 'docs/editors/neovim.lua')}`,
        'filetype on',
      ].join('\n'),
    );
    const steps = join(repositoryRoot, 'test/edges/neovimSteps.lua');
    const { stdout, stderr } = await run(
      neovim,
      ['--headless', '--clean', '-u', init, '-n', '-c', `luafile ${steps}`],
      {
        cwd: dir,
        timeout: 240_000,
        env: {
          ...process.env,
          HOME: dir,
          XDG_STATE_HOME: dir,
          ROUTER_TEST_FILE: file,
          ROUTER_TEST_KEY: TEST_KEY,
        },
      },
    );
    const line = `${stdout}\n${stderr}`.split('\n').find((one) => one.startsWith('{'));
    assert.ok(line, `expected a report, got ${stdout}${stderr}`);
    const report = JSON.parse(line);
    assert.equal(report.failed, undefined);
    assert.equal(report.key, 'The key is in use.');
    assert.deepEqual(report.actions, [
      'Explain (Cost-Aware Router)',
      'Find problems (Cost-Aware Router)',
      'Write a test (Cost-Aware Router)',
      'Document (Cost-Aware Router)',
    ]);
    assert.match(report.message, /^Explain add\nThe cloud says so, in several words\.\ncloud · /);
    assert.match(report.hover, /The cloud says so, in several words\..*cloud · .* · \$/s);
    assert.match(report.status, /^\$[\d.]+ \/ \$5 · /);
  } finally {
    await provider.stop();
    rmSync(dir, { recursive: true, force: true });
  }
});
