/**
 * Starts and supervises the language server: types its requests, ends those in flight when it goes, and starts it again
 * with a message that names the cause. vscode-languageclient is loaded at the first start, not at activation.
 */
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import * as vscode from 'vscode';
import type { LanguageClient, LanguageClientOptions } from 'vscode-languageclient/node';
import type { InitOptions, Notifications, Requests } from '../../server/src/protocol.ts';
import { afterCrash, errorLine, exitCause } from './crashes.ts';
import { quietChannel } from './quietChannel.ts';
import { SERVER_FLAGS } from './serverFlags.ts';

export type ServerState =
  | { readonly kind: 'starting' }
  | { readonly kind: 'running' }
  | { readonly kind: 'stopped'; readonly cause: string };

export interface Server {
  state(): ServerState;
  readonly onDidChangeState: vscode.Event<ServerState>;
  request<M extends keyof Requests>(
    method: M,
    params: Requests[M][0],
    token?: vscode.CancellationToken,
  ): Promise<Requests[M][1]>;
  on<M extends keyof Notifications>(
    method: M,
    handler: (params: Notifications[M]) => void,
  ): vscode.Disposable;
  start(): Promise<void>;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export interface ServerOptions {
  readonly modulePath: string;
  readonly log: vscode.LogOutputChannel;
  readonly initOptions: () => InitOptions;
  /** What the server's environment has beside the editor's own. */
  readonly environment: () => Record<string, string>;
  /** Shown after an unexpected end, with the log one click away. */
  readonly onCrash: (message: string, willRestart: boolean) => void;
}

type Handler = (params: unknown) => void;

const EXIT_WAIT_MS = 500;

export function createServer(options: ServerOptions): Server {
  const { log } = options;
  const changed = new vscode.EventEmitter<ServerState>();
  const handlers = new Map<string, Set<Handler>>();
  const inFlight = new Set<(error: Error) => void>();
  let state: ServerState = { kind: 'starting' };
  let client: LanguageClient | undefined;
  let starting: Promise<LanguageClient> | undefined;
  let crashesMs: readonly number[] = [];
  let lastErrorLine: string | null = null;
  let exited: Promise<{ code: number | null; signal: string | null }> | undefined;

  function become(next: ServerState): void {
    state = next;
    changed.fire(next);
  }

  function endInFlight(message: string): void {
    const waiting = [...inFlight];
    inFlight.clear();
    for (const reject of waiting) reject(new Error(message));
  }

  function watchExit(process: ChildProcess | undefined): void {
    if (process === undefined) return;
    exited = new Promise((resolve) => {
      process.once('exit', (code, signal) => resolve({ code, signal }));
    });
  }

  async function crashed(): Promise<boolean> {
    const exit = await Promise.race([exited, nothingAfter(EXIT_WAIT_MS)]);
    const cause = exitCause(
      { code: exit?.code ?? null, signal: exit?.signal ?? null, errorLine: lastErrorLine },
      vscode.l10n.t,
    );
    lastErrorLine = null;
    exited = undefined;
    const verdict = afterCrash(crashesMs, Date.now());
    crashesMs = verdict.crashesMs;
    log.error(`Server ended: ${cause}`);
    endInFlight(vscode.l10n.t('The router stopped before this was answered ({0}).', cause));
    become(verdict.restart ? { kind: 'starting' } : { kind: 'stopped', cause });
    options.onCrash(
      verdict.restart
        ? vscode.l10n.t('The router stopped ({0}) and was started again.', cause)
        : vscode.l10n.t('The router stopped too often ({0}) and stays off.', cause),
      verdict.restart,
    );
    return verdict.restart;
  }

  async function create(): Promise<LanguageClient> {
    const lsp = await import('vscode-languageclient/node');
    const clientOptions: LanguageClientOptions = {
      documentSelector: ['file', 'untitled', 'vscode-remote', 'vscode-vfs'].map((scheme) => ({
        scheme,
      })),
      outputChannel: log,
      // A trace would write every prompt and the key into the log.
      traceOutputChannel: quietChannel(),
      revealOutputChannelOn: lsp.RevealOutputChannelOn.Never,
      initializationOptions: options.initOptions,
      initializationFailedHandler: () => false,
      markdown: { isTrusted: false, supportHtml: false },
      textSynchronization: { delayOpenNotifications: true },
      errorHandler: {
        error: () => ({ action: lsp.ErrorAction.Continue, handled: true }),
        closed: async () => ({
          action: (await crashed()) ? lsp.CloseAction.Restart : lsp.CloseAction.DoNotRestart,
          handled: true,
        }),
      },
      stdioOptions: {
        stdout: (input) => createInterface({ input }).on('line', (line) => log.info(line)),
        stderr: (input) =>
          createInterface({ input }).on('line', (line) => {
            lastErrorLine = errorLine(line) ?? lastErrorLine;
            log.warn(line);
          }),
      },
    };
    const program = {
      module: options.modulePath,
      transport: lsp.TransportKind.ipc,
      options: { env: options.environment(), execArgv: [...SERVER_FLAGS] },
    };
    const made = new lsp.LanguageClient(
      'costAwareRouter',
      'Cost-Aware Router',
      { run: program, debug: program },
      clientOptions,
    );
    made.registerFeature(commandsStayHere);
    made.onDidChangeState(({ newState }) => {
      if (newState !== lsp.State.Running) return;
      watchExit(made.serverProcess);
      become({ kind: 'running' });
    });
    for (const [method, set] of handlers) listen(made, method, set);
    return made;
  }

  async function started(): Promise<LanguageClient> {
    starting ??= (async () => {
      client ??= await create();
      await client.start();
      return client;
    })();
    try {
      return await starting;
    } catch (error) {
      starting = undefined;
      throw error;
    }
  }

  async function start(): Promise<void> {
    become({ kind: 'starting' });
    try {
      await started();
    } catch (error) {
      const cause = lastErrorLine ?? messageOf(error);
      log.error(`Server did not start: ${cause}`);
      become({ kind: 'stopped', cause });
    }
  }

  async function stop(): Promise<void> {
    const running = client;
    client = undefined;
    starting = undefined;
    endInFlight(vscode.l10n.t('The router was stopped before this was answered.'));
    await running?.dispose().catch((error: unknown) => log.warn(messageOf(error)));
  }

  return {
    state: () => state,
    onDidChangeState: changed.event,
    async request(method, params, token) {
      if (state.kind === 'stopped') {
        throw new Error(vscode.l10n.t('The router is not running ({0}). Restart it.', state.cause));
      }
      const running = await started();
      return await new Promise((resolve, reject) => {
        inFlight.add(reject);
        const sent = token
          ? running.sendRequest(method, params, token)
          : running.sendRequest(method, params);
        sent
          .then((result) => resolve(result as Requests[typeof method][1]), reject)
          .finally(() => inFlight.delete(reject));
      });
    },
    on(method, handler) {
      const set = handlers.get(method) ?? new Set<Handler>();
      if (!handlers.has(method)) {
        handlers.set(method, set);
        if (client !== undefined) listen(client, method, set);
      }
      set.add(handler as Handler);
      return new vscode.Disposable(() => set.delete(handler as Handler));
    },
    start,
    async restart() {
      await stop();
      crashesMs = [];
      await start();
    },
    stop,
  };
}

function listen(client: LanguageClient, method: string, set: ReadonlySet<Handler>): void {
  client.onNotification(method, (params: unknown) => {
    for (const handler of set) handler(params);
  });
}

/** The server offers its commands to plain LSP clients too; here the extension itself runs them. */
const commandsStayHere = {
  fillClientCapabilities: () => undefined,
  preInitialize: (capabilities: { executeCommandProvider?: unknown }) => {
    capabilities.executeCommandProvider = undefined;
  },
  initialize: () => undefined,
  getState: () => ({ kind: 'static' as const }),
  clear: () => undefined,
};

function nothingAfter(ms: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(() => resolve(undefined), ms));
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
