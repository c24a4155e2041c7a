/**
 * A month's account. Every call of the ledger stands on exactly one line; the lines that were booked are summed and held
 * against the ledger's own counter, which is kept apart from the events that the lines come from.
 */
import type { AccountEntry } from './accountEntries.ts';
import { type ElectricityRate, electricityCost } from './electricity.ts';
import { assertNever } from './errors.ts';
import { addUsd, sumUsd, ZERO_USD } from './price.ts';
import type { RouteRow } from './routeReports.ts';
import type { NanoUsd, Usage } from './types.ts';

export type LineKind =
  /** Bills of prompts that got an answer. */
  | 'answered'
  /** Bills of prompts that got none: cancelled, failed. */
  | 'no_answer'
  /** Bills of audits: what a local model had answered was asked of the baseline, too. */
  | 'audit'
  /** The true bill is unknown, so the bound was booked. */
  | 'at_bound'
  /** Bills above their bound. */
  | 'overrun'
  /** Proved unbilled. */
  | 'voided'
  /** Holds of calls under way; not booked. */
  | 'open_hold'
  | 'cache'
  | 'local';

/** In the order of the statement. */
const KINDS: readonly LineKind[] = [
  'answered',
  'no_answer',
  'audit',
  'at_bound',
  'overrun',
  'voided',
  'open_hold',
  'cache',
  'local',
];

export interface TokenSums {
  readonly input: number;
  readonly cachedInput: number;
  readonly cacheWrite: number;
  readonly output: number;
  readonly reasoning: number;
}

export interface StatementLine {
  readonly kind: LineKind;
  readonly modelId: string;
  /** Complete answers that came from this model in this way. */
  readonly answers: number;
  /** Calls of the provider; none for cached and local answers. */
  readonly calls: number;
  readonly tokens: TokenSums;
  /** Bills and local answers whose tokens nobody told; they are not in `tokens`. */
  readonly withoutUsage: number;
  readonly amountNanoUsd: NanoUsd;
  /** `at_most` marks a bound that stands in for a bill that is not known (yet). */
  readonly certainty: 'exact' | 'at_most';
  /** Whether the amount is part of what was booked. */
  readonly booked: boolean;
}

export interface Statement {
  readonly month: string;
  readonly lines: readonly StatementLine[];
  /** Sum of the booked lines. */
  readonly bookedNanoUsd: NanoUsd;
  /** What the ledger's counter says was spent. */
  readonly ledgerNanoUsd: NanoUsd;
  readonly heldNanoUsd: NanoUsd;
  readonly ledgerHeldNanoUsd: NanoUsd;
  readonly reconciles: boolean;
  readonly baselineId: string;
  readonly savings: {
    /** Sums over the answers whose savings are known. */
    readonly savedNanoUsd: number;
    readonly baselineNanoUsd: NanoUsd;
    readonly known: number;
    readonly unknown: number;
  };
  readonly localAnswers: number;
  /** `undefined` where nobody gave watts and a price. An estimate, no part of any sum here. */
  readonly electricityNanoUsd: NanoUsd | undefined;
}

export interface StatementInput {
  readonly month: string;
  readonly entries: readonly AccountEntry[];
  readonly routes: readonly RouteRow[];
  /** Prompts with a complete answer, also those that were recorded in another month than their calls were reserved. */
  readonly answeredPrompts: ReadonlySet<string>;
  readonly counters: { readonly spentNanoUsd: NanoUsd; readonly heldNanoUsd: NanoUsd };
  readonly baselineId: string;
  readonly electricity: ElectricityRate | undefined;
}

const NO_TOKENS: TokenSums = { input: 0, cachedInput: 0, cacheWrite: 0, output: 0, reasoning: 0 };

