/** `ledger compare`: our record beside OpenAI's own, which comes as a file; nothing is asked of any server. */
import { readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { App } from '../compose.ts';
import { exactUsd } from '../core/decimalUsd.ts';
import { failure } from '../core/errors.ts';
import {
  type Agreement,
  type ComparedRow,
  type Comparison,
  compareUsage,
} from '../core/usageComparison.ts';
import { parseUsageExport, type UsageExport } from '../core/usageExport.ts';
import { readEntries } from './accounts.ts';
import { exitCodes } from './exitCodes.ts';
import { printable, writeLine } from './io.ts';
import { badInput, fail, type Session, withApp } from './session.ts';
import { table } from './table.ts';

export interface CompareFlags {
  readonly usage: string;
  readonly project?: string;
  readonly apiKeyId?: string;
  readonly json?: boolean;
}

/** A year of days, models and keys is a few megabytes. */
const MAX_BYTES = 64_000_000;

export async function ledgerCompare(session: Session, flags: CompareFlags): Promise<number> {
  const { io } = session;
  const text = await readExport(resolve(io.cwd, flags.usage));
  if ('why' in text)
    return await badInput(
      io,
      `expected --usage to name a readable file, got ${flags.usage} (${text.why})`,
    );
  const parsed = parseUsageExport(text.content);
  if (parsed.kind === 'bad') return await badInput(io, printable(`${flags.usage}: ${parsed.why}`));
  const usage = only(parsed.usage, flags);
  if (typeof usage === 'string') return await badInput(io, usage);
  return await withApp(session, async (app) => {
    const problem = app.ledgerProblem();
    if (problem !== undefined) return await fail(io, failure('ledger_unavailable', problem));
    const entries = await readEntries(app, () => true);
    const compared = compareUsage({ usage, entries, apiModelOf: apiModels(app) });
    await writeLine(
      io.stdout,
      flags.json === true
        ? JSON.stringify(comparisonJson(compared))
        : printable(comparisonText(compared)),
    );
    return compared.agreement === 'differs' ? exitCodes.differs : exitCodes.ok;
  });
}

async function readExport(
  path: string,
): Promise<{ readonly content: string } | { readonly why: string }> {
  try {
    const { size } = await stat(path);
    if (size > MAX_BYTES)
      return { why: `${size} bytes, more than ${MAX_BYTES}; export fewer days` };
    return { content: await readFile(path, 'utf8') };
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    return { why: String(error.code) };
  }
}

/** An organization has other programs too; their rows can be told apart only where the export is grouped so. */
function only(usage: UsageExport, { project, apiKeyId }: CompareFlags): UsageExport | string {
  const filters = [
    ['project', 'projectId', project],
    ['api-key-id', 'apiKeyId', apiKeyId],
  ] as const;
  let { rows } = usage;
  for (const [flag, field, wanted] of filters) {
    if (wanted === undefined) continue;
    if (rows.some((row) => row[field] === undefined)) {
      return `expected an export grouped by ${flag.replaceAll('-', '_')} for --${flag}, got rows without it`;
    }
    rows = rows.filter((row) => row[field] === wanted);
  }
  return { ...usage, rows };
}

/** A model that has left the registry keeps its id as its name. */
function apiModels(app: App): (modelId: string) => string | undefined {
  const names = new Map<string, string | undefined>(
    app.catalogue
      .registry()
      .models.map((model) => [model.id, model.provider === 'openai' ? model.apiModel : undefined]),
  );
  return (modelId) => (names.has(modelId) ? names.get(modelId) : modelId);
}

const WORDS: Readonly<Record<Agreement, string>> = {
  equal: 'equal',
  explained: 'explained',
  differs: 'DIFFERS',
};

function comparisonText(compared: Comparison): string {
  const head = ['day', 'model', 'calls', 'input tokens', 'cached', 'output tokens', 'cost', ''];
  const rows = [...compared.rows, { day: 'total', model: '', ...compared.total }].map(cells);
  const { atBoundCalls, atBoundNanoUsd } = compared.total.ours;
  const notes = [
    ...(compared.openCalls > 0
      ? [`${calls(compared.openCalls)} not settled yet and in neither column of ours.`]
      : []),
    ...(atBoundCalls > 0
      ? [
          `${calls(atBoundCalls)} booked at the bound because the bill is unknown: ours may be above theirs by at most $${exactUsd(atBoundNanoUsd)}, and tokens of theirs above ours.`,
        ]
      : []),
    compared.holds === 'costs'
      ? 'Not in this export: calls and tokens. Each bill of ours is rounded up, by less than a nano-dollar; their amounts are summed as written and rounded once.'
      : 'Not in this export: amounts. Export costs too to compare them.',
    ...(compared.agreement === 'differs'
      ? [
          'A call around midnight UTC may stand on the next day with the provider; other programs with the same key stand in their column only (--project, --api-key-id).',
        ]
      : []),
  ];
  return [
    'ours - theirs = difference',
    '',
    table(head, rows),
    '',
    verdict(compared.agreement),
    ...notes,
  ].join('\n');
}

function verdict(agreement: Agreement): string {
  switch (agreement) {
    case 'equal':
      return 'The records agree: every figure is equal.';
    case 'explained':
      return 'The records agree: every difference is within rounding and unknown bills.';
    case 'differs':
      return 'The records differ.';
  }
}

function calls(count: number): string {
  return count === 1 ? '1 call is' : `${count} calls are`;
}

function cells({ day, model, ours, theirs, agreement }: ComparedRow): readonly string[] {
  const usd = (nano: number) => `$${exactUsd(nano)}`.replace('$-', '-$');
  const plain = (count: number) => `${count}`;
  return [
    day,
    model ?? 'all models',
    beside(ours.calls, theirs.calls, plain),
    beside(ours.inputTokens, theirs.inputTokens, plain),
    beside(ours.cachedInputTokens, theirs.cachedInputTokens, plain),
    beside(ours.outputTokens, theirs.outputTokens, plain),
    beside(ours.costNanoUsd, theirs.costNanoUsd, usd),
    WORDS[agreement],
  ];
}

/** `2 - 3 = -1`; ours alone where the export does not tell the figure. */
function beside(ours: number, theirs: number | undefined, show: (value: number) => string): string {
  if (theirs === undefined) return `${show(ours)} (ours)`;
  return `${show(ours)} - ${show(theirs)} = ${show(ours - theirs)}`;
}

function comparisonJson(compared: Comparison): Record<string, unknown> {
  const sides = ({ ours, theirs, agreement }: Comparison['total']) => ({
    agreement,
    ours: {
      calls: ours.calls,
      calls_at_bound: ours.atBoundCalls,
      input_tokens: ours.inputTokens,
      cached_input_tokens: ours.cachedInputTokens,
      output_tokens: ours.outputTokens,
      cost_usd: exactUsd(ours.costNanoUsd),
      at_bound_usd: exactUsd(ours.atBoundNanoUsd),
    },
    theirs: {
      calls: theirs.calls ?? null,
      input_tokens: theirs.inputTokens ?? null,
      cached_input_tokens: theirs.cachedInputTokens ?? null,
      output_tokens: theirs.outputTokens ?? null,
      cost_usd: theirs.costNanoUsd === undefined ? null : exactUsd(theirs.costNanoUsd),
    },
  });
  return {
    agreement: compared.agreement,
    export_holds: compared.holds,
    open_calls: compared.openCalls,
    total: sides(compared.total),
    rows: compared.rows.map(({ day, model, ...row }) => ({
      day,
      model: model ?? null,
      ...sides(row),
    })),
  };
}
