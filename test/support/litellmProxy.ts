/** LiteLLM's proxy as a program of its own. */
import { join } from 'node:path';
import { freePort, type Program, startProgram, untilReady } from './programs.ts';

export interface LitellmProxy {
  readonly program: Program;
  /** Without `/v1`. */
  readonly url: string;
}

/**
 * One worker, its default; resolves when it answers.
 * @param bin the folder of its programs
 * @param folder where it may keep things
 * @param config path of its configuration
 */
export async function startLitellmProxy(
  bin: string,
  folder: string,
  config: string,
): Promise<LitellmProxy> {
  const port = await freePort();
  const program = startProgram(
    'litellm',
    join(bin, 'litellm'),
    ['--config', config, '--host', '127.0.0.1', '--port', String(port), '--num_workers', '1'],
    {
      // Its price list comes with the package, so none is fetched.
      env: { PATH: process.env['PATH'], HOME: folder, LITELLM_LOCAL_MODEL_COST_MAP: 'True' },
      cwd: folder,
    },
  );
  const url = `http://127.0.0.1:${port}`;
  await untilReady(program, `${url}/health/liveliness`);
  return { program, url };
}
