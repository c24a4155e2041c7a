/**
 * One window on one server, with a provider on loopback that we did not write, for the tests of one file. Its steps run in
 * order and share the window; a step that fails leaves a picture of the screen.
 */
import { test } from 'node:test';
import { LLMock } from '@copilotkit/aimock';
import { type Launched, type LaunchOptions, launchVscode, openBrowser } from './launch.ts';
import { openWorkbench, type Workbench } from './workbench.ts';

export const KEY = 'sk-test-canary-0123456789';
export const CLOUD_TEXT =
  'The cloud says: **sort numbers by value**, since `sort()` compares texts.';
/** What the provider bills for every answer. */
export const CLOUD_USAGE = {
  input_tokens: 2000,
  output_tokens: 300,
  prompt_tokens: 2000,
  completion_tokens: 300,
};
/** A question with these words gets an answer with a block of code. */
export const AS_CODE = 'as code';
export const CLOUD_CODE = 'return [...values].sort((one, other) => one - other);';
/** A question with this word gets an answer that takes its time. */
export const SLOWLY = 'slowly';

export interface EditorSession {
  readonly server: Launched;
  readonly workbench: Workbench;
  readonly provider: LLMock;
  /** Another window of the same user, on the same folder where none is named. */
  secondWindow(folder?: string): Promise<Workbench>;
}

export type Step = (name: string, body: (session: EditorSession) => Promise<void>) => Promise<void>;

export async function startProvider(): Promise<LLMock> {
  const provider = new LLMock({ port: 0, chunkSize: 8 });
  await provider.start();
  const long = Array.from({ length: 80 }, (_, at) => `word${at}`).join(' ');
  provider.onMessage(
    new RegExp(SLOWLY),
    { content: long, usage: CLOUD_USAGE },
    // Long enough to be cancelled on a machine that takes seconds for a click.
    { chunkSize: 8, latency: 250 },
  );
  provider.onMessage(new RegExp(AS_CODE), {
    content: `Compare the numbers:\n\n\`\`\`ts\n${CLOUD_CODE}\n\`\`\`\n`,
    usage: CLOUD_USAGE,
  });
  provider.onMessage(/.*/s, { content: CLOUD_TEXT, usage: CLOUD_USAGE });
  return provider;
}

/** Registers one test with a subtest for each step that `steps` asks for. */
export function inEditor(
  title: string,
  options: LaunchOptions,
  steps: (step: Step) => Promise<void>,
): void {
  test(title, { timeout: 1_800_000 }, async (context) => {
    const provider = await startProvider();
    const server = await launchVscode({
      ...options,
      settings: { 'costAwareRouter.openai.baseUrl': `${provider.url}/v1`, ...options.settings },
    });
    const opened = await openBrowser(server.url);
    try {
      const workbench = await openWorkbench(server, opened);
      const session: EditorSession = {
        server,
        workbench,
        provider,
        secondWindow: (folder) => openWorkbench(server, opened, folder),
      };
      await steps(async (name, body) => {
        await context.test(name, async () => {
          try {
            await body(session);
          } catch (error) {
            await workbench.shot(`failed ${title} - ${name}`.replaceAll(/[^\w-]+/g, '-'));
            throw error;
          }
        });
      });
    } finally {
      await opened.browser.close();
      await server.stop();
      await provider.stop();
    }
  });
}
