/** This project's `serve`, forced to the cloud; its processes share one data folder. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { z } from 'zod';
import { repositoryRoot } from '../../support/localModel.ts';
import { startProgram, temporaryFolder, untilSaid } from '../../support/programs.ts';
import { CALL, promptText } from './billingProvider.ts';
import { getJson, type Instance, LIMIT_USD, type Product, post, unexpected } from './site.ts';

const MODEL = 'compared-model';

const spend = z.object({ spent_usd: z.number(), held_usd: z.number() });
const problem = z.object({ error: z.object({ code: z.string() }) });

export function costAwareRouter(version: string): Product {
  return {
    name: `Cost-Aware Router ${version}`,
    async open(providerUrl) {
      const dataDir = temporaryFolder();
      // Both lie over the shipped files, as a user's own do.
      writeFileSync(join(dataDir, 'registry.yaml'), stringify(registryOf(providerUrl)));
      writeFileSync(join(dataDir, 'pricing.yaml'), stringify(pricingFile));
      const args = [
        join(repositoryRoot, 'dist', 'cli.js'),
        ...['serve', '--port', '0', '--data-dir', dataDir],
        ...['--monthly-budget-usd', String(LIMIT_USD)],
      ];
      return {
        start: () => start(args, dataDir),
      };
    },
  };
}

async function start(args: readonly string[], dataDir: string): Promise<Instance> {
  const program = startProgram('cost-aware-router serve', process.execPath, args, {
    env: { PATH: process.env['PATH'], HOME: dataDir },
    cwd: dataDir,
  });
  const [, url, tokenPath] = await untilSaid(program, /Listening on (\S+).*\nToken in (.+)\n/);
  const token = readFileSync(tokenPath ?? '', 'utf8').trim();
  return {
    async send(nth) {
      const reply = await post(program, `${url}/generate`, token, {
        prompt: promptText(nth),
        force_model: MODEL,
        max_output_tokens: CALL.outputTokens,
      });
      if (reply === 'lost') return 'lost';
      if (reply.status === 200) return 'answered';
      const { code } = problem.parse(JSON.parse(reply.text)).error;
      if (code === 'budget_exhausted') return 'refused';
      if (code === 'too_busy' || code === 'too_many_requests') return 'busy';
      throw unexpected(program, reply.status, reply.text);
    },
    async spentUsd() {
      const { spent_usd, held_usd } = spend.parse(await getJson(`${url}/spend`, token));
      return spent_usd + held_usd;
    },
    kill: () => program.kill(),
  };
}

function registryOf(baseUrl: string) {
  return {
    version: 1,
    models: [
      {
        id: MODEL,
        tier: 'escalation',
        provider: 'openai-compatible',
        base_url: baseUrl,
        key: 'none',
        context_window: 128_000,
        max_output_tokens: CALL.outputTokens,
        ability: { size_billions: 400 },
      },
    ],
  };
}

const pricingFile = {
  version: 1,
  prices: [
    {
      model: MODEL,
      effective_from: '2020-01-01',
      source: 'the compared provider',
      checked_at: '2020-01-01',
      input: CALL.inputNanoUsd / 1_000,
      output: CALL.outputNanoUsd / 1_000,
    },
  ],
};
