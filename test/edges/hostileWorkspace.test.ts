/**
 * The folder of a stranger: whatever it holds, the command line and the language server spend no more, send nowhere else,
 * run nothing of it and load no model of it. A port of the attacker's counts what reaches it.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { LLMock } from '@copilotkit/aimock';
import {
  createMessageConnection,
  StreamMessageReader,
  StreamMessageWriter,
} from 'vscode-languageserver/node';
import type { AnswerResultWire, ModelWire, StatusWire } from '../../server/src/protocol.ts';
import { writeHostileFolder } from '../support/hostileFolder.ts';
import { ensureSmolLm2, repositoryRoot, testModelsDir } from '../support/localModel.ts';
import { CLOUD_TEXT, CLOUD_USAGE, TEST_KEY } from '../support/realApp.ts';
import { askOf } from './lspHarness.ts';

const folder = mkdtempSync(join(tmpdir(), 'router-hostile-'));
const workspace = join(folder, 'workspace');
const provider = new LLMock({ port: 0, chunkSize: 6 });
const reached: string[] = [];
const attacker = createServer((request, response) => {
  reached.push(`${request.method} ${request.url}`);
  response.end('{}');
});
const HARD = 'Design a lock-free queue and prove it correct, step by step.';

before(async () => {
  await ensureSmolLm2();
  await provider.start();
  provider.onMessage(/.*/s, { content: CLOUD_TEXT, usage: CLOUD_USAGE });
  await new Promise<void>((resolve) => attacker.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(attacker.address() as AddressInfo).port}`;
  writeHostileFolder(workspace, { url, ran: join(folder, 'ran') });
});

after(async () => {
  attacker.closeAllConnections();
  attacker.close();
  await provider.stop();
  rmSync(folder, { recursive: true, force: true });
});

function assertUntouched(): void {
  assert.deepEqual(reached, [], 'nothing reached the port of the attacker');
  assert.ok(!existsSync(join(folder, 'ran')), 'nothing of the folder was run');
  assert.ok(!existsSync(join(workspace, 'loot')), 'nothing was written where the folder said');
}

async function cli(
  args: readonly string[],
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const env = {
    ...process.env,
    OPENAI_API_KEY: TEST_KEY,
    OPENAI_BASE_URL: `${provider.url}/v1`,
    COST_AWARE_ROUTER_THREADS: '1',
  };
  const program = join(repositoryRoot, 'server/src/cli/main.ts');
  const child = spawn(
    process.execPath,
    [program, '--data-dir', join(folder, 'cli'), '--models-dir', testModelsDir, ...args],
    {
      cwd: workspace,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (text) => {
    stdout += String(text);
  });
  child.stderr.on('data', (text) => {
    stderr += String(text);
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}

test('the command line, started inside it, knows nothing of it', async () => {
  const answered = await cli(['ask', HARD, '--force', 'openai', '--file', 'src/a.ts', '--json']);
  assert.equal(answered.code, 0, answered.stderr);
  assert.equal(JSON.parse(answered.stdout).text, CLOUD_TEXT, 'answered by the address of the user');
  const spend = JSON.parse((await cli(['spend', '--json'])).stdout);
  assert.equal(spend.budget_usd, 20);
  assert.doesNotMatch(JSON.stringify(spend), /evil/);
  const secret = await cli(['ask', HARD, '--force', 'openai', '--file', '.env', '--json']);
  assert.match(
    secret.stdout,
    /privacy_floor/,
    'and its .env does not leave, whatever its .gitignore says',
  );
  assertUntouched();
});

for (const trusted of [false, true]) {
  test(`an editor that opens it ${trusted ? 'trusted' : 'without trust'}: its sections can only tighten`, async () => {
    const child = spawn(
      process.execPath,
      [join(repositoryRoot, 'server/src/lsp/main.ts'), '--stdio'],
      {
        cwd: workspace,
        stdio: ['pipe', 'pipe', 'ignore'],
      },
    );
    const connection = createMessageConnection(
      new StreamMessageReader(child.stdout),
      new StreamMessageWriter(child.stdin),
    );
    // VS Code merges only what the manifest lets a workspace set; the folder's own sections come as they stand.
    connection.onRequest(
      'workspace/configuration',
      ({ items }: { items: { section: string; scopeUri?: string }[] }) =>
        items.map(({ section, scopeUri }) => {
          if (scopeUri === undefined)
            return { threads: 1, openai: { baseUrl: `${provider.url}/v1` } };
          return section.endsWith('Budget')
            ? { monthlyUsd: 100_000, openai: { baseUrl: 'http://127.0.0.1:1' } }
            : { exclude: ['*.mine'], remove: ['.env'] };
        }),
    );
    connection.listen();
    try {
      await connection.sendRequest('initialize', {
        processId: process.pid,
        rootUri: pathToFileURL(workspace).href,
        workspaceFolders: [{ uri: pathToFileURL(workspace).href, name: 'workspace' }],
        capabilities: { workspace: { configuration: true } },
        initializationOptions: {
          dataDir: join(folder, `lsp-${trusted}`),
          modelsDir: testModelsDir,
        },
      });
      await connection.sendNotification('initialized', {});
      await connection.sendRequest('costAwareRouter/setKey', {
        key: TEST_KEY,
        baseUrl: `${provider.url}/v1`,
      });
      const before = provider.getRequests().length;
      const ask = askOf(HARD, { destination: 'cloud', trusted });
      const result = await connection.sendRequest<AnswerResultWire>('costAwareRouter/answer', ask);
      assert.equal(result.kind === 'answered', trusted, JSON.stringify(result));
      assert.equal(provider.getRequests().length - before, trusted ? 1 : 0);
      for (const name of ['.env', 'notes.mine']) {
        const uri = pathToFileURL(join(workspace, name)).href;
        const context = [{ kind: 'file', text: 'x', path: name, uri } as const];
        const kept = await connection.sendRequest<AnswerResultWire>(
          'costAwareRouter/answer',
          askOf(HARD, { destination: 'cloud', trusted, context }),
        );
        assert.equal(kept.kind === 'failed' && kept.code, 'privacy_floor', name);
      }
      const status = await connection.sendRequest<StatusWire>('costAwareRouter/status', null);
      assert.match(status.budgets.join(), /of \$20 /);
      const models = await connection.sendRequest<readonly ModelWire[]>(
        'costAwareRouter/models',
        null,
      );
      assert.doesNotMatch(JSON.stringify(models), /evil/);
      assertUntouched();
    } finally {
      connection.dispose();
      child.kill('SIGKILL');
      await once(child, 'close');
    }
  });
}
