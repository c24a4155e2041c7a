/** A statement as files for other programs (CSV, JSON) and as text for people. Amounts of files have all nine decimals. */
import { exactUsd } from './decimalUsd.ts';
import { formatUsd } from './report.ts';
import { type Cell, csvRow } from './routeExport.ts';
import type { LineKind, Statement, StatementLine } from './statement.ts';

const COLUMNS = [
  'month',
  'line',
  'model',
  'answers',
  'calls',
  'input_tokens',
  'cached_input_tokens',
  'cache_write_tokens',
  'output_tokens',
  'reasoning_tokens',
  'without_usage',
  'amount_usd',
  'certainty',
  'in_total',
] as const;

/** The rows with `in_total` `yes` add up to the row `total`; the others stand beside it. */
export function statementCsv(statement: Statement): string {
  const { month, savings } = statement;
  const summary = (
    line: string,
    amount: number | undefined,
    certainty: string,
    model = '',
  ): string =>
    csvRow([
      month,
      line,
      model,
      ...Array<Cell>(8).fill(undefined),
      amount === undefined ? undefined : exactUsd(amount),
      certainty,
      'no',
    ]);
  const count = (line: string, answers: number, model = ''): string =>
    csvRow([month, line, model, answers, ...Array<Cell>(8).fill(undefined), 'exact', 'no']);
  return [
    csvRow(COLUMNS),
    ...statement.lines.map((line) =>
      csvRow([
        month,
        line.kind,
        line.modelId,
        line.answers,
        line.calls,
        line.tokens.input,
        line.tokens.cachedInput,
        line.tokens.cacheWrite,
        line.tokens.output,
        line.tokens.reasoning,
        line.withoutUsage,
        exactUsd(line.amountNanoUsd),
        line.certainty,
        line.booked ? 'yes' : 'no',
      ]),
    ),
    summary('total', statement.bookedNanoUsd, hasBounds(statement) ? 'at_most' : 'exact'),
    summary('ledger', statement.ledgerNanoUsd, statement.reconciles ? 'equal' : 'differs'),
    summary('baseline', savings.baselineNanoUsd, 'estimate', statement.baselineId),
    summary('saved', savings.savedNanoUsd, 'estimate', statement.baselineId),
    count('savings_known', savings.known, statement.baselineId),
    count('savings_unknown', savings.unknown, statement.baselineId),
    summary(
      'local_electricity',
      statement.electricityNanoUsd,
      statement.electricityNanoUsd === undefined ? 'unknown' : 'estimate',
    ),
  ].join('');
}

export function statementJson(statement: Statement): Record<string, unknown> {
  const { savings, electricityNanoUsd } = statement;
  return {
    month: statement.month,
    lines: statement.lines.map((line) => ({
      line: line.kind,
      model: line.modelId,
      answers: line.answers,
      calls: line.calls,
      input_tokens: line.tokens.input,
      cached_input_tokens: line.tokens.cachedInput,
      cache_write_tokens: line.tokens.cacheWrite,
      output_tokens: line.tokens.output,
      reasoning_tokens: line.tokens.reasoning,
      without_usage: line.withoutUsage,
      amount_usd: exactUsd(line.amountNanoUsd),
      certainty: line.certainty,
      in_total: line.booked,
    })),
    total_usd: exactUsd(statement.bookedNanoUsd),
    ledger_usd: exactUsd(statement.ledgerNanoUsd),
    held_usd: exactUsd(statement.heldNanoUsd),
    ledger_held_usd: exactUsd(statement.ledgerHeldNanoUsd),
    reconciles: statement.reconciles,
    baseline: statement.baselineId,
    baseline_usd: exactUsd(savings.baselineNanoUsd),
    saved_usd: exactUsd(savings.savedNanoUsd),
    savings_known: savings.known,
    savings_unknown: savings.unknown,
    local_answers: statement.localAnswers,
    local_electricity_usd_estimate:
      electricityNanoUsd === undefined ? null : exactUsd(electricityNanoUsd),
  };
}

/** Columns of text: what it is, how much of it, and what was booked for it. */
export function statementRows(
  statement: Statement,
  names: (modelId: string) => string,
): readonly (readonly string[])[] {
  return statement.lines.map((line) => [
    WORDS[line.kind],
    names(line.modelId),
    line.answers === 0 ? '' : `${line.answers}`,
    line.calls === 0 ? '' : `${line.calls}`,
    tokensText(line),
    amountText(line),
  ]);
}

const WORDS: Readonly<Record<LineKind, string>> = {
  answered: 'answered',
  no_answer: 'paid without an answer',
  audit: 'audits of local answers',
  at_bound: 'bill unknown',
  overrun: 'overrun',
  voided: 'voided, not billed',
  open_hold: 'held, not settled',
  cache: 'cached',
  local: 'local',
};

function tokensText({ tokens, withoutUsage }: StatementLine): string {
  const told =
    tokens.input + tokens.output === 0 ? [] : [`${tokens.input} in, ${tokens.output} out`];
  return [...told, ...(withoutUsage === 0 ? [] : [`${withoutUsage} unknown`])].join('; ');
}

function amountText(line: StatementLine): string {
  if (line.kind === 'cache') return 'cached';
  if (line.kind === 'local') return 'free';
  const amount = formatUsd(line.amountNanoUsd);
  return line.certainty === 'at_most' ? `at most ${amount}` : amount;
}

/** What stands under the table, one sentence a line. */
export function statementSummary(
  statement: Statement,
  names: (modelId: string) => string,
): readonly string[] {
  const { electricityNanoUsd, localAnswers } = statement;
  const atMost = hasBounds(statement) ? 'at most ' : '';
  const held =
    statement.heldNanoUsd > 0 ? `; at most ${formatUsd(statement.heldNanoUsd)} more is held` : '';
  return [
    `total ${atMost}${formatUsd(statement.bookedNanoUsd)}${held}`,
    reconciliation(statement),
    savingsText(statement, names(statement.baselineId)),
    electricityNanoUsd === undefined
      ? 'electricity of local answers: unknown (give watts and a price)'
      : `electricity of ${localAnswers} local ${localAnswers === 1 ? 'answer' : 'answers'}: ≈ ${formatUsd(electricityNanoUsd)}, not part of the total`,
  ];
}

function savingsText({ savings }: Statement, baseline: string): string {
  const { savedNanoUsd, known, unknown } = savings;
  const counts = `(${known} known, ${unknown} unknown)`;
  return savedNanoUsd < 0
    ? `cost ${formatUsd(-savedNanoUsd)} more than ${baseline} would have ${counts}`
    : `saved ${formatUsd(savedNanoUsd)} against ${baseline} ${counts}`;
}

/** Both figures in full, so that their equality means something. */
export function reconciliation(statement: Statement): string {
  const { bookedNanoUsd, ledgerNanoUsd, heldNanoUsd, ledgerHeldNanoUsd } = statement;
  if (statement.reconciles) {
    return `reconciles: $${exactUsd(bookedNanoUsd)} of lines = $${exactUsd(ledgerNanoUsd)} of ledger`;
  }
  return bookedNanoUsd === ledgerNanoUsd
    ? `does not reconcile: $${exactUsd(heldNanoUsd)} of open holds, $${exactUsd(ledgerHeldNanoUsd)} held in the ledger`
    : `does not reconcile: $${exactUsd(bookedNanoUsd)} of lines, $${exactUsd(ledgerNanoUsd)} of ledger`;
}

function hasBounds({ lines }: Statement): boolean {
  return lines.some(({ kind, amountNanoUsd }) => kind === 'at_bound' && amountNanoUsd > 0);
}
