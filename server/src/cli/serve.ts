/** `serve`: the REST edge in this process until a signal ends it. The token is made here and never printed. */
import { once } from 'node:events';
import type { App } from '../compose.ts';
import { createApi } from '../http/api.ts';
import { ensureToken } from '../http/apiToken.ts';
import { serveHttp } from '../http/serveHttp.ts';
import { openWatch, type Watch } from '../observe/watching.ts';
import { exitCodes } from './exitCodes.ts';
import { type CliIo, writeLine } from './io.ts';
import { badInput, type Session, withApp } from './session.ts';

export interface ServeFlags {
  readonly port: number;
  readonly host: string;
  readonly auth: boolean;
  readonly allowRemote?: boolean;
  readonly allowHost: readonly string[];
  readonly metrics?: boolean;
  readonly traces?: boolean;
}

export async function serve(session: Session, flags: ServeFlags): Promise<number> {
  const { io } = session;
  const refused = refusal(flags);
  if (refused !== undefined) return await badInput(io, refused);
  let app: App | undefined;
  const watch = await openWatch(
    {
      metrics: flags.metrics === true,
      traces: flags.traces === true,
      version: io.version,
      onProblem: (message) => void io.stderr.write(`warning: ${message}\n`),
    },
    () => ({
      budget: async () => await opened(app).budget(),
      models: () => opened(app).catalogue.registry().models,
    }),
  );
  try {
    return await withApp(
      session,
      async (it) => {
        app = it;
        return await listen(io, it, flags, watch);
      },
      { observer: watch.observer },
    );
  } finally {
    await watch.close();
  }
}

function opened(app: App | undefined): App {
  if (app === undefined) throw new Error('expected the program to be open before it is watched');
  return app;
}

async function listen(io: CliIo, app: App, flags: ServeFlags, watch: Watch): Promise<number> {
  const started = await open(io, app, flags, watch);
  if (started.kind === 'failed') return await badInput(io, started.message);
  const { serving, tokenPath } = started;
  try {
    await writeLine(io.stdout, `Listening on ${serving.url} (reference at ${serving.url}/docs)`);
    await writeLine(io.stdout, tokenPath === undefined ? noToken : `Token in ${tokenPath}`);
    if (!io.signal.aborted) await once(io.signal, 'abort');
  } finally {
    await serving.close();
  }
  return exitCodes.ok;
}

type Opened =
  | {
      readonly kind: 'open';
      readonly serving: Awaited<ReturnType<typeof serveHttp>>;
      readonly tokenPath: string | undefined;
    }
  | { readonly kind: 'failed'; readonly message: string };

async function open(io: CliIo, app: App, flags: ServeFlags, { metrics }: Watch): Promise<Opened> {
  try {
    const token = flags.auth ? await ensureToken(app.dataDir) : undefined;
    const api = createApi({
      router: app.router,
      ports: app.ports,
      settings: () => app.settings(),
      token: token?.token,
      allowedHosts: allowedHosts(flags),
      version: io.version,
      ...(metrics !== undefined && { metrics }),
      onDefect: (error) => void io.stderr.write(`internal error ${placeOf(error)}\n`),
    });
    const serving = await serveHttp({ api, host: flags.host, port: flags.port });
    return { kind: 'open', serving, tokenPath: token?.path };
  } catch (error) {
    // A port that is taken, a token file that holds something else: both say what to do.
    if (error instanceof Error) return { kind: 'failed', message: error.message };
    throw error;
  }
}

const noToken = 'No token is asked for: any program on this machine can spend your budget.';

function refusal({ host, auth, allowRemote }: ServeFlags): string | undefined {
  if (isLoopback(host)) return undefined;
  if (allowRemote !== true) {
    return `expected --host to be an address of this machine alone, got ${host}; add --allow-remote if other machines are meant to reach it`;
  }
  return auth
    ? undefined
    : `expected a token where other machines can reach the server, got --no-auth with ${host}; leave --no-auth out`;
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

/** A wildcard address is nobody's name, so what clients call this server is for `--allow-host` to say. */
function allowedHosts({ host, allowHost }: ServeFlags): readonly string[] {
  const own = host === '0.0.0.0' || host === '::' ? [] : [host.includes(':') ? `[${host}]` : host];
  const names = ['127.0.0.1', 'localhost', '[::1]', ...own, ...allowHost];
  return names.map((name) => name.toLowerCase());
}

/** Where a defect was, without its message, which could hold anything. */
function placeOf(error: unknown): string {
  const frame =
    error instanceof Error ? error.stack?.split('\n').find((line) => /^\s+at /.test(line)) : '';
  return `${error instanceof Error ? error.name : 'unknown'}${frame ? ` ${frame.trim()}` : ''}`;
}
