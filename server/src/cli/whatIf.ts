/** `whatif`: past prompts through the router without spending, or the tokens of a usage export at the prices of every model. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { App } from '../compose.ts';
import { type PastCall, pastCallOf } from '../core/pastCall.ts';
import { dollars } from '../core/price.ts';
import { formatUsd, labelOf } from '../core/report.ts';
import { MAX_PROMPT_CHARS } from '../core/schema.ts';
import type { PriceRow, Usage } from '../core/types.ts';
import { parseUsageExport, type UsageExport } from '../core/usageExport.ts';
import { type PastPrompt, type Sum, type WhatIf, whatIfOf } from '../core/whatIf.ts';
import { exitCodes } from './exitCodes.ts';
import { type CliIo, printable, writeLine } from './io.ts';
import { readJsonLines } from './jsonLines.ts';
import { badInput, type Session, withApp } from './session.ts';
import { table } from './table.ts';
import { showExport } from './whatIfExport.ts';

export interface WhatIfFlags {
  readonly json?: boolean;
}

const MAX_EXPORT_BYTES = 64_000_000;

export async function whatIf(session: Session, given: string, flags: WhatIfFlags): Promise<number> {
  const { io } = session;
  const path = resolve(io.cwd, given);
  const files = await logsAt(path);
  if (typeof files === 'string')
    return await badInput(
      io,
      `expected a readable file or folder of .jsonl files, got ${given} (${files})`,
    );
  const usage = files.length === 1 ? await exportIn(files[0] ?? path) : undefined;
  return await withApp(
    session,
    async (app) => {
      if (usage !== undefined) return await showExport(io, app, usage, flags.json === true);
      const read = await readPast(io, app, files);
      if (io.signal.aborted) return exitCodes.cancelled;
      if (read.past.length === 0) {
        return await badInput(
          io,
          `expected prompts or a usage export in ${given}, found none${read.bad > 0 ? `; ${read.bad} lines were no prompts` : ''}`,
        );
      }
      const result = whatIfOf(read.past, pricesOf(app));
      await writeLine(
        io.stdout,
        flags.json === true
          ? JSON.stringify(whatIfJson(result, baselineId(app), read.bad))
          : printable(whatIfText(result, app, read.bad)),
      );
      return read.bad === 0 ? exitCodes.ok : exitCodes.usage;
    },
    // Looking back is no use of the budget, and a used-up one must not change what comes out.
    { monthlyBudgetNanoUsd: null },
  );
}

/** The files, or why there are none. */
async function logsAt(path: string): Promise<readonly string[] | string> {
  try {
    if (!(await stat(path)).isDirectory()) return [path];
    const names = await readdir(path, { recursive: true });
    const logs = names.filter((name) => /\.(jsonl|ndjson)$/i.test(name)).sort();
    return logs.length === 0 ? 'no .jsonl file in it' : logs.map((name) => join(path, name));
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    return String(error.code);
  }
}

/** `undefined` when the file is none of OpenAI's exports. */
async function exportIn(path: string): Promise<UsageExport | undefined> {
  if (/\.(jsonl|ndjson)$/i.test(path) || (await stat(path)).size > MAX_EXPORT_BYTES)
    return undefined;
  const parsed = parseUsageExport(await readFile(path, 'utf8'));
  return parsed.kind === 'ok' ? parsed.usage : undefined;
}

interface ReadPast {
  readonly past: readonly PastPrompt[];
  /** Lines that are no prompts; each was told on stderr. */
  readonly bad: number;
}

async function readPast(io: CliIo, app: App, files: readonly string[]): Promise<ReadPast> {
  const past: PastPrompt[] = [];
  let bad = 0;
  for (const file of files) {
    for await (const entry of readJsonLines(file, io)) {
      if (io.signal.aborted) return { past, bad };
      const parsed = entry.kind === 'bad' ? entry : pastCallOf(entry.value);
      const why =
        parsed.kind === 'bad' ? ('why' in parsed ? parsed.why : parsed.message) : undefined;
      if (parsed.kind === 'bad' || parsed.call.text.length > MAX_PROMPT_CHARS) {
        bad += 1;
        await writeLine(
          io.stderr,
          printable(`${file}:${entry.line}: ${why ?? 'the prompt is too long'}`),
        );
        continue;
      }
      past.push(await judged(app, parsed.call));
    }
  }
  return { past, bad };
}

