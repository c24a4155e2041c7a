/** The composed program on real parts: the small local model, a SQLite ledger in a folder of its own, and a provider on loopback that we did not write. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LLMock } from '@copilotkit/aimock';
import { type App, type AppOptions, createApp } from '../../server/src/compose.ts';
import { ensureSmolLm2, testModelsDir } from './localModel.ts';

export const TEST_KEY = 'sk-test-canary-0123456789';

export interface RealApp {
  readonly app: App;
  readonly provider: LLMock;
  readonly dataDir: string;
  close(): Promise<void>;
}

/** The provider answers every prompt with this text and this usage unless a test says otherwise. */
export const CLOUD_TEXT = 'The cloud says so, in several words.';
export const CLOUD_USAGE = {
  input_tokens: 200,
  output_tokens: 30,
  prompt_tokens: 200,
  completion_tokens: 30,
};

export async function openRealApp(options: AppOptions = {}): Promise<RealApp> {
  await ensureSmolLm2();
  const dataDir = mkdtempSync(join(tmpdir(), 'router-app-'));
  const provider = new LLMock({ port: 0, chunkSize: 6 });
  await provider.start();
  provider.onMessage(/.*/s, { content: CLOUD_TEXT, usage: CLOUD_USAGE });
  const app = await createApp({
    dataDir,
    modelsDir: testModelsDir,
    threads: 1,
    apiKey: TEST_KEY,
    baseUrl: `${provider.url}/v1`,
    ...options,
  });
  return {
    app,
    provider,
    dataDir,
    async close() {
      await app.close();
      await provider.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
