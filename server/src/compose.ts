/** The composition root: options -> App. The only place that knows both the core and the adapters. */
import { hash, randomUUID } from 'node:crypto';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import envPaths from 'env-paths';
import { type CalibrationDesk, createCalibrationDesk } from './calibrationDesk.ts';
import { type AdminPolicy, underPolicy } from './core/adminPolicy.ts';
import { type AppSettings, appSettingsSchema, withKnownModels } from './core/appSettings.ts';
import { limitsOf } from './core/budget.ts';
import { type FittedConfidence, parseFittedConfidence } from './core/confidence.ts';
import { parseFittedScore } from './core/fittedScore.ts';
import type { Observer } from './core/observer.ts';
import { portOf } from './core/portOf.ts';
import type { BudgetLimits, BudgetScope, BudgetState, RouterPorts } from './core/ports.ts';
import type { Verdict } from './core/routeReports.ts';
import { createRouter, type Router } from './core/router.ts';
import { DEFAULT_MONTHLY_BUDGET_NANO_USD, type Settings } from './core/schema.ts';
import { createScorer, type Scorer, type Strategy } from './core/score.ts';
import type { LocalModel, NanoUsd } from './core/types.ts';
import { type AddedModel, type AddModelOptions, addModel } from './models/addModel.ts';
import { adminPolicyPath, createAdminPolicy } from './models/adminPolicyFile.ts';
import type { LiveCatalogue } from './models/catalogue.ts';
import { governed } from './models/governed.ts';
import { type KeyTest, testKey } from './models/keyTest.ts';
import { type ApiKey, createLiveCloud } from './models/liveCloud.ts';
import { createLocalModels, type LocalModels } from './models/local.ts';
import { OPENAI_URL } from './models/openai.ts';
import { openCatalogue } from './models/openCatalogue.ts';
import { ownModelFrom, withOwnModel } from './models/ownModel.ts';
import type { PricesRefreshed } from './models/priceFile.ts';
import { readJson, shippedModels } from './models/shippedFiles.ts';
import { createSpeeds } from './models/speeds.ts';
import { createTokenCounter } from './models/tokenCounter.ts';
import { createPrivacyScan } from './privacy/privacyScan.ts';
import { openAnyLedger } from './store/anyLedger.ts';
import { type OpenedCache, openCache } from './store/cache.ts';
import { makeDataFolder } from './store/dataFolder.ts';
import { type Explanations, openExplanations } from './store/explanations.ts';
import { type History, openHistory } from './store/history.ts';
import { LEDGER_NAME, type LedgerTools } from './store/ledgerCare.ts';
import { clockFile, createLedgerClock } from './store/ledgerClock.ts';
import { LedgerUnavailableError } from './store/ledgerFaults.ts';
import { type AppReports, openReports } from './store/reports.ts';
import { createCodeCheck } from './syntax/codeCheck.ts';
import { type LearnedStatus, openTuning } from './tuning.ts';

export { addServer, discoverServers, KNOWN_PORTS } from './models/discover.ts';
export { ledgerCare } from './store/ledgerCare.ts';
export { baselineId, type LookedBack, lookBack } from './whatIfDesk.ts';
export type { ApiKey, AppReports, LearnedStatus, PricesRefreshed };

export interface AppOptions {
  /** Holds the ledger, the cache, measured speeds and model files. @default the user's data folder */
  readonly dataDir?: string;
  /** A team's ledger on PostgreSQL in place of the file in the data folder. May hold a password. */
  readonly ledgerUrl?: string;
  /** Where model files lie. @default `models` in the data folder */
  readonly modelsDir?: string;
  /** @default the files that ship with the package */
  readonly registryPath?: string;
  readonly pricingPath?: string;
  /** `null` is no limit. @default 20 USD */
  readonly monthlyBudgetNanoUsd?: NanoUsd | null;
  readonly settings?: Partial<Omit<Settings, 'monthlyBudgetNanoUsd'>>;
  readonly strategy?: Strategy;
  readonly apiKey?: string;
  /** Overrides the base URL of provider `openai`. */
  readonly baseUrl?: string;
  readonly threads?: number;
  /**
   * For tests alone: where the policy of an administrator lies. No edge passes it on, or a user could name another.
   * @default a fixed place of the system
   */
  readonly adminPolicyPath?: string;
  /** Told of what a person should know and the program survives: a bad edit of a file, a closed ledger. Never prompt text. */
  readonly onProblem?: (message: string) => void;
  readonly observer?: Observer;
}

