/** Drives the command line in this process: streams that are read back, and an App over the scripted router. */
import assert from 'node:assert/strict';
import { Readable, Writable } from 'node:stream';
import type { CliIo } from '../../server/src/cli/io.ts';
import { runCli } from '../../server/src/cli/run.ts';
import type { App, AppOptions } from '../../server/src/compose.ts';
import { NO_POLICY } from '../../server/src/core/adminPolicy.ts';
import { settingsSchema } from '../../server/src/core/schema.ts';
import { prices, type Script, scriptedRouter } from '../support/scriptedPorts.ts';
import { gateConfidence, scorerOf } from '../support/scriptedScores.ts';

export interface CliRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** What the app was opened with, once per opening. */
  readonly opened: readonly AppOptions[];
  readonly closed: number;
}

export interface CliOptions {
  readonly script?: Script;
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  /** Which streams are terminals. @default none */
  readonly terminal?: {
    readonly stdout?: boolean;
    readonly stderr?: boolean;
    readonly stdin?: boolean;
  };
  readonly cwd?: string;
  readonly signal?: AbortSignal;
  readonly app?: (scripted: App) => App;
  /** Told of every piece of stdout as it is written. */
  readonly onStdout?: (text: string) => void;
}

export async function cli(argv: readonly string[], options: CliOptions = {}): Promise<CliRun> {
  const { terminal = {} } = options;
  const stdout = collector(terminal.stdout, options.onStdout);
  const stderr = collector(terminal.stderr);
  const opened: AppOptions[] = [];
  let closed = 0;
  const io: CliIo = {
    stdout: stdout.stream,
    stderr: stderr.stream,
    stdin: Object.assign(Readable.from(options.stdin === undefined ? [] : [options.stdin]), {
      isTTY: terminal.stdin ?? false,
    }),
    env: options.env ?? {},
    cwd: options.cwd ?? import.meta.dirname,
    version: '1.2.3',
    signal: options.signal ?? new AbortController().signal,
    async createApp(appOptions) {
      const app = scriptedApp(options.script ?? {}, () => {
        closed += 1;
      });
      const changed = options.app?.(app) ?? app;
      opened.push(appOptions);
      return changed;
    },
  };
  const code = await runCli(argv, io);
  assert.equal(closed, opened.length, 'expected every app to be closed once');
  return { code, stdout: stdout.text(), stderr: stderr.text(), opened, closed };
}

/** The one JSON object that a run has put on stdout; fails when there is anything beside it. */
export function jsonOf(run: CliRun): Record<string, unknown> {
  assert.match(run.stdout, /^\{.*\}\n$/, 'expected one line of JSON alone on stdout');
  return JSON.parse(run.stdout) as Record<string, unknown>;
}

function collector(isTTY = false, onText: (text: string) => void = () => {}) {
  let all = '';
  const stream = new Writable({
    decodeStrings: false,
    write(chunk: string | Buffer, _encoding, done) {
      all += String(chunk);
      onText(String(chunk));
      done();
    },
  });
  return { stream: Object.assign(stream, { isTTY, columns: 100 }), text: () => all };
}

function scriptedApp(script: Script, onClose: () => void): App {
  const { router, ports } = scriptedRouter(script);
  const settings = settingsSchema.parse({ monthlyBudgetNanoUsd: 20e9, ...script.settings });
  const { models } = ports.catalogue.registry();
  const scores = Object.fromEntries(models.map(({ id }) => [id, script.scores?.[id] ?? 0.2]));
  const notScripted = () => {
    throw new Error('expected the test to script this');
  };
  return {
    router,
    ports,
    catalogue: { ...ports.catalogue, problems: () => [], stalePrices: () => [] },
    local: {
      ...ports.local,
      prepare: async () => ({ kind: 'ready', path: 'model.gguf' }),
      probe: notScripted,
      threads: () => ({ threads: 1, cores: 2, from: 'default' }),
      memoryBytes: () => undefined,
      hostPid: () => undefined,
      dispose: async () => onClose(),
    },
    scorer: scorerOf(models, scores, script.threshold ?? 0.5),
    learning: { status: () => [], forget: () => 0 },
    calibration: { run: notScripted, of: () => undefined, rollback: () => 'none' },
    confidence: () => gateConfidence,
    referenceModels: [],
    cache: {
      ...ports.cache,
      clear: () => ({ entries: 3, bytes: 2_500_000 }),
      stats: notScripted,
      close() {},
    },
    dataDir: 'data',
    modelsDir: 'models',
    pricingPath: 'pricing.yaml',
    settings: () => settings,
    configure: notScripted,
    setKey: notScripted,
    testKey: notScripted,
    baseUrl: () => 'https://api.openai.com/v1',
    policy: () => NO_POLICY,
    ledgerProblem: () => undefined,
    ledgerTools: notScripted,
    limits: () => ({ monthlyNanoUsd: settings.monthlyBudgetNanoUsd }),
    budget: notScripted,
    reports: {
      month: notScripted,
      routes: notScripted,
      trace: notScripted,
      judged: notScripted,
      export: notScripted,
      events: notScripted,
    },
    recordOutcome: notScripted,
    onLedgerChanged: notScripted,
    explanations: {
      inFile: notScripted,
      ofCode: notScripted,
      keep: notScripted,
      drop: notScripted,
      close() {},
    },
    history: {
      add: notScripted,
      recent: notScripted,
      all: notScripted,
      find: notScripted,
      questions: notScripted,
      clear: notScripted,
      close() {},
    },
    addModel: notScripted,
    refreshPrices: async () => ({ kind: 'refreshed', changes: Object.keys(prices) }),
    close: async () => onClose(),
  };
}
