/** LiteLLM's proxy with a provider budget, from PyPI, set up as its documentation says; with Redis its processes share the count. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { z } from 'zod';
import { startLitellmProxy } from '../../support/litellmProxy.ts';
import { freePort, startProgram, temporaryFolder, untilSaid } from '../../support/programs.ts';
import { installPythonPackage } from '../../support/pythonPackage.ts';
import { CALL, promptText } from './billingProvider.ts';
import { getJson, type Instance, LIMIT_USD, type Product, post, unexpected } from './site.ts';

/** Newer ones could not be installed on the day of the run in docs/MONEY.md: they asked for a certifi that the index lacked. */
const VERSION = '1.103.6';
const PYTHON_3 = { oldest: 10, newest: 14 };

const MODEL = 'compared-model';
const MASTER_KEY = 'sk-compared';

const budgets = z.object({ providers: z.object({ openai: z.object({ spend: z.number() }) }) });

export function installLitellm(): Promise<string> {
  return installPythonPackage(
    { name: 'LiteLLM', package: 'litellm', extras: '[proxy]', version: VERSION },
    PYTHON_3,
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
  const { program, url } = await startLitellmProxy(bin, folder, config);
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
