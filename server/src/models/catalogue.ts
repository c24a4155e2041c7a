/**
 * The registry and the prices in force, from their files and from what a user lays over them.
 * Both follow edits while the program runs; each keeps its own last good version.
 */
import type { Catalogue, Clock } from '../core/ports.ts';
import type { PriceRow, Registry } from '../core/types.ts';
import { type FileText, type LiveFile, openLiveFiles } from './liveFiles.ts';
import { parsePricing, rowInForce, utcDay } from './pricing.ts';
import { type AbilityProblem, parseOverlay, parseRegistry } from './registry.ts';
import type { FileProblem, Parsed } from './yamlFile.ts';

interface CataloguePaths {
  readonly registryPath: string;
  readonly pricingPath: string;
}

export interface CatalogueOptions extends CataloguePaths {
  /** A user's own files, laid over the shipped ones in this order. One that does not exist is no mistake. */
  readonly overlays?: readonly Partial<CataloguePaths>[];
  /** Told of every mistake of an edit, once per edit. */
  readonly onProblem: (problem: FileProblem) => void;
  /** Asked of every model's ability. @default none is objected to */
  readonly abilityProblem?: AbilityProblem;
  /** @default the machine's own */
  readonly clock?: Pick<Clock, 'monotonicMs'>;
}

export interface LiveCatalogue extends Catalogue {
  /** Mistakes that keep the newest version of a file out of force. */
  problems(): readonly FileProblem[];
  /** Rows in force for enabled models that nobody has compared with their source for 60 days. */
  stalePrices(nowMs: number): readonly PriceRow[];
}

export type CatalogueResult =
  | { readonly kind: 'ready'; readonly catalogue: LiveCatalogue }
  | { readonly kind: 'failed'; readonly problems: readonly FileProblem[] };

const DAY_MS = 24 * 60 * 60 * 1000;
const STALE_AFTER_MS = 60 * DAY_MS;

export function createCatalogue(options: CatalogueOptions): CatalogueResult {
  const { onProblem, clock, overlays = [] } = options;
  const shared = { onProblem, monotonicMs: () => clock?.monotonicMs() ?? performance.now() };
  const registry = openLiveFiles({
    ...shared,
    files: layers(
      options.registryPath,
      overlays.map((one) => one.registryPath),
    ),
    build: (texts) => buildRegistry(texts, options.abilityProblem),
  });
  const prices = openLiveFiles({
    ...shared,
    files: layers(
      options.pricingPath,
      overlays.map((one) => one.pricingPath),
    ),
    build: buildPrices,
  });
  if (registry.kind === 'failed' || prices.kind === 'failed') {
    const problems = [registry, prices].flatMap((one) =>
      one.kind === 'failed' ? one.problems : [],
    );
    return { kind: 'failed', problems };
  }

  const dayOf = createDays();
  const price = (modelId: string, atMs: number) =>
    rowInForce(prices.live.value().get(modelId) ?? [], modelId, dayOf(atMs));
  return {
    kind: 'ready',
    catalogue: {
      registry: () => registry.live.value(),
      price,
      problems: () => [...registry.live.problems(), ...prices.live.problems()],
      stalePrices: (nowMs) =>
        registry.live
          .value()
          .models.filter((model) => model.enabled && model.provider !== 'local')
          .flatMap((model) => price(model.id, nowMs) ?? [])
          .filter((row) => nowMs - Date.parse(row.checkedAt) > STALE_AFTER_MS && !isFree(row)),
    },
  };
}

/** Writing a date is dear beside the rest of a decision, and it changes once a day. */
function createDays(): (atMs: number) => string {
  let number: number | undefined;
  let day = '';
  return (atMs) => {
    const next = Math.floor(atMs / DAY_MS);
    if (next !== number) day = utcDay(atMs);
    number = next;
    return day;
  };
}

function layers(first: string, over: readonly (string | undefined)[]): readonly LiveFile[] {
  return [
    { path: first, optional: false },
    ...over.flatMap((path) => (path === undefined ? [] : [{ path, optional: true }])),
  ];
}

function buildRegistry(
  texts: readonly FileText[],
  abilityProblem: AbilityProblem | undefined,
): Parsed<Registry> {
  const [first, ...over] = texts;
  if (first === undefined) throw new Error('expected the shipped registry among the files');
  return over.reduce<Parsed<Registry>>(
    (below, { path, text }) =>
      below.kind === 'ok' ? parseOverlay(path, text, below.value, abilityProblem) : below,
    parseRegistry(first.path, first.text, abilityProblem),
  );
}

type RowsByModel = ReadonlyMap<string, readonly PriceRow[]>;

/** A later layer's row replaces one of the same model and day; all others stand side by side. */
function buildPrices(texts: readonly FileText[]): Parsed<RowsByModel> {
  const rows = new Map<string, PriceRow>();
  for (const { path, text } of texts) {
    const parsed = parsePricing(path, text);
    if (parsed.kind === 'bad') return parsed;
    for (const row of parsed.value) rows.set(row.id, row);
  }
  return { kind: 'ok', value: Map.groupBy(rows.values(), (row) => row.model) };
}

/** A free price is a decision of the user (own hardware), not a figure that ages. */
function isFree(row: PriceRow): boolean {
  return [row.base, ...row.tiers.map((tier) => tier.rates)].every(
    (rates) => rates.inputPicoUsd === 0 && rates.outputPicoUsd === 0,
  );
}
