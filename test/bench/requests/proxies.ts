/** What stands between a client and the plain provider: nothing, this project's `serve`, and LiteLLM's proxy. */
import { readFileSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { stringify } from 'yaml';
import { startLitellmProxy } from '../../support/litellmProxy.ts';
import { repositoryRoot } from '../../support/localModel.ts';
import { type Program, startProgram, temporaryFolder, untilSaid } from '../../support/programs.ts';
import { installPythonPackage } from '../../support/pythonPackage.ts';
import { COMPARED_MODEL, comparedModelFiles } from '../comparedModel.ts';
import { LITELLM_VERSION, litellmPackage, PYTHON_3 } from '../peer.ts';

const MASTER_KEY = 'sk-compared';

export interface Endpoint {
  readonly name: string;
  readonly url: string;
  readonly key: string;
  readonly model: string;
  readonly program: Program;
}

export async function startProvider(): Promise<Endpoint> {
  const script = join(import.meta.dirname, 'plainProvider.ts');
  const program = startProgram('the provider', process.execPath, [script]);
  const [, url = ''] = await untilSaid(program, /Listening on (\S+)/);
  return {
    name: 'direct',
    url: `${url}/v1/chat/completions`,
    key: 'none',
    model: COMPARED_MODEL,
    program,
  };
}

export interface ProxyOptions {
  /** What all calls together may cost. */
  readonly budgetUsd?: number;
}

type Behind = Pick<Endpoint, 'url'>;

/** The built command line, with a ledger that is durable on the disk and a budget that holds. */
export async function startOurs(
  provider: Behind,
  { budgetUsd = 1000 }: ProxyOptions = {},
): Promise<Endpoint> {
  const dataDir = temporaryFolder();
  const baseUrl = provider.url.replace('/chat/completions', '');
  const files = comparedModelFiles({
    baseUrl,
    maxOutputTokens: 1_000,
    inputUsdPerMillion: 1,
    outputUsdPerMillion: 10,
  });
  writeFileSync(join(dataDir, 'registry.yaml'), stringify(files.registry));
  writeFileSync(join(dataDir, 'pricing.yaml'), stringify(files.pricing));
  const args = ['--port', '0', '--data-dir', dataDir, '--monthly-budget-usd', String(budgetUsd)];
  // By its own first line, as a person starts it, on the Node that runs this.
  const cli = join(repositoryRoot, 'dist', 'cli.js');
  const path = [dirname(process.execPath), process.env['PATH']].join(delimiter);
  const program = startProgram('cost-aware-router serve', cli, ['serve', ...args], {
    env: { PATH: path, HOME: dataDir },
    cwd: dataDir,
  });
  const [, url = '', tokenPath = ''] = await untilSaid(
    program,
    /Listening on (\S+).*\nToken in (.+)\n/,
  );
  const key = readFileSync(tokenPath, 'utf8').trim();
  return { name: 'ours', url: `${url}/v1/chat/completions`, key, model: COMPARED_MODEL, program };
}

/** One worker, its default, without callbacks, a database and, unless asked for, budgets: the least that it can do for a request. */
export async function startLitellm(
  provider: Behind,
  { budgetUsd }: ProxyOptions = {},
): Promise<Endpoint> {
  const bin = await installPythonPackage(litellmPackage, PYTHON_3);
  const folder = temporaryFolder();
  const config = join(folder, 'config.yaml');
  const model = {
    model_name: COMPARED_MODEL,
    litellm_params: {
      model: `openai/${COMPARED_MODEL}`,
      api_base: provider.url.replace('/chat/completions', ''),
      api_key: 'sk-none',
      input_cost_per_token: 1e-6,
      output_cost_per_token: 1e-5,
    },
  };
  const budget = { budget_limit: budgetUsd, time_period: '30d' };
  const settings = {
    model_list: [model],
    general_settings: { master_key: MASTER_KEY },
    ...(budgetUsd !== undefined && {
      // One failure would otherwise keep the only model from every client for some seconds.
      router_settings: {
        num_retries: 0,
        disable_cooldowns: true,
        provider_budget_config: { openai: budget },
      },
    }),
  };
  writeFileSync(config, stringify(settings));
  const { program, url } = await startLitellmProxy(bin, folder, config);
  return {
    name: `LiteLLM ${LITELLM_VERSION}`,
    url: `${url}/v1/chat/completions`,
    key: MASTER_KEY,
    model: COMPARED_MODEL,
    program,
  };
}