export interface App {
  readonly router: Router;
  readonly catalogue: LiveCatalogue;
  readonly local: LocalModels;
  readonly ports: RouterPorts;
  readonly scorer: Scorer;
  readonly confidence: () => FittedConfidence;
  /** Models whose outcomes the score was fitted on; they can be judged, not run. */
  readonly referenceModels: readonly string[];
  readonly cache: OpenedCache;
  /** Fits the gate and the threshold to a local model on this machine. */
  readonly calibration: CalibrationDesk;
  readonly dataDir: string;
  readonly modelsDir: string;
  readonly pricingPath: string;
  /** Takes a GGUF file into the models folder and the user's registry. */
  addModel(
    path: string,
    options: Pick<AddModelOptions, 'id' | 'onProgress' | 'signal'>,
  ): Promise<AddedModel>;
  /** The settings in force; an own model is already named in `cheap`. */
  settings(): Settings;
  /**
   * Puts settings in force from the next prompt on. One that is left out stays; `undefined` sets it back to its default,
   * which for every budget is no limit.
   * Returns what could not be put in force, as sentences: everything else is.
   */
  configure(change: Partial<AppSettings>): readonly string[];
  /** Keeps the key in memory only; `undefined` forgets it. */
  setKey(key: ApiKey | undefined): void;
  /** Asks the provider for its list of models, which costs nothing. */
  testKey(signal?: AbortSignal): Promise<KeyTest>;
  /** What the administrator of this machine allows. */
  policy(): AdminPolicy;
  /** Where provider `openai` is called. */
  baseUrl(): string;
  /** Why the ledger can't be trusted, so that answers stay local. */
  ledgerProblem(): string | undefined;
  /** Throws a `LedgerUnavailableError` when the ledger can't be trusted. */
  ledgerTools(): LedgerTools;
  limits(scope?: BudgetScope): BudgetLimits;
  /** All budgets that hold for a session and a workspace; `tightest` says which one binds. */
  budget(scope?: BudgetScope): Promise<BudgetState>;
  readonly reports: AppReports;
  /** Rejects with a sentence when the ledger can't keep it. */
  recordOutcome(promptId: string, verdict: Verdict): Promise<void>;
  /** Told within half a second when another process has written the ledger. Returns how to stop it. */
  onLedgerChanged(listener: () => void): () => void;
  /** What verdicts have taught here, and how to take it back. */
  readonly learning: {
    status(): readonly LearnedStatus[];
    /** The newest verdicts, all of them when no number is given; returns how many that were. */
    forget(newest?: number): number;
  };
  readonly explanations: Explanations;
  /** Prompts with their text; written only by an edge whose user has turned history on. */
  readonly history: History;
  /** Brings the price file up to the bundled price data; tells one line per change. */
  refreshPrices(): Promise<PricesRefreshed>;
  /** Settles what is under way and closes everything. */
  close(): Promise<void>;
}

