/** Lends the API a socket. Limits that only a socket knows are kept here: time for headers and bodies, connections at once. */
import { createServer, type Server, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import {
  getRequestListener,
  type Http2Bindings,
  type HttpBindings,
  RequestError,
} from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import type { Api } from './api.ts';
import { internalProblem, problemResponse } from './problems.ts';
import { writeWhole } from './wholeReply.ts';

export interface ServeOptions {
  readonly api: Api;
  /** @default '127.0.0.1' */
  readonly host?: string;
  /** 0 takes any free port. @default 5000 */
  readonly port?: number;
  readonly limits?: Partial<SocketLimits>;
}

export interface SocketLimits {
  /** Time in which the headers of a request must have come. @default 10 s */
  readonly headersMs: number;
  /** Time in which a whole request must have come, however slowly it is sent. @default 30 s */
  readonly requestMs: number;
  /** Time between looks at the two limits above. @default 1 s */
  readonly checkMs: number;
  /** @default 128 */
  readonly connections: number;
  /** Time in which a reader must have taken one of the pieces that wait for it. @default 60 s */
  readonly unreadMs: number;
  /** Time that running answers get when the server closes, before their connections are cut. @default 5 s */
  readonly closeMs: number;
}

export interface Serving {
  readonly url: string;
  readonly port: number;
  /** Takes no more requests, lets running ones end for a while, then cuts them, which cancels their work. */
  close(): Promise<void>;
}

const DEFAULT_LIMITS: SocketLimits = {
  headersMs: 10_000,
  requestMs: 30_000,
  checkMs: 1000,
  connections: 128,
  unreadMs: 60_000,
  closeMs: 5000,
};

/** Throws, with a sentence for a person, when the address can't be had or would be open to everybody. */
export async function serveHttp(options: ServeOptions): Promise<Serving> {
  const { api, host = '127.0.0.1', port = 5000 } = options;
  if (!api.secured && !isLoopback(host)) {
    throw new Error(
      `expected a loopback address for a server without a token, got ${host}; use 127.0.0.1, or let it ask for the token`,
    );
  }
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const answered = async (request: Request, { outgoing }: HttpBindings | Http2Bindings) => {
    const response = await api.fetch(request);
    const isWritten = outgoing instanceof ServerResponse && writeWhole(response, outgoing);
    return isWritten ? RESPONSE_ALREADY_SENT : response;
  };
  const listener = getRequestListener(answered, {
    overrideGlobalObjects: false,
    errorHandler: (error) =>
      problemResponse(error instanceof RequestError ? badTarget : internalProblem),
  });
  const server = createServer(
    {
      headersTimeout: limits.headersMs,
      requestTimeout: limits.requestMs,
      connectionsCheckingInterval: limits.checkMs,
      keepAliveTimeout: 5000,
      maxHeaderSize: 16_384,
      // A missing Host is answered by the API, in its own words.
      requireHostHeader: false,
    },
    (incoming, outgoing) => void listener(incoming, outgoing),
  );
  server.maxConnections = limits.connections;
  server.on('connection', (socket) => dropUnread(socket, limits));
  const taken = await listen(server, host, port);
  return {
    port: taken,
    url: `http://${host.includes(':') ? `[${host}]` : host}:${taken}`,
    close: () => close(server, limits.closeMs),
  };
}

const badTarget = {
  code: 'forbidden_host',
  message: 'expected a Host and a path that make one address, got others; check the URL',
} as const;

/**
 * Whoever asks and never reads the reply would hold a connection for ever: Node's own limits end with the request, and its
 * timeout of a socket starts anew with every byte that such a client sends.
 */
function dropUnread(socket: Socket, { unreadMs, checkMs }: SocketLimits): void {
  let taken = 0;
  let sinceMs = performance.now();
  const look = setInterval(() => {
    const nowTaken = socket.bytesWritten - socket.writableLength;
    if (socket.writableLength === 0 || nowTaken !== taken) sinceMs = performance.now();
    else if (performance.now() - sinceMs >= unreadMs) socket.destroy();
    taken = nowTaken;
  }, checkMs).unref();
  socket.once('close', () => clearInterval(look));
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const message = `expected to listen on ${host} port ${port}, got ${error.code ?? error.message}; choose another port or stop the program that has it`;
      reject(new Error(message, { cause: error }));
    });
    server.listen(port, host, () => resolve((server.address() as AddressInfo).port));
  });
}

function close(server: Server, closeMs: number): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => server.closeAllConnections(), closeMs);
    // A connection that is kept alive after its last answer would hold the server open until it is tired of waiting.
    const sweep = setInterval(() => server.closeIdleConnections(), 50);
    server.close(() => {
      clearTimeout(cut);
      clearInterval(sweep);
      resolve();
    });
  });
}
