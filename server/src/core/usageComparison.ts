/**
 * Our record beside the provider's, by UTC day and model. A difference is either explained, by rules that give its exact
 * limits, or it is a difference; nothing is tolerated by a margin.
 */
import type { AccountEntry } from './accountEntries.ts';
import { dayOf } from './budget.ts';
import { addDecimal, type DecimalUsd, nearestNanoUsd, ZERO_DECIMAL } from './decimalUsd.ts';
import { sumUsd } from './price.ts';
import type { NanoUsd } from './types.ts';
import type { ExportRow, UsageExport } from './usageExport.ts';

export interface Ours {
  /** Calls with a bill, known or not. Voided calls and holds have none. */
  readonly calls: number;
  /** Those among them whose bill is not known; their tokens are not either. */
  readonly atBoundCalls: number;
  readonly inputTokens: number;
  readonly cachedInputTokens: number;
  readonly outputTokens: number;
  readonly costNanoUsd: NanoUsd;
  /** The part of the cost that is a bound in place of a bill: the true one is at most this. */
  readonly atBoundNanoUsd: NanoUsd;
}

/** What the export does not hold is `undefined`. */
export interface Theirs {
  readonly calls: number | undefined;
  readonly inputTokens: number | undefined;
  readonly cachedInputTokens: number | undefined;
  readonly outputTokens: number | undefined;
  readonly costNanoUsd: number | undefined;
}

/** `explained`: not equal, but within what roundings and unknown bills account for, to the last unit. */
export type Agreement = 'equal' | 'explained' | 'differs';

export interface ComparedRow {
  readonly day: string;
  /** The provider's name of the model; `undefined` where the export sums over all models. */
  readonly model: string | undefined;
  readonly ours: Ours;
  readonly theirs: Theirs;
  readonly agreement: Agreement;
}

export interface Comparison {
  readonly holds: UsageExport['holds'];
  readonly rows: readonly ComparedRow[];
  readonly total: Omit<ComparedRow, 'day' | 'model'>;
  readonly agreement: Agreement;
  /** Calls under way or not yet settled on these days: their bills are in neither sum. */
  readonly openCalls: number;
}

export interface ComparisonInput {
  readonly usage: UsageExport;
  readonly entries: readonly AccountEntry[];
  /** The provider's name of one of our models; `undefined` for a model of another provider. */
  readonly apiModelOf: (modelId: string) => string | undefined;
}

export function compareUsage({ usage, entries, apiModelOf }: ComparisonInput): Comparison {
  // An export that is not grouped by model can only be compared as a whole.
  const grouped = usage.rows.length === 0 || usage.rows.some(({ model }) => model !== undefined);
  const ours = new Map<
    string,
    { day: string; model: string | undefined; entries: AccountEntry[] }
  >();
  let openCalls = 0;
  const names = new Set<string>();
  for (const entry of entries) {
    const apiModel = apiModelOf(entry.modelId);
    if (apiModel === undefined || entry.dispatchedAtMs === undefined) continue;
    const day = dayOf(entry.dispatchedAtMs);
    if (!usage.days.has(day)) continue;
    if (entry.state === 'dispatched') openCalls += 1;
    if (entry.state === 'voided' || entry.state === 'dispatched') continue;
    names.add(apiModel);
    const model = grouped ? apiModel : undefined;
    const key = keyOf(day, model);
    const cell = ours.get(key) ?? { day, model, entries: [] };
    cell.entries.push(entry);
    ours.set(key, cell);
  }
  const theirs = new Map<string, { day: string; model: string | undefined; rows: ExportRow[] }>();
  for (const row of usage.rows) {
    const model = row.model === undefined ? undefined : nameAmong(row.model, names);
    const key = keyOf(row.day, model);
    const cell = theirs.get(key) ?? { day: row.day, model, rows: [] };
    cell.rows.push(row);
    theirs.set(key, cell);
  }
  const keys = [...new Set([...ours.keys(), ...theirs.keys()])].sort();
  const rows = keys.map((key): ComparedRow => {
    const our = ours.get(key);
    const their = theirs.get(key);
    const sums = sumOurs(our?.entries ?? []);
    const told = sumTheirs(their?.rows ?? [], usage.holds);
    return {
      day: our?.day ?? their?.day ?? '',
      model: our?.model ?? their?.model,
      ours: sums,
      theirs: told,
      agreement: agreementOf(sums, told),
    };
  });
  const total = {
    ours: sumOurs([...ours.values()].flatMap((cell) => cell.entries)),
    theirs: sumTheirs(usage.rows, usage.holds),
  };
  const totalAgreement = agreementOf(total.ours, total.theirs);
  const all = [...rows.map(({ agreement }) => agreement), totalAgreement];
  return {
    holds: usage.holds,
    rows,
    total: { ...total, agreement: totalAgreement },
    agreement: all.includes('differs')
      ? 'differs'
      : all.includes('explained')
        ? 'explained'
        : 'equal',
    openCalls,
  };
}