export async function createApp(options: AppOptions = {}): Promise<App> {
  const dataDir = options.dataDir ?? envPaths('cost-aware-router', { suffix: '' }).data;
  const modelsDir = options.modelsDir ?? join(dataDir, 'models');
  for (const folder of [dataDir, modelsDir]) makeDataFolder(folder);
  const say = options.onProblem ?? (() => {});
  const shipped = shippedModels();
  const pricingPath = options.pricingPath ?? join(shipped, 'pricing.yaml');
  const registryPath = options.registryPath ?? join(shipped, 'registry.yaml');
  let own: LocalModel | undefined;
  const fitted = parseFittedScore(await readJson(join(shipped, 'score.json')));
  const ledgerPath = join(dataDir, LEDGER_NAME);
  const clock = createLedgerClock({ path: clockFile(ledgerPath), onMoved: say });
  const paths = { registryPath, pricingPath, dataDir };
  const files = openCatalogue({ ...paths, fitted, clock, onProblem: say });
  const shippedConfidence = parseFittedConfidence(await readJson(join(shipped, 'confidence.json')));
  const tuning = openTuning({
    dataDir,
    fitted,
    shippedConfidence,
    identityOf: (model) => portOf(model, { local, cloud }).identity(model),
    onProblem: say,
  });
  const catalogue = tuning.over(withOwnModel(files, () => own));

  const sha256 = (text: string) => hash('sha256', text);
  const newId = () => randomUUID();
  const url = options.ledgerUrl;
  const opened = await openAnyLedger({ url, path: ledgerPath, dataDir, clock, newId, sha256 });
  const ledgerProblem = () => (opened.kind === 'open' ? clock.closedWhy() : opened.why);
  const closedWhy = ledgerProblem();
  if (closedWhy !== undefined) {
    say(`The ledger is closed, so answers stay local: ${closedWhy}`);
  }
  const cache = openCache({ path: join(dataDir, 'cache.sqlite'), clock, writeAfterMs: 50 });
  const speeds = createSpeeds(join(dataDir, 'speeds.json'));
  const tokens = createTokenCounter({ deadlineMs: 500 });
  const policy = createAdminPolicy({
    path: options.adminPolicyPath ?? adminPolicyPath(),
    monotonicMs: clock.monotonicMs,
    onProblem: say,
  });
  const localModels = createLocalModels({
    modelsDir,
    baseDir: dirname(registryPath),
    threads: options.threads,
    threadsPath: join(dataDir, 'threads.json'),
  });
  let wanted: AppSettings = startSettings(options);
  let apiKey: ApiKey | undefined =
    options.apiKey === undefined
      ? undefined
      : { key: options.apiKey, baseUrl: wanted.baseUrl ?? OPENAI_URL };
  const local = governed(localModels, policy);
  const liveCloud = createLiveCloud(
    () => wanted.baseUrl,
    () => apiKey,
  );
  const cloud = governed(liveCloud, policy);

  const ports: RouterPorts = {
    clock,
    newId,
    sha256,
    catalogue,
    local,
    cloud,
    tokens,
    speeds,
    privacy: createPrivacyScan({ excluded: () => settings().excludedFiles }),
    ledger: opened.ledger,
    cache,
    checkCode: (answer) => checkCode(answer),
    ...(options.observer !== undefined && { observer: options.observer }),
    sleep,
    random: Math.random,
  };
  const scorer = createScorer(fitted, options.strategy);
  const { confidence } = tuning;
  const checkCode = createCodeCheck(say);
  const settings = (): Settings => {
    const chosen = own === undefined ? wanted : { ...wanted, cheap: own.id };
    const tuned =
      options.settings?.escalateShare === undefined
        ? tuning.settings(chosen, catalogue.registry())
        : chosen;
    return underPolicy(tuned, policy());
  };
  const router = createRouter({ ports, scorer, confidence, settings });
  const calibration = createCalibrationDesk({
    ...{ ports, router, fitted, shippedConfidence, checkCode, settings, tuning },
    questionsPath: join(shipped, 'checkable.jsonl'),
  });
  const explanations = openExplanations({ path: join(dataDir, 'explanations.sqlite'), clock });
  const history = openHistory({ path: join(dataDir, 'history.sqlite'), clock });
  const limits = (scope?: BudgetScope) => limitsOf(settings(), scope);
  const learn = async () => {
    if (opened.kind === 'open') tuning.learnFrom(await opened.ledger.reports.judged());
  };
  await learn();
  const ledgerFile = opened.kind === 'open' ? opened.ledger : undefined;

  function configure(change: Partial<AppSettings>): readonly string[] {
    const parsed = appSettingsSchema.safeParse(Object.assign({ ...wanted }, change));
    if (!parsed.success) {
      return parsed.error.issues.map(
        ({ path, message }) => `${path.join('.')}: ${message}; the setting was left as it was`,
      );
    }
    const problems: string[] = [];
    const { ownModelPath } = parsed.data;
    if (ownModelPath !== wanted.ownModelPath || (own === undefined && ownModelPath !== undefined)) {
      const read = ownModelPath === undefined ? undefined : ownModelFrom(ownModelPath);
      own = read?.kind === 'model' ? read.model : undefined;
      if (read?.kind === 'bad') problems.push(read.why);
    }
    const chosen = withKnownModels(parsed.data, catalogue.registry().models);
    wanted = chosen.settings;
    return [...problems, ...chosen.problems];
  }
  if (wanted.ownModelPath !== undefined) for (const problem of configure({})) say(problem);

  return {
    router,
    catalogue,
    local,
    ports,
    scorer,
    confidence,
    referenceModels: [...fitted.models.keys()],
    cache,
    calibration,
    dataDir,
    modelsDir,
    pricingPath,
    addModel: (path, given) =>
      addModel(path, { ...given, modelsDir, registryPath: join(dataDir, 'registry.yaml') }),
    settings,
    configure,
    setKey(key) {
      apiKey = key;
    },
    policy,
    testKey: async (signal) =>
      policy().localOnly
        ? { kind: 'failed', message: 'the administrator of this machine lets nothing leave it' }
        : apiKey === undefined
          ? { kind: 'failed', message: 'expected an API key, there is none; enter one first' }
          : await testKey(apiKey, signal),
    baseUrl: () => wanted.baseUrl ?? OPENAI_URL,
    ledgerProblem,
    ledgerTools() {
      if (opened.kind === 'unavailable') throw new LedgerUnavailableError(opened.why);
      return opened.ledger;
    },
    limits,
    budget: (scope) => opened.ledger.budget(limits(scope), scope),
    reports: openReports(opened, limits, history, router.recorded),
    async recordOutcome(promptId, verdict) {
      if (opened.kind === 'unavailable') throw new LedgerUnavailableError(opened.why);
      await router.recorded();
      await opened.ledger.judge(promptId, verdict);
      await learn();
    },
    onLedgerChanged: (listener) => ledgerFile?.onChanged(listener) ?? (() => {}),
    learning: {
      status: () => tuning.learned(catalogue.registry(), wanted),
      forget: (newest) => tuning.forget(newest, clock.now()),
    },
    explanations,
    history,
    async refreshPrices() {
      // It brings the price lists of all providers, ten megabytes in memory, which nothing else needs.
      const { refreshPriceFile } = await import('./models/priceFile.ts');
      return refreshPriceFile(pricingPath, catalogue.registry().models, clock.now());
    },
    async close() {
      await router.idle();
      await local.dispose();
      await tokens.dispose();
      speeds.flush();
      cache.close();
      explanations.close();
      history.close();
      if (opened.kind === 'open') await opened.ledger.close();
    },
  };
}

function startSettings(options: AppOptions): AppSettings {
  const budget = options.monthlyBudgetNanoUsd;
  return appSettingsSchema.parse({
    ...options.settings,
    baseUrl: options.baseUrl,
    monthlyBudgetNanoUsd: budget === null ? undefined : (budget ?? DEFAULT_MONTHLY_BUDGET_NANO_USD),
  });
}

async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal });
  } catch {
    // An abort ends the wait early; the caller looks at the signal.
  }
}
