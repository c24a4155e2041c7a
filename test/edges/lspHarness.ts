/** The language server and a client in one process, joined by two streams: real protocol, scripted models, real small stores. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import {
  createConnection,
  createMessageConnection,
  type InitializeParams,
  type InitializeResult,
  type MessageConnection,
  StreamMessageReader,
  StreamMessageWriter,
} from 'vscode-languageserver/node';
import type { ApiKey, App, AppOptions } from '../../server/src/compose.ts';
import { NO_POLICY } from '../../server/src/core/adminPolicy.ts';
import type { AppSettings } from '../../server/src/core/appSettings.ts';
import { nanoUsd } from '../../server/src/core/price.ts';
import type { MonthReport } from '../../server/src/core/routeReports.ts';
import { type Settings, settingsSchema } from '../../server/src/core/schema.ts';
import { createServer } from '../../server/src/lsp/server.ts';
import type { AskParams, Notifications, Requests, StatusWire } from '../../server/src/protocol.ts';
import { openExplanations } from '../../server/src/store/explanations.ts';
import { openHistory } from '../../server/src/store/history.ts';
import { NO_AUDITS } from '../../server/src/store/ledgerAudits.ts';
import { prices, type Script, scriptedRouter } from '../support/scriptedPorts.ts';
import { gateConfidence, scorerOf } from '../support/scriptedScores.ts';

export interface LspOptions {
  readonly script?: Script;
  /** Parts of the app that a test replaces. */
  readonly app?: Partial<App>;
  /** What `workspace/configuration` answers by section. */
  readonly settings?: Record<string, unknown>;
  readonly capabilities?: InitializeParams['capabilities'];
  readonly initializationOptions?: unknown;
  /** Where it yields nothing, the scripted app stands. */
  readonly createApp?: (options: AppOptions) => Promise<App | undefined>;
}

export interface Lsp {
  readonly client: MessageConnection;
  readonly initialized: InitializeResult;
  readonly app: App;
  readonly scripted: ReturnType<typeof scriptedRouter>;
  /** What the app was told to change, oldest first. */
  readonly configured: readonly Partial<AppSettings>[];
  readonly keys: readonly (ApiKey | undefined)[];
  readonly outcomes: readonly string[];
  readonly created: readonly AppOptions[];
  /** Another window has written the ledger. */
  ledgerChanged(): void;
  request<M extends keyof Requests>(method: M, params: Requests[M][0]): Promise<Requests[M][1]>;
  notifications<M extends keyof Notifications>(method: M): readonly Notifications[M][];
  /** The next status that satisfies `wanted`, or one that came before. */
  status(wanted: (status: StatusWire) => boolean): Promise<StatusWire>;
  /** Changes what the client answers for its settings and says so. */
  changeSettings(settings: Record<string, unknown>): Promise<void>;
  open(uri: string, languageId: string, text: string): Promise<void>;
  readonly shown: readonly { readonly type: number; readonly message: string }[];
  close(): Promise<void>;
}

/** A status that has not come by then does not come, also on a busy machine. */
const PATIENCE_MS = 60_000;

const richClient: InitializeParams['capabilities'] = {
  workspace: { configuration: true, didChangeConfiguration: { dynamicRegistration: true } },
  textDocument: { hover: { contentFormat: ['markdown', 'plaintext'] } },
};

