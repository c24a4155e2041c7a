/** A wire between a PostgreSQL client and its server that can be cut at the worst moments. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { TestContext } from 'node:test';

export interface CuttingProxy {
  /** The server's URL by way of this wire. */
  readonly url: string;
  /** The next COMMIT arrives, its answer does not: the connection ends instead. */
  loseNextCommitReply(): void;
  /** The connection ends in place of the next COMMIT. */
  dropNextCommit(): void;
  /** From now on nothing passes in either direction, and no connection ends by itself. */
  goSilent(): void;
  /** COMMITs that the wire was cut at. */
  cuts(): number;
}

export async function cuttingProxy(serverUrl: string, t: TestContext): Promise<CuttingProxy> {
  const target = new URL(serverUrl);
  const sockets = new Set<Socket>();
  let mode: 'pass' | 'lose reply' | 'drop' | 'silent' = 'pass';
  let cuts = 0;
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const upstream = connect(Number(target.port), target.hostname);
    let swallowing = false;
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => other.destroy());
      socket.on('close', () => other.destroy());
    }
    client.on('data', (chunk) => {
      if (mode === 'silent') return;
      if (chunk.includes('COMMIT\0') && (mode === 'drop' || mode === 'lose reply')) {
        cuts += 1;
        swallowing = mode === 'lose reply';
        if (mode === 'drop') client.destroy();
        mode = 'pass';
        if (!swallowing) return;
      }
      upstream.write(chunk);
    });
    // In silence a farewell is not answered either.
    client.on('end', () => mode !== 'silent' && upstream.end());
    let replies = '';
    upstream.on('data', (chunk) => {
      if (mode === 'silent') return;
      if (!swallowing) {
        client.write(chunk);
        return;
      }
      replies += chunk.toString('latin1');
      // The server has said that it committed; nobody will hear it.
      if (replies.includes('COMMIT\0')) client.destroy();
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const url = new URL(serverUrl);
  url.port = `${(server.address() as AddressInfo).port}`;
  return {
    url: url.href,
    loseNextCommitReply() {
      mode = 'lose reply';
    },
    dropNextCommit() {
      mode = 'drop';
    },
    goSilent() {
      mode = 'silent';
    },
    cuts: () => cuts,
  };
}
