/** The composition root: options -> App. The only place that knows both the core and the adapters. */
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import envPaths from 'env-paths';
import { abilityProblem } from './core/ability.ts';
import { type FittedConfidence, parseFittedConfidence } from './core/confidence.ts';
import { type Failure, failure } from './core/errors.ts';
import { type FittedScore, parseFittedScore } from './core/fittedScore.ts';
import type { BudgetLimits, Clock, RouterPorts } from './core/ports.ts';
import { createRouter, type Router } from './core/router.ts';
import { DEFAULT_MONTHLY_BUDGET_NANO_USD, type Settings, settingsSchema } from './core/schema.ts';
import { createScorer, type Scorer, type Strategy } from './core/score.ts';
import type { Model, NanoUsd } from './core/types.ts';
import { createCatalogue, type LiveCatalogue } from './models/catalogue.ts';
import { createLocalModels, type LocalModels } from './models/local.ts';
import { createCloudModels, OPENAI_URL } from './models/openai.ts';
import { utcDay } from './models/pricing.ts';
import { describeChange, refreshPrices, writePrices } from './models/refreshPrices.ts';
import { createSpeeds } from './models/speeds.ts';
import { createTokenCounter } from './models/tokenCounter.ts';
import { createSecretScan } from './privacy/secretScan.ts';
import { type OpenedCache, openCache } from './store/cache.ts';
import { openLedger } from './store/ledger.ts';

export interface AppOptions {
  /** Holds the ledger, the cache, measured speeds and model files. @default the user's data folder */
  readonly dataDir?: string;
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
  /** Told of what a person should know and the program survives: a bad edit of a file, a closed ledger. Never prompt text. */
  readonly onProblem?: (message: string) => void;
}

export interface App {
  readonly router: Router;
  readonly catalogue: LiveCatalogue;
  readonly local: LocalModels;
  readonly ports: RouterPorts;
  readonly scorer: Scorer;
  readonly confidence: FittedConfidence;
  /** Models whose outcomes the score was fitted on; they can be judged, not run. */
  readonly referenceModels: readonly string[];
  readonly cache: OpenedCache;
  readonly dataDir: string;
  readonly modelsDir: string;
  readonly pricingPath: string;
  settings(): Settings;
  limits(): BudgetLimits;
  /** Brings the price file up to the bundled price data; tells one line per change. */
  refreshPrices(): PricesRefreshed;
  /** Settles what is under way and closes everything. */
  close(): Promise<void>;
}

export type PricesRefreshed =
  | { readonly kind: 'refreshed'; readonly changes: readonly string[] }
  | { readonly kind: 'failed'; readonly failure: Failure };

/** A registry or price file that can't be read at the start; every mistake with its file and line. */
export class CatalogueError extends Error {
  override readonly name = 'CatalogueError';
}