function keyOf(day: string, model: string | undefined): string {
  return JSON.stringify([day, model ?? null]);
}

/** The provider bills a dated snapshot (`gpt-6-sol-2026-08-07`) of a model that was asked for by its plain name. */
function nameAmong(theirs: string, ours: ReadonlySet<string>): string {
  if (ours.has(theirs)) return theirs;
  const plain = theirs.replace(/-\d{4}-\d{2}-\d{2}$/, '');
  return ours.has(plain) ? plain : theirs;
}

function sumOurs(entries: readonly AccountEntry[]): Ours {
  const unknown = entries.filter(({ state }) => state === 'settled_at_bound');
  const amount = (some: readonly AccountEntry[]) =>
    sumUsd(some.map(({ amountNanoUsd }) => amountNanoUsd));
  const tokens = (of: (entry: AccountEntry) => number | undefined) =>
    entries.reduce((sum, entry) => sum + (of(entry) ?? 0), 0);
  return {
    calls: entries.length,
    atBoundCalls: unknown.length,
    inputTokens: tokens(({ usage }) => usage?.inputTokens),
    cachedInputTokens: tokens(({ usage }) => usage?.cachedInputTokens),
    outputTokens: tokens(({ usage }) => usage?.outputTokens),
    costNanoUsd: amount(entries),
    atBoundNanoUsd: amount(unknown),
  };
}

/** No row of a day is a zero: the export covers the day and names nothing. */
function sumTheirs(rows: readonly ExportRow[], holds: UsageExport['holds']): Theirs {
  const sum = (of: (row: ExportRow) => number | undefined) =>
    rows.reduce((all, row) => all + (of(row) ?? 0), 0);
  if (holds === 'usage') {
    const cachedTold = rows.every(({ cachedInputTokens }) => cachedInputTokens !== undefined);
    return {
      calls: sum(({ calls }) => calls),
      inputTokens: sum(({ inputTokens }) => inputTokens),
      cachedInputTokens: cachedTold ? sum(({ cachedInputTokens }) => cachedInputTokens) : undefined,
      outputTokens: sum(({ outputTokens }) => outputTokens),
      costNanoUsd: undefined,
    };
  }
  const cost = rows.reduce<DecimalUsd>(
    (all, row) => addDecimal(all, row.cost ?? ZERO_DECIMAL),
    ZERO_DECIMAL,
  );
  return {
    calls: undefined,
    inputTokens: undefined,
    cachedInputTokens: undefined,
    outputTokens: undefined,
    costNanoUsd: nearestNanoUsd(cost),
  };
}

/**
 * What explains a difference, and how far: each of our bills is rounded up, by less than a nano-dollar; their sum is
 * rounded to the nearest one; and a bill that we don't know lies between nothing and its bound, with any tokens.
 */
function agreementOf(ours: Ours, theirs: Theirs): Agreement {
  const unknown = ours.atBoundCalls;
  const settled = ours.calls - unknown;
  const limits: readonly (readonly [told: number | undefined, least: number, most: number])[] = [
    [theirs.calls, settled, ours.calls],
    ...[
      [theirs.inputTokens, ours.inputTokens] as const,
      [theirs.cachedInputTokens, ours.cachedInputTokens] as const,
      [theirs.outputTokens, ours.outputTokens] as const,
    ].map(
      ([told, known]) => [told, known, unknown > 0 ? Number.POSITIVE_INFINITY : known] as const,
    ),
    [theirs.costNanoUsd, ours.costNanoUsd - ours.atBoundNanoUsd - settled, ours.costNanoUsd],
  ];
  const told = limits.filter(([value]) => value !== undefined);
  if (!told.every(([value = 0, least, most]) => value >= least && value <= most)) return 'differs';
  const equal =
    unknown === 0 && (theirs.costNanoUsd === undefined || theirs.costNanoUsd === ours.costNanoUsd);
  return equal ? 'equal' : 'explained';
}