export function statementOf(input: StatementInput): Statement {
  const lines = new Map<string, StatementLine>();
  const change = (kind: LineKind, modelId: string, to: (line: StatementLine) => StatementLine) => {
    const key = JSON.stringify([kind, modelId]);
    lines.set(key, to(lines.get(key) ?? emptyLine(kind, modelId)));
  };

  for (const entry of input.entries) {
    change(kindOf(entry, input.answeredPrompts), entry.modelId, (line) => ({
      ...line,
      calls: line.calls + 1,
      tokens: addTokens(line.tokens, entry.usage),
      withoutUsage: line.withoutUsage + (isBilledWithoutUsage(entry) ? 1 : 0),
      amountNanoUsd: addUsd(line.amountNanoUsd, entry.amountNanoUsd),
    }));
  }
  const complete = input.routes.filter(({ status }) => status === 'complete');
  for (const { served, modelId, ...route } of complete) {
    if (served === 'none' || modelId === undefined) continue;
    const kind = served === 'cloud' ? 'answered' : served;
    change(kind, modelId, (line) => ({
      ...line,
      answers: line.answers + 1,
      // Tokens of paid answers come from the bills; those of local ones are told by the answer itself.
      ...(kind === 'local' && {
        tokens: addTokens(line.tokens, usageOfRoute(route)),
        withoutUsage: line.withoutUsage + (isTold(usageOfRoute(route)) ? 0 : 1),
      }),
    }));
  }

  const ordered = [...lines.values()].sort(
    (a, b) =>
      KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind) ||
      b.amountNanoUsd - a.amountNanoUsd ||
      (a.modelId < b.modelId ? -1 : 1),
  );
  const sum = (some: readonly StatementLine[]) =>
    sumUsd(some.map(({ amountNanoUsd }) => amountNanoUsd));
  const bookedNanoUsd = sum(ordered.filter(({ booked }) => booked));
  const heldNanoUsd = sum(ordered.filter(({ kind }) => kind === 'open_hold'));
  const { spentNanoUsd, heldNanoUsd: ledgerHeldNanoUsd } = input.counters;
  const local = complete.filter(({ served }) => served === 'local');
  return {
    month: input.month,
    lines: ordered,
    bookedNanoUsd,
    ledgerNanoUsd: spentNanoUsd,
    heldNanoUsd,
    ledgerHeldNanoUsd,
    reconciles: bookedNanoUsd === spentNanoUsd && heldNanoUsd === ledgerHeldNanoUsd,
    baselineId: input.baselineId,
    savings: savingsOfRoutes(input.routes),
    localAnswers: local.length,
    electricityNanoUsd:
      input.electricity &&
      electricityCost(
        local.map(({ latencyMs }) => latencyMs),
        input.electricity,
      ),
  };
}

function kindOf(entry: AccountEntry, answered: ReadonlySet<string>): LineKind {
  switch (entry.state) {
    case 'reserved':
    case 'dispatched':
      return 'open_hold';
    case 'settled_at_bound':
      return 'at_bound';
    case 'overrun':
    case 'voided':
      return entry.state;
    case 'settled':
      if (entry.purpose === 'audit') return 'audit';
      return entry.promptId !== undefined && answered.has(entry.promptId)
        ? 'answered'
        : 'no_answer';
    default:
      return assertNever(entry.state);
  }
}

function emptyLine(kind: LineKind, modelId: string): StatementLine {
  return {
    kind,
    modelId,
    answers: 0,
    calls: 0,
    tokens: NO_TOKENS,
    withoutUsage: 0,
    amountNanoUsd: ZERO_USD,
    certainty: kind === 'at_bound' || kind === 'open_hold' ? 'at_most' : 'exact',
    booked:
      kind === 'answered' ||
      kind === 'no_answer' ||
      kind === 'audit' ||
      kind === 'at_bound' ||
      kind === 'overrun',
  };
}

function isBilledWithoutUsage({ state, usage }: AccountEntry): boolean {
  if (state === 'settled_at_bound') return true;
  return (state === 'settled' || state === 'overrun') && !isTold(usage);
}

function isTold(usage: Usage | undefined): boolean {
  return usage?.inputTokens !== undefined && usage.outputTokens !== undefined;
}

function addTokens(sums: TokenSums, usage: Usage | undefined): TokenSums {
  if (usage === undefined) return sums;
  return {
    input: sums.input + (usage.inputTokens ?? 0),
    cachedInput: sums.cachedInput + (usage.cachedInputTokens ?? 0),
    cacheWrite: sums.cacheWrite + (usage.cacheWriteTokens ?? 0),
    output: sums.output + (usage.outputTokens ?? 0),
    reasoning: sums.reasoning + (usage.reasoningTokens ?? 0),
  };
}

function usageOfRoute(route: Pick<RouteRow, 'inputTokens' | 'outputTokens'>): Usage {
  return {
    inputTokens: route.inputTokens,
    outputTokens: route.outputTokens,
    cachedInputTokens: undefined,
    cacheWriteTokens: undefined,
    reasoningTokens: undefined,
  };
}

function savingsOfRoutes(routes: readonly RouteRow[]): Statement['savings'] {
  let savedNanoUsd = 0;
  let baselineNanoUsd = ZERO_USD;
  let known = 0;
  for (const route of routes) {
    if (route.savedNanoUsd === undefined) continue;
    known += 1;
    savedNanoUsd += route.savedNanoUsd;
    baselineNanoUsd = addUsd(baselineNanoUsd, route.baselineNanoUsd ?? ZERO_USD);
  }
  return { savedNanoUsd, baselineNanoUsd, known, unknown: routes.length - known };
}
