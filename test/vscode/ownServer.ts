/** A model on a server of one's own, which we did not write: it answers, calls a tool, and takes its time where asked to. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LLMock } from '@copilotkit/aimock';

const CALL = { name: 'read_file', arguments: '{"path":"retry.ts"}' };

export async function startOwnServer(): Promise<LLMock> {
  const provider = new LLMock({ port: 0, chunkSize: 8 });
  await provider.start();
  provider.on({ hasToolResult: true }, { content: 'It has 24 lines.' });
  provider.onMessage(/how long is/i, { toolCalls: [CALL] });
  const long = Array.from({ length: 400 }, (_, at) => `word${at}`).join(' ');
  provider.onMessage(/slowly/, { content: long }, { chunkSize: 8, latency: 250 });
  provider.onMessage(/.*/s, { content: 'The server of one’s own says so.' });
  return provider;
}

/** Lays the model over the shipped registry, with its price, before or while the router runs. */
export function placeOwnServer(dataDir: string, url: string): void {
  mkdirSync(dataDir, { recursive: true });
  writeFileSync(
    join(dataDir, 'pricing.yaml'),
    `version: 1
prices:
  - model: scripted
    effective_from: 2020-01-01
    source: a test
    checked_at: 2026-11-01
    input: 1
    output: 4
`,
  );
  writeFileSync(
    join(dataDir, 'registry.yaml'),
    `version: 1
models:
  - id: scripted
    label: Scripted
    tier: escalation
    provider: openai-compatible
    base_url: ${url}/v1
    key: none
    api_model: scripted
    tools: true
    context_window: 32768
    max_output_tokens: 1000
    ability: { size_billions: 400 }
`,
  );
}