/** The scan for secrets runs as it would have: what must stay here would not have gone to the cloud. */
async function judged(app: App, call: PastCall): Promise<PastPrompt> {
  const { ports, router } = app;
  const decision = await router.decide(
    {
      id: ports.newId(),
      text: call.text,
      context: [],
      history: call.history,
      constraints: {},
      ...(call.instructions === undefined ? {} : { instructions: call.instructions }),
    },
    { assumeAvailable: true },
  );
  const model = app.catalogue
    .registry()
    .models.find(
      (one) => one.provider !== 'local' && (one.apiModel === call.model || one.id === call.model),
    );
  return {
    decision,
    usage: call.usage ?? (await estimated(app, call)),
    usageTold: call.usage !== undefined,
    paidRow: model && app.catalogue.price(model.id, ports.clock.now()),
  };
}

async function estimated(app: App, call: PastCall): Promise<Usage> {
  const { tokens } = app.ports;
  const texts = [call.instructions ?? '', ...call.history.map(({ text }) => text), call.text];
  return {
    inputTokens: await tokens.count(texts.join('\n')),
    outputTokens:
      call.answer === undefined
        ? app.settings().expectedOutputTokens
        : await tokens.count(call.answer),
    cachedInputTokens: undefined,
    cacheWriteTokens: undefined,
    reasoningTokens: undefined,
  };
}

function baselineId(app: App): string {
  return app.settings().baseline ?? app.catalogue.registry().defaults.baseline;
}

function pricesOf(app: App) {
  const { models } = app.catalogue.registry();
  const of = (id: string): PriceRow | undefined => app.catalogue.price(id, app.ports.clock.now());
  const local = new Set(models.filter(({ provider }) => provider === 'local').map(({ id }) => id));
  return { baseline: of(baselineId(app)), of, isLocal: (id: string) => local.has(id) };
}

function whatIfText(result: WhatIf, app: App, bad: number): string {
  const labels = labelOf(app.catalogue.registry());
  const share = (count: number) => `${Math.round((count / result.prompts) * 100)} %`;
  const { baseline, routed, paid } = result;
  const lines = [
    `${result.prompts} prompts: ${share(result.local)} local, ${share(result.cloud)} cloud at once, ≈ ${result.expectedDeferrals.toFixed(1)} local drafts deferred`,
    ...(result.keptPrivate > 0
      ? [`${result.keptPrivate} kept local because of what stands in them`]
      : []),
    ...(result.refused > 0 ? [`${result.refused} that no model could have answered`] : []),
    '',
    table(
      ['', 'cost', ''],
      [
        ['routed', `≈ ${formatUsd(routed.costNanoUsd)}`, unknownText(routed)],
        [
          `all by ${labels(baselineId(app))}`,
          `≈ ${formatUsd(baseline.costNanoUsd)}`,
          unknownText(baseline),
        ],
        ['paid then', formatUsd(paid.costNanoUsd), unknownText(paid)],
      ],
    ),
    savedText(result, labels(baselineId(app))),
    '',
    table(
      ['would have answered', 'prompts', 'cost'],
      result.models.map(({ modelId, prompts, costNanoUsd }) => [
        labels(modelId),
        String(prompts),
        `≈ ${formatUsd(costNanoUsd)}`,
      ]),
    ),
    '',
    `Prices of today. ${result.estimatedUsage > 0 ? `Tokens of ${result.estimatedUsage} prompts are estimated. ` : ''}Whether the local answers would have been good enough is an estimate; calibrate measures it.`,
    ...(bad > 0 ? [`${bad} lines were no prompts; see above.`] : []),
  ];
  return lines.join('\n');
}

function savedText({ baseline, routed }: WhatIf, label: string): string {
  if (baseline.unknown > 0 || routed.unknown > 0) {
    return 'saved: unknown, because some costs are unknown';
  }
  const saved = baseline.costNanoUsd - routed.costNanoUsd;
  return saved >= 0
    ? `saved ≈ ${formatUsd(saved)} against ${label}`
    : `≈ ${formatUsd(-saved)} more than ${label} would have cost`;
}

function unknownText({ unknown }: Sum): string {
  return unknown === 0 ? '' : `${unknown} unknown`;
}

function whatIfJson(result: WhatIf, baseline: string, bad: number) {
  const sum = ({ costNanoUsd, unknown }: Sum) => ({ cost_usd: dollars(costNanoUsd), unknown });
  const known = result.baseline.unknown === 0 && result.routed.unknown === 0;
  return {
    prompts: result.prompts,
    local: result.local,
    cloud: result.cloud,
    refused: result.refused,
    kept_private: result.keptPrivate,
    expected_deferrals: result.expectedDeferrals,
    estimated_usage: result.estimatedUsage,
    routed: sum(result.routed),
    baseline: { model: baseline, ...sum(result.baseline) },
    paid: sum(result.paid),
    saved_usd: known ? dollars(result.baseline.costNanoUsd - result.routed.costNanoUsd) : null,
    models: result.models.map(({ modelId, prompts, costNanoUsd }) => ({
      model: modelId,
      prompts,
      cost_usd: dollars(costNanoUsd),
    })),
    bad_lines: bad,
  };
}
