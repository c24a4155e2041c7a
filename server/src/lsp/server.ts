/**
 * The language server: wires a connection to the app. It starts at once, loads everything heavy after the client is ready, and
 * answers without a model and without a key; what is missing stands in the status.
 */
import { randomUUID } from 'node:crypto';
import {
  type CancellationToken,
  CodeLensRefreshRequest,
  type Connection,
  DidChangeConfigurationNotification,
  ErrorCodes,
  type InitializeResult,
  LSPErrorCodes,
  MessageType,
  ResponseError,
  ShowMessageNotification,
  TextDocumentSyncKind,
} from 'vscode-languageserver/node';
import { COMMANDS, type Notifications, type Requests, SETTINGS_SECTION } from '../protocol.ts';
import { type Client, clientOf, pathIn } from './client.ts';
import { placeExplanations } from './code/explanations.ts';
import { actionKinds, actionsOn, hoverOf, lensesOf, placeOf } from './code/features.ts';
import { listenToDocuments } from './code/openDocuments.ts';
import { createHandlers, type HandlerDeps } from './handlers.ts';
import { englishLanguage } from './language.ts';
import { type Composition, createLiveApp } from './liveApp.ts';
import { runPlainCommand } from './plainCommands.ts';
import { pullSettings } from './pullSettings.ts';
import { createStatusFeed } from './statusFeed.ts';
import { readParams } from './wire/params.ts';

export interface ServerDeps {
  readonly compose: () => Promise<Composition>;
  readonly version: string;
}

export interface RunningServer {
  /** Resolves when everything is settled and closed. */
  close(): Promise<void>;
}

export function createServer(connection: Connection, deps: ServerDeps): RunningServer {
  let client: Client = unknownClient;
  const sessionId = randomUUID();
  const log = (message: string) => connection.console.warn(message);
  const notify = <M extends keyof Notifications>(method: M, params: Notifications[M]) => {
    // A client that has gone can be told nothing; its requests were ended by then.
    connection.sendNotification(method, params).catch(() => {});
  };

  const live = createLiveApp({
    compose: deps.compose,
    options: () => client.folders,
    settled: () => settled,
    onReady(app) {
      stopWatching = app.onLedgerChanged(() => status.changed());
    },
    onChange: () => status.changed(),
    onProblem: log,
  });
  let stopWatching = () => {};
  const firstSettings = Promise.withResolvers<void>();
  let settled: Promise<void> = firstSettings.promise;
  const status = createStatusFeed({
    live,
    language: () => client.language,
    send: (now) => notify('costAwareRouter/statusChanged', now),
    onProblem: log,
  });
  const documents = listenToDocuments(connection, {
    opened: ({ uri }) => explanations.forget(uri),
    edited: (uri, range, text) => explanations.edited(uri, range, text),
    replaced: ({ uri }) => explanations.forget(uri),
    async saved(document) {
      const state = live.state();
      if (state.kind === 'ready') await explanations.saved(state.app, document);
    },
    closed: (uri) => explanations.forget(uri),
    onProblem: log,
  });
  const explanations = placeExplanations({
    units: documents.units,
    onChanged: (uri) => notify('costAwareRouter/explanationsChanged', { uri }),
  });
  const handlerDeps: HandlerDeps = {
    live,
    language: () => client.language,
    status,
    documents,
    explanations,
    pathOf: (uri) => pathIn(client.rootUris, uri),
    notify,
  };

  function refreshLenses(): void {
    if (!client.refreshesLenses) return;
    connection.sendRequest(CodeLensRefreshRequest.type).catch(() => {});
  }

  function loadSettings(): Promise<void> {
    settled = Promise.all([firstSettings.promise, pullAndApply()]).then(() => {});
    return settled;
  }

  async function pullAndApply(): Promise<void> {
    const before = live.settings().lens;
    const settings = await pullSettings(connection, client, log);
    if (settings !== undefined) live.applySettings(settings);
    if (before !== live.settings().lens) refreshLenses();
  }

  connection.onInitialize((params) => {
    client = clientOf(params);
    // Until a first question names them: a workspace's budget is to be seen before it is used.
    const { workspaceId } = client;
    live.meetWorkspace(workspaceId);
    status.meet({ sessionId, workspaceId });
    return capabilities(deps.version);
  });
  connection.onInitialized(async () => {
    if (client.registersForSettings) {
      await connection.client.register(DidChangeConfigurationNotification.type, {
        section: SETTINGS_SECTION,
      });
    }
    await pullAndApply();
    firstSettings.resolve();
    // A failure is told in the status and in the log.
    live.get().catch(() => {});
  });
  connection.onDidChangeConfiguration(async ({ settings }) => {
    client = { ...client, pushedSettings: settings };
    await loadSettings();
  });

  for (const [method, handle] of Object.entries(createHandlers(handlerDeps))) {
    connection.onRequest(method, (...received: unknown[]) => {
      // Of a request without params the library hands over the token alone.
      const token = received.at(-1) as CancellationToken;
      const [sent] = received.slice(0, -1);
      const read = readParams(method as keyof Requests, sent);
      if (read.kind === 'bad') throw new ResponseError(ErrorCodes.InvalidParams, read.why);
      return guarded(log, () => (handle as AnyHandler)(read.params, signalOf(token)));
    });
  }

  connection.onCodeLens(async ({ textDocument }) => {
    const document = documents.get(textDocument.uri);
    const { lens } = live.settings();
    if (document === undefined || lens !== 'functions') return [];
    return lensesOf(lens, document, await documents.units(document), client.language.t);
  });
  connection.onCodeAction(async ({ textDocument, range, context }) => {
    const document = documents.get(textDocument.uri);
    if (document === undefined) return [];
    const { only, triggerKind: trigger } = context;
    const units = await documents.units(document);
    return actionsOn(document, { range, only, trigger }, units, client.language.t);
  });
  connection.onHover(async ({ textDocument, position }) => {
    const document = documents.get(textDocument.uri);
    const state = live.state();
    // A hover must not wait for the app to be composed.
    if (document === undefined || state.kind !== 'ready') return null;
    const [found, ...more] = await explanations.at(state.app, document, placeOf(position));
    return found === undefined
      ? null
      : hoverOf([found, ...more], client.readsMarkdown, client.language.t);
  });
  connection.onExecuteCommand(async ({ command, arguments: args = [] }, token) => {
    const work = await startProgress(connection, client, token);
    try {
      const { kind, message } = await guarded(log, () =>
        runPlainCommand(
          { command, args },
          {
            requestId: randomUUID(),
            sessionId,
            workspaceId: client.workspaceId,
            signal: work.signal,
            onStep: work.onStep,
          },
          handlerDeps,
        ),
      );
      const type = kind === 'info' ? MessageType.Info : MessageType.Error;
      await connection.sendNotification(ShowMessageNotification.type, { type, message });
    } finally {
      work.end();
    }
    return null;
  });

  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= (async () => {
      status.stop();
      stopWatching();
      await live.close();
    })();
    return closing;
  };
  connection.onShutdown(close);
  return { close };
}

