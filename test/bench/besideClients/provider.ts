/** What stands behind both proxies: a protocol server of others' making that does as it is asked, and keeps what came. */
import { LLMock } from '@copilotkit/aimock';

export interface ScriptedProvider {
  /** With `/v1`. */
  readonly baseUrl: string;
  /** The body of the last request that holds this text; none when none came. */
  got(mark: string): Readonly<Record<string, unknown>> | undefined;
  close(): Promise<void>;
}

const USAGE = {
  prompt_tokens: 20,
  completion_tokens: 10,
  input_tokens: 20,
  output_tokens: 10,
} as const;

export async function openScriptedProvider(): Promise<ScriptedProvider> {
  const provider = new LLMock({ port: 0, chunkSize: 8 });
  provider.onEmbedding(/.*/s, { embedding: [0.1, 0.2] });
  provider.onMessage(/\/limited\]/, {
    error: { message: 'Slow down.', type: 'rate_limit_error', code: 'rate_limit_exceeded' },
    status: 429,
    retryAfter: 7,
  });
  provider.onMessage(/\/broken\]/, {
    error: { message: 'It broke.', type: 'server_error' },
    status: 500,
  });
  provider.onMessage(/.*/s, (request) => {
    const returned = request.messages.some(({ role }) => role === 'tool');
    if (request.tools !== undefined && !returned) {
      // Codex's own way to run a command.
      const isAgent = request.tools.some((tool) => tool.function?.name === 'exec_command');
      const call = isAgent
        ? { name: 'exec_command', arguments: '{"cmd":"echo routed > made.txt"}' }
        : { name: 'weather', arguments: '{"city":"Paris"}' };
      return { toolCalls: [{ id: 'call_1', ...call }], usage: USAGE };
    }
    if (request.response_format !== undefined) return { content: '{"city":"Paris"}', usage: USAGE };
    const content = returned ? 'It rains in Paris.' : 'Hello. END of it.';
    const [stop] = [request['stop'] ?? []].flat();
    // As a real provider does.
    return {
      content: typeof stop === 'string' ? (content.split(stop)[0] ?? '') : content,
      usage: USAGE,
    };
  });
  await provider.start();
  return {
    baseUrl: `${provider.url}/v1`,
    got(mark) {
      const found = provider
        .getRequests()
        .findLast(({ body }) => JSON.stringify(body).includes(mark));
      return found?.body as Readonly<Record<string, unknown>> | undefined;
    },
    close: () => provider.stop(),
  };
}