export async function openLsp(options: LspOptions = {}): Promise<Lsp> {
  const dir = mkdtempSync(join(tmpdir(), 'router-lsp-'));
  const scripted = scriptedRouter(options.script);
  const configured: Partial<AppSettings>[] = [];
  const keys: (ApiKey | undefined)[] = [];
  const outcomes: string[] = [];
  const created: AppOptions[] = [];
  const listeners = new Set<() => void>();
  const app = scriptedApp(dir, scripted, options, { configured, keys, outcomes, listeners });

  const toServer = new PassThrough();
  const toClient = new PassThrough();
  // Readers rather than streams: with a stream the library would end the process when it ends.
  const serverSide = createConnection(
    new StreamMessageReader(toServer),
    new StreamMessageWriter(toClient),
  );
  const server = createServer(serverSide, {
    version: '1.2.3',
    compose: async () => ({
      createApp: async (given) => {
        created.push(given);
        return (await options.createApp?.(given)) ?? app;
      },
    }),
  });
  serverSide.listen();
  const { connection, told, shown, settings, waiting } = connectClient(toClient, toServer, options);
  const initialized = await connection.sendRequest<InitializeResult>('initialize', {
    // With an id the library would watch that process.
    processId: null,
    rootUri: 'file:///work',
    workspaceFolders: [{ uri: 'file:///work', name: 'work' }],
    capabilities: options.capabilities ?? richClient,
    initializationOptions: options.initializationOptions,
  });
  await connection.sendNotification('initialized', {});

  return {
    client: connection,
    initialized,
    app,
    scripted,
    configured,
    keys,
    outcomes,
    created,
    shown,
    ledgerChanged: () => {
      for (const listener of listeners) listener();
    },
    request: (method, params) => connection.sendRequest(method, params),
    notifications: (method) =>
      told.filter((one) => one.method === method).map((one) => one.params) as never,
    async status(wanted) {
      const all = () =>
        told
          .filter((one) => one.method === 'costAwareRouter/statusChanged')
          .map((one) => one.params as StatusWire);
      const until = performance.now() + PATIENCE_MS;
      while (performance.now() < until) {
        const found = all().find(wanted);
        if (found !== undefined) return found;
        await Promise.race([new Promise<void>((resolve) => waiting.add(resolve)), delay(50)]);
      }
      throw new Error(`expected another status, got ${JSON.stringify(all(), undefined, 1)}`);
    },
    async changeSettings(next) {
      settings.now = next;
      await connection.sendNotification('workspace/didChangeConfiguration', { settings: null });
    },
    open: (uri, languageId, text) =>
      connection.sendNotification('textDocument/didOpen', {
        textDocument: { uri, languageId, version: 1, text },
      }),
    async close() {
      await connection.sendRequest('shutdown');
      await server.close();
      connection.dispose();
      serverSide.dispose();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

interface Told {
  readonly method: string;
  readonly params: unknown;
}

function connectClient(input: PassThrough, output: PassThrough, options: LspOptions) {
  const connection = createMessageConnection(
    new StreamMessageReader(input),
    new StreamMessageWriter(output),
  );
  const told: Told[] = [];
  const shown: { type: number; message: string }[] = [];
  const settings = { now: options.settings ?? {} };
  const waiting = new Set<() => void>();
  connection.onNotification((method: string, params: unknown) => {
    told.push({ method, params });
    for (const resolve of waiting) resolve();
    waiting.clear();
  });
  connection.onNotification('window/showMessage', (message: { type: number; message: string }) => {
    shown.push(message);
  });
  connection.onRequest(
    'workspace/configuration',
    ({ items }: { items: { section: string; scopeUri?: string }[] }) =>
      items.map(({ section }) => settings.now[section] ?? null),
  );
  connection.onRequest('client/registerCapability', () => null);
  connection.listen();
  return { connection, told, shown, settings, waiting };
}

function scriptedApp(
  dir: string,
  scripted: ReturnType<typeof scriptedRouter>,
  options: LspOptions,
  kept: {
    readonly configured: Partial<AppSettings>[];
    readonly keys: (ApiKey | undefined)[];
    readonly outcomes: string[];
    readonly listeners: Set<() => void>;
  },
): App {
  const { router, ports } = scripted;
  const script = options.script ?? {};
  const { clock } = ports;
  const explanations = openExplanations({ path: join(dir, 'explanations.sqlite'), clock });
  const history = openHistory({ path: join(dir, 'history.sqlite'), clock });
  const { models } = ports.catalogue.registry();
  const scores = Object.fromEntries(models.map(({ id }) => [id, script.scores?.[id] ?? 0.2]));
  let settings: Settings = settingsSchema.parse({ monthlyBudgetNanoUsd: 20e9 });
  const limits = () => ({ monthlyNanoUsd: settings.monthlyBudgetNanoUsd });
  const notScripted = () => {
    throw new Error('expected the test to script this');
  };
  return {
    router,
    ports,
    catalogue: { ...ports.catalogue, problems: () => [], stalePrices: () => [] },
    local: {
      ...ports.local,
      prepare: notScripted,
      probe: notScripted,
      threads: () => ({ threads: 1, cores: 2, from: 'default' }),
      memoryBytes: () => undefined,
      hostPid: () => undefined,
      dispose: async () => {},
    },
    scorer: scorerOf(models, scores, script.threshold ?? 0.5),
    learning: { status: () => [], forget: () => 0 },
    calibration: { run: notScripted, of: () => undefined, rollback: () => 'none' },
    confidence: () => gateConfidence,
    referenceModels: [],
    cache: { ...ports.cache, clear: notScripted, stats: notScripted, close() {} },
    dataDir: dir,
    modelsDir: dir,
    pricingPath: join(dir, 'pricing.yaml'),
    settings: () => settings,
    configure(change) {
      kept.configured.push(change);
      const { ownModelPath: _own, baseUrl: _url, ...rest } = change;
      settings = settingsSchema.parse({ ...settings, ...rest });
      return [];
    },
    setKey: (key) => kept.keys.push(key),
    testKey: async () => ({ kind: 'done', message: 'The key works.' }),
    baseUrl: () => 'https://api.openai.com/v1',
    policy: () => NO_POLICY,
    ledgerProblem: () => undefined,
    ledgerTools: notScripted,
    limits,
    budget: () => ports.ledger.budget(limits()),
    reports: {
      month: async () => await monthOf(scripted, limits()),
      routes: async () => ({ total: 0, rows: [] }),
      trace: async () => undefined,
      judged: async () => [],
      export: async (month, format) => `${month} as ${format}\n`,
      events: () => [],
    },
    async recordOutcome(promptId, verdict) {
      kept.outcomes.push(`${promptId} ${verdict}`);
    },
    onLedgerChanged(listener) {
      kept.listeners.add(listener);
      return () => kept.listeners.delete(listener);
    },
    explanations,
    history,
    addModel: notScripted,
    refreshPrices: async () => ({ kind: 'refreshed', changes: Object.keys(prices) }),
    async close() {
      explanations.close();
      history.close();
    },
    ...options.app,
  };
}

async function monthOf(
  scripted: ReturnType<typeof scriptedRouter>,
  limits: { readonly monthlyNanoUsd: ReturnType<typeof nanoUsd> | undefined },
): Promise<MonthReport> {
  const sums = {
    answers: scripted.records.length + 1,
    costNanoUsd: nanoUsd(scripted.records.reduce((sum, one) => sum + one.costNanoUsd, 0)),
    savedNanoUsd: 5_000_000,
    baselineNanoUsd: nanoUsd(9_000_000),
    unknownSavings: 0,
  };
  return {
    budget: await scripted.ports.ledger.budget(limits),
    months: ['2026-11'],
    total: sums,
    days: [],
    byModel: [],
    byTask: [],
    byServed: [],
    byReason: [],
    verdicts: {
      kept: 0,
      dismissed: 0,
      up: 0,
      down: 0,
      good_enough: 0,
      asked_bigger: 0,
      retried: 0,
      tests_passed: 0,
      tests_failed: 0,
    },
    audits: NO_AUDITS,
  };
}

let asks = 0;

export function askOf(text: string, rest: Partial<AskParams> = {}): AskParams {
  return {
    requestId: `ask-${asks++}`,
    text,
    context: [],
    history: [],
    destination: 'auto',
    sessionId: 'session',
    workspaceId: 'workspace',
    trusted: true,
    ...rest,
  };
}
