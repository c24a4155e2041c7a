/** LiteLLM's proxy with a provider budget, from PyPI, set up as its documentation says; with Redis its processes share the count. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { z } from 'zod';
import { repositoryRoot } from '../../support/localModel.ts';
import { CALL, promptText } from './billingProvider.ts';
import {
  freePort,
  type Program,
  startProgram,
  temporaryFolder,
  untilReady,
  untilSaid,
} from './programs.ts';
import { getJson, type Instance, LIMIT_USD, type Product, post, unexpected } from './site.ts';

/** Newer ones could not be installed on the day of the run in docs/MONEY.md: they asked for a certifi that the index lacked. */
const VERSION = '1.103.6';
const PYTHON_3 = { oldest: 10, newest: 14 };

const MODEL = 'compared-model';
const MASTER_KEY = 'sk-compared';

const budgets = z.object({ providers: z.object({ openai: z.object({ spend: z.number() }) }) });

/** Makes the virtual environment under `.cache` once. */
export async function installLitellm(): Promise<string> {
  const folder = join(repositoryRoot, '.cache', `litellm-${VERSION}`);
  const bin = join(folder, process.platform === 'win32' ? 'Scripts' : 'bin');
  const done = join(folder, 'installed');
  if (existsSync(done)) return bin;
  const python = await findPython();
  console.error(`· installing LiteLLM ${VERSION} (once; about a minute, 700 MB in .cache)`);
  mkdirSync(folder, { recursive: true });
  const made = startProgram('python -m venv', python, ['-m', 'venv', folder]);
  if ((await made.ended()) !== 0) {
    throw new Error(
      `expected ${python} to make a virtual environment, got: ${lastLine(made)}; install its venv module (Debian: python3-venv) and run this again`,
    );
  }
  const pip = startProgram('pip', join(bin, 'python'), [
    ...['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check'],
    ...['--retries', '1', `litellm[proxy]==${VERSION}`],
  ]);
  if ((await pip.ended()) !== 0) {
    throw new Error(
      `expected pip to install litellm[proxy]==${VERSION} from PyPI, got: ${lastLine(pip)}; check the network and run this again`,
    );
  }
  writeFileSync(done, '');
  return bin;
}

async function findPython(): Promise<string> {
  const wanted = `Python 3.${PYTHON_3.oldest} to 3.${PYTHON_3.newest}`;
  let got = 'none';
  for (const command of ['python3', 'python']) {
    const asked = startProgram(command, command, ['--version']);
    if ((await asked.ended()) !== 0) continue;
    const [, version, minor] = /Python (3\.(\d+)\S*)/.exec(asked.said()) ?? [];
    if (Number(minor) >= PYTHON_3.oldest && Number(minor) <= PYTHON_3.newest) return command;
    got = version ?? asked.said().trim();
  }
  throw new Error(
    `expected ${wanted} on the PATH as python3 or python, got ${got}; LiteLLM needs it: install it and run this again`,
  );
}

/** The version of the `redis-server` on the PATH, if there is one. */
export async function redisVersion(): Promise<string | undefined> {
  const asked = startProgram('redis-server', 'redis-server', ['--version']);
  if ((await asked.ended()) !== 0) return undefined;
  return /v=(\S+)/.exec(asked.said())?.[1];
}

export function litellm(bin: string, redis: string | undefined): Product {
  return {
    name: `LiteLLM ${VERSION}, ${redis === undefined ? 'no Redis' : `Redis ${redis}`}`,
    async open(providerUrl) {
      const folder = temporaryFolder();
      const redisPort = redis === undefined ? undefined : await startRedis(folder);
      const config = join(folder, 'config.yaml');
      writeFileSync(config, stringify(configOf(providerUrl, redisPort)));
      return { start: () => start(bin, folder, config) };
    },
  };
}

async function startRedis(folder: string): Promise<number> {
  const port = await freePort();
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', ''];
  const program = startProgram('redis-server', 'redis-server', args);
  await untilSaid(program, /Ready to accept connections/);
  return port;
}

function configOf(providerUrl: string, redisPort: number | undefined) {
  return {
    model_list: [
      {
        model_name: MODEL,
        litellm_params: {
          model: `openai/${MODEL}`,
          api_base: providerUrl,
          api_key: 'sk-none',
          input_cost_per_token: CALL.inputNanoUsd / 1e9,
          output_cost_per_token: CALL.outputNanoUsd / 1e9,
        },
      },
    ],
    router_settings: {
      // A refused request would be tried again for five seconds; nothing that it accepts changes by that.
      num_retries: 0,
      provider_budget_config: { openai: { budget_limit: LIMIT_USD, time_period: '30d' } },
      ...(redisPort !== undefined && { redis_host: '127.0.0.1', redis_port: redisPort }),
    },
    general_settings: { master_key: MASTER_KEY },
  };
}

async function start(bin: string, folder: string, config: string): Promise<Instance> {
  const port = await freePort();
  const program = startProgram(
    'litellm',
    join(bin, 'litellm'),
    ['--config', config, '--host', '127.0.0.1', '--port', String(port), '--num_workers', '1'],
    {
      // Its price list comes with the package; the compared model's prices are in the configuration.
      env: { PATH: process.env['PATH'], HOME: folder, LITELLM_LOCAL_MODEL_COST_MAP: 'True' },
      cwd: folder,
    },
  );
  const url = `http://127.0.0.1:${port}`;
  await untilReady(program, `${url}/health/liveliness`);
  return {
    async send(nth) {
      const reply = await post(program, `${url}/v1/chat/completions`, MASTER_KEY, {
        model: MODEL,
        max_tokens: CALL.outputTokens,
        messages: [{ role: 'user', content: promptText(nth) }],
      });
      if (reply === 'lost') return 'lost';
      if (reply.status === 200) return 'answered';
      if (reply.status === 429 && reply.text.includes('crossed budget')) return 'refused';
      throw unexpected(program, reply.status, reply.text);
    },
    async spentUsd() {
      const told = await getJson(`${url}/provider/budgets`, MASTER_KEY);
      return budgets.parse(told).providers.openai.spend;
    },
    kill: () => program.kill(),
  };
}

function lastLine(program: Program): string {
  const lines = program.said().trim().split('\n');
  return lines.findLast((line) => line.startsWith('ERROR')) ?? lines.at(-1) ?? 'nothing';
}
