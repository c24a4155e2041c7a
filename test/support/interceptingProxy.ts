/**
 * What stands at the door of many company networks: a proxy that opens every TLS connection with certificates of its own
 * authority, looks inside, and answers. Made with the openssl command; listens on loopback only.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface InterceptingProxy {
  readonly url: string;
  /** The authority's certificate, as a file. */
  readonly caPath: string;
  /** What was asked inside of the tunnels: `GET host/path`. */
  readonly inside: readonly string[];
  /** Hosts that tunnels were asked for. */
  readonly tunnels: readonly string[];
  close(): Promise<void>;
}

export async function startInterceptingProxy(
  names: readonly string[],
  answer: (request: IncomingMessage, reply: ServerResponse) => void,
): Promise<InterceptingProxy> {
  const folder = mkdtempSync(join(tmpdir(), 'router-proxy-'));
  makeCertificates(folder, names);
  const inside: string[] = [];
  const tunnels: string[] = [];
  const sockets = new Set<Socket>();
  const tlsServer = createTlsServer(
    { key: readFileSync(join(folder, 'leaf.key')), cert: readFileSync(join(folder, 'leaf.pem')) },
    (request, reply) => {
      inside.push(`${request.method} ${request.headers.host}${request.url}`);
      answer(request, reply);
    },
  );
  const tlsPort = await listen(tlsServer);
  const proxy = createServer((_, reply) => reply.writeHead(405).end());
  proxy.on('connect', (request: IncomingMessage, client: Socket, head: Buffer) => {
    tunnels.push(request.url ?? '');
    const upstream = connect(tlsPort, '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      upstream.write(head);
      upstream.pipe(client).pipe(upstream);
    });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
    }
  });
  const port = await listen(proxy);
  return {
    url: `http://127.0.0.1:${port}`,
    caPath: join(folder, 'ca.pem'),
    inside,
    tunnels,
    async close() {
      for (const socket of sockets) socket.destroy();
      for (const server of [proxy, tlsServer]) {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      }
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function makeCertificates(folder: string, names: readonly string[]): void {
  const openssl = (...args: readonly string[]) =>
    execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
  const newKey = ['-newkey', 'rsa:2048', '-nodes'];
  openssl(
    'req',
    '-x509',
    ...newKey,
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
    '-days',
    '2',
    '-subj',
    '/CN=Company Network Test Authority',
  );
  openssl('req', ...newKey, '-keyout', 'leaf.key', '-out', 'leaf.csr', '-subj', `/CN=${names[0]}`);
  writeFileSync(
    join(folder, 'leaf.ext'),
    `subjectAltName=${names.map((name) => `DNS:${name}`).join(',')}\n`,
  );
  openssl(
    'x509',
    '-req',
    '-in',
    'leaf.csr',
    '-CA',
    'ca.pem',
    '-CAkey',
    'ca.key',
    '-CAcreateserial',
    '-days',
    '2',
    '-extfile',
    'leaf.ext',
    '-out',
    'leaf.pem',
  );
}

function listen(
  server: ReturnType<typeof createServer> | ReturnType<typeof createTlsServer>,
): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}