export async function createApp(options: AppOptions = {}): Promise<App> {
  const dataDir = options.dataDir ?? envPaths('cost-aware-router', { suffix: '' }).data;
  const modelsDir = options.modelsDir ?? join(dataDir, 'models');
  mkdirSync(modelsDir, { recursive: true, mode: 0o700 });
  const say = options.onProblem ?? (() => {});
  const shipped = join(packageRoot(), 'models');
  const pricingPath = options.pricingPath ?? join(shipped, 'pricing.yaml');
  const registryPath = options.registryPath ?? join(shipped, 'registry.yaml');
  const fitted = parseFittedScore(await readJson(join(shipped, 'score.json')));
  const catalogue = openCatalogue(registryPath, pricingPath, dataDir, fitted, say);

  const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
  const newId = () => randomUUID();
  const opened = await openLedger({ path: join(dataDir, 'ledger.sqlite'), clock, newId, sha256 });
  if (opened.kind === 'unavailable') {
    say(`The ledger is closed, so answers stay local: ${opened.why}`);
  }
  const cache = openCache({ path: join(dataDir, 'cache.sqlite'), clock });
  const speeds = createSpeeds(join(dataDir, 'speeds.json'));
  const tokens = createTokenCounter({ deadlineMs: 500 });
  const local = createLocalModels({
    modelsDir,
    baseDir: dirname(registryPath),
    ...(options.threads === undefined ? {} : { threads: options.threads }),
  });
  const { apiKey, baseUrl } = options;
  const cloud = createCloudModels({
    // The key was given for one address; a model at any other gets none.
    key: (url) => (url === (baseUrl ?? OPENAI_URL) ? apiKey : undefined),
    ...(baseUrl === undefined ? {} : { openaiBaseUrl: baseUrl }),
  });

  const ports: RouterPorts = {
    clock,
    newId,
    sha256,
    catalogue,
    local,
    cloud,
    tokens,
    speeds,
    privacy: createSecretScan(),
    ledger: opened.ledger,
    cache,
    sleep,
    random: Math.random,
  };
  const budget = options.monthlyBudgetNanoUsd;
  const settings = settingsSchema.parse({
    ...options.settings,
    monthlyBudgetNanoUsd: budget === null ? undefined : (budget ?? DEFAULT_MONTHLY_BUDGET_NANO_USD),
  });
  const scorer = createScorer(fitted, options.strategy);
  const confidence = parseFittedConfidence(await readJson(join(shipped, 'confidence.json')));
  const router = createRouter({ ports, scorer, confidence, settings: () => settings });

  return {
    router,
    catalogue,
    local,
    ports,
    scorer,
    confidence,
    referenceModels: [...fitted.models.keys()],
    cache,
    dataDir,
    modelsDir,
    pricingPath,
    settings: () => settings,
    limits: () => ({ monthlyNanoUsd: settings.monthlyBudgetNanoUsd }),
    refreshPrices: () => refreshPriceFile(pricingPath, catalogue.registry().models),
    async close() {
      await router.idle();
      await local.dispose();
      await tokens.dispose();
      speeds.flush();
      cache.close();
      if (opened.kind === 'open') await opened.ledger.close();
    },
  };
}

const clock: Clock = { now: () => Date.now(), monotonicMs: () => performance.now() };

function openCatalogue(
  registryPath: string,
  pricingPath: string,
  dataDir: string,
  fitted: FittedScore,
  say: (message: string) => void,
): LiveCatalogue {
  const opened = createCatalogue({
    registryPath,
    pricingPath,
    // A user's own models and prices lie beside the ledger and survive an update of the package.
    overlays: [
      {
        registryPath: join(dataDir, 'registry.yaml'),
        pricingPath: join(dataDir, 'pricing.yaml'),
      },
    ],
    onProblem: (problem) => say(problem.message),
    abilityProblem: (ability) => abilityProblem(fitted, ability),
    clock,
  });
  if (opened.kind === 'ready') return opened.catalogue;
  throw new CatalogueError(opened.problems.map(({ message }) => message).join('\n'));
}

function refreshPriceFile(pricingPath: string, models: readonly Model[]): PricesRefreshed {
  const refreshed = refreshPrices({ pricingPath, models, today: utcDay(clock.now()) });
  if (refreshed.kind === 'failed') {
    const message = refreshed.problems.map((problem) => problem.message).join('\n');
    return { kind: 'failed', failure: failure('bad_request', message) };
  }
  try {
    writePrices(pricingPath, refreshed.text);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    const message = `expected to write ${pricingPath}, got ${String(error.code)}; copy the file to a folder of yours and name it with --pricing`;
    return { kind: 'failed', failure: failure('bad_request', message) };
  }
  return { kind: 'refreshed', changes: refreshed.changes.map(describeChange) };
}

/** The folder of package.json, from the sources as well as from the bundle. */
function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'models', 'registry.yaml'))) {
    const parent = dirname(folder);
    if (parent === folder) {
      throw new Error(
        'expected models/registry.yaml above the program, found none; reinstall the package',
      );
    }
    folder = parent;
  }
  return folder;
}

async function readJson(path: string): Promise<unknown> {
  return JSON.parse(await readFile(path, 'utf8'));
}

async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal });
  } catch {
    // An abort ends the wait early; the caller looks at the signal.
  }
}
