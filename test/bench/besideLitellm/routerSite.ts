/** This project's `serve`, forced to the cloud; its processes share one data folder. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { z } from 'zod';
import { repositoryRoot } from '../../support/localModel.ts';
import { startProgram, temporaryFolder, untilSaid } from '../../support/programs.ts';
import { COMPARED_MODEL, comparedModelFiles } from '../comparedModel.ts';
import { CALL, promptText } from './billingProvider.ts';
import { getJson, type Instance, LIMIT_USD, type Product, post, unexpected } from './site.ts';

const spend = z.object({ spent_usd: z.number(), held_usd: z.number() });
const problem = z.object({ error: z.object({ code: z.string() }) });

export function costAwareRouter(version: string): Product {
  return {
    name: `Cost-Aware Router ${version}`,
    async open(providerUrl) {
      const dataDir = temporaryFolder();
      // Both lie over the shipped files, as a user's own do.
      const files = comparedModelFiles({
        baseUrl: providerUrl,
        maxOutputTokens: CALL.outputTokens,
        inputUsdPerMillion: CALL.inputNanoUsd / 1_000,
        outputUsdPerMillion: CALL.outputNanoUsd / 1_000,
      });
      writeFileSync(join(dataDir, 'registry.yaml'), stringify(files.registry));
      writeFileSync(join(dataDir, 'pricing.yaml'), stringify(files.pricing));
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
        force_model: COMPARED_MODEL,
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
