/** A file server on loopback for the real small model: with ranges, a hold that the test lifts, and a record of what was asked. */
import { once } from 'node:events';
import { createReadStream, statSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { basename } from 'node:path';
import { ensureSmolLm2, smolLm2 } from '../support/localModel.ts';

export interface ModelServer {
  /** An overlay of the registry with the small model under a name of its own, to be fetched here and nowhere else. */
  readonly registryYaml: string;
  /** The `Range` of each request, in order; `whole` for one without. */
  readonly ranges: readonly string[];
  /** From now on bodies are sent to their end. */
  liftHold(): void;
  stop(): Promise<void>;
}

export const SERVED_LABEL = 'Served Here';
export const SERVED_FILE = 'served-here.gguf';

const CHUNK_BYTES = 256 * 1024;

/** @param holdAfterBytes where every body stops until the hold is lifted, so that a person has time to cancel */
export async function startModelServer(holdAfterBytes: number): Promise<ModelServer> {
  const file = await ensureSmolLm2();
  const { size } = statSync(file);
  const ranges: string[] = [];
  const lifted = Promise.withResolvers<void>();

  async function send(response: ServerResponse, start: number): Promise<void> {
    const ignore = () => undefined;
    const closed = once(response, 'close').catch(ignore);
    let sentBytes = 0;
    for await (const chunk of createReadStream(file, { start, highWaterMark: CHUNK_BYTES })) {
      if (sentBytes >= holdAfterBytes) await Promise.race([lifted.promise, closed]);
      if (response.destroyed) return;
      const hasRoom = response.write(chunk);
      sentBytes += chunk.length;
      if (!hasRoom) await Promise.race([once(response, 'drain').catch(ignore), closed]);
    }
    response.end();
  }

  const server = createServer((request, response) => {
    const { range } = request.headers;
    ranges.push(range ?? 'whole');
    const start = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
    response.writeHead(start > 0 ? 206 : 200, {
      'content-length': size - start,
      'content-type': 'application/octet-stream',
      etag: '"small-model"',
      ...(start > 0 && { 'content-range': `bytes ${start}-${size - 1}/${size}` }),
    });
    void send(response, start);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('expected a port');
  return {
    registryYaml: overlay(`http://127.0.0.1:${address.port}/${basename(file)}`),
    ranges,
    liftHold: lifted.resolve,
    async stop() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

function overlay(uri: string): string {
  const { contextWindow, maxOutputTokens, file } = smolLm2;
  return `version: 1
models:
  - id: served-here
    label: ${SERVED_LABEL}
    tier: cheap
    provider: local
    context_window: ${contextWindow}
    max_output_tokens: ${maxOutputTokens}
    ability: { size_billions: 0.135 }
    file:
      file_name: ${SERVED_FILE}
      size_bytes: ${file.sizeBytes}
      sha256: ${file.sha256}
      sources:
        - uri: ${uri}
      system_prompt: ${file.systemPrompt}
`;
}