/** Before `initialize` nothing is known of the client, and nothing may be asked of it. */
const unknownClient: Client = {
  rootUris: [],
  workspaceId: undefined,
  folders: {},
  language: englishLanguage,
  answersSettings: false,
  registersForSettings: false,
  refreshesLenses: false,
  showsProgress: false,
  readsMarkdown: false,
  pushedSettings: undefined,
};

function capabilities(version: string): InitializeResult {
  return {
    serverInfo: { name: 'cost-aware-router', version },
    capabilities: {
      textDocumentSync: {
        openClose: true,
        change: TextDocumentSyncKind.Incremental,
        save: true,
      },
      hoverProvider: true,
      codeLensProvider: { resolveProvider: false },
      codeActionProvider: { codeActionKinds: actionKinds, resolveProvider: false },
      executeCommandProvider: { commands: Object.values(COMMANDS) },
      workspace: { workspaceFolders: { supported: true } },
    },
  };
}

type AnyHandler = (params: unknown, signal: AbortSignal) => unknown;

/** An unexpected error ends its request with a sentence, and its stack goes to the log. */
async function guarded<T>(log: (message: string) => void, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    log(error instanceof Error ? (error.stack ?? message) : message);
    throw new ResponseError(LSPErrorCodes.RequestFailed, message);
  }
}

function signalOf(token: CancellationToken): AbortSignal {
  const controller = new AbortController();
  if (token.isCancellationRequested) controller.abort();
  else token.onCancellationRequested(() => controller.abort());
  return controller.signal;
}

interface Work {
  readonly signal: AbortSignal;
  readonly onStep: (message: string) => void;
  readonly end: () => void;
}

/** A progress display with a way to cancel, where the client has one. */
async function startProgress(
  connection: Connection,
  client: Client,
  token: CancellationToken,
): Promise<Work> {
  const asked = signalOf(token);
  if (!client.showsProgress) return { signal: asked, onStep: () => {}, end: () => {} };
  const progress = await connection.window.createWorkDoneProgress();
  progress.begin('Cost-Aware Router', undefined, undefined, true);
  return {
    signal: AbortSignal.any([asked, signalOf(progress.token)]),
    onStep: (message) => progress.report(message),
    end: () => progress.done(),
  };
}
