/** A `serve` that is watched, in front of a protocol server on loopback, for tests of what observers get to see. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { LLMock } from '@copilotkit/aimock';
import { repositoryRoot } from '../support/localModel.ts';
import { startProgram, temporaryFolder, untilSaid } from '../support/programs.ts';

/** Stands in prompts and must not be seen. */
export const SECRET = 'zanzibar-heliotrope';
/** Stands in answers and must not be seen. */
export const ANSWER = 'saffron-quixotic';

export async function serving(
  t: TestContext,
  flags: readonly string[],
  env: NodeJS.ProcessEnv = {},
) {
  const provider = new LLMock({ port: 0 });
  await provider.start();
  t.after(() => provider.stop());
  provider.onMessage(/fail/, { error: { message: 'no', type: 'server_error' }, status: 400 });
  provider.onMessage(/.*/s, {
    content: ANSWER,
    usage: { input_tokens: 200, output_tokens: 30, prompt_tokens: 200, completion_tokens: 30 },
  });
  const dataDir = temporaryFolder();
  const main = join(repositoryRoot, 'server', 'src', 'cli', 'main.ts');
  const program = startProgram(
    'serve',
    process.execPath,
    [main, 'serve', '--port', '0', '--data-dir', dataDir, '--monthly-budget-usd', '2', ...flags],
    {
      env: {
        PATH: process.env['PATH'],
        HOME: dataDir,
        OPENAI_API_KEY: 'sk-test',
        OPENAI_BASE_URL: `${provider.url}/v1`,
        ...env,
      },
    },
  );
  t.after(() => program.kill());
  const [, url = '', path] = await untilSaid(program, /Listening on (\S+).*\nToken in (.+)\n/);
  const headers = { authorization: `Bearer ${readFileSync(path ?? '', 'utf8').trim()}` };
  return {
    program,
    url,
    tokenPath: path ?? '',
    get: (call: string) => fetch(`${url}${call}`, { headers }),
    bare: (call: string) => fetch(`${url}${call}`),
    ask: (prompt: string) =>
      fetch(`${url}/generate`, {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/json' },
        body: JSON.stringify({ prompt, force_model: 'openai' }),
      }),
  };
}

export interface Answered {
  readonly cost_usd: number;
  readonly chosen_model: string;
}
