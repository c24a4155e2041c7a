/**
 * What the past would have cost, as an app tells it: reads logs of prompts, or OpenAI's usage export, and puts them before the
 * router. Nothing is asked of a model, sent or recorded. It may take long, so it leaves the event loop free in between.
 */
import { createReadStream } from 'node:fs';
import { opendir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { type PastCall, pastCallOf } from './core/pastCall.ts';
import type { RouterPorts } from './core/ports.ts';
import type { Router } from './core/router.ts';
import { MAX_PROMPT_CHARS, type Settings } from './core/schema.ts';
import type { PriceRow, Usage } from './core/types.ts';
import { parseUsageExport, type UsageExport } from './core/usageExport.ts';
import {
  createWhatIf,
  type ExportPriced,
  type PastPrompt,
  priceExport,
  type WhatIf,
} from './core/whatIf.ts';
import { jsonLinesOf } from './jsonLines.ts';

/** The parts of an app that it needs. */
export interface PastRouter {
  readonly router: Pick<Router, 'decide'>;
  readonly ports: Pick<RouterPorts, 'clock' | 'newId' | 'tokens' | 'catalogue'>;
  readonly settings: () => Settings;
}

export type LookedBack =
  | { readonly kind: 'routed'; readonly whatIf: WhatIf; readonly bad: number }
  /** The file is an export with tokens and no prompts. */
  | { readonly kind: 'priced'; readonly priced: ExportPriced }
  /** The file is an export with amounts alone. */
  | { readonly kind: 'costs' }
  | { readonly kind: 'nothing'; readonly bad: number }
  /** The folder has none. */
  | { readonly kind: 'no_logs' }
  /** `code` as the file system names it: `ENOENT`. */
  | { readonly kind: 'unreadable'; readonly code: string }
  | { readonly kind: 'cancelled' };

export interface LookBackOptions {
  readonly signal: AbortSignal;
  /** A line that is no prompt; the others count all the same. */
  readonly onBad?: (file: string, line: number, why: string) => Promise<void> | void;
  /** @param share of the bytes that are read, in [0,1] */
  readonly onProgress?: (share: number, prompts: number) => void;
}

const MAX_EXPORT_BYTES = 64_000_000;
/** So long may one stretch of work hold up an answer, or a key that was pressed. */
const STRETCH_MS = 10;
/** A progress that changes more often can't be read. */
const TELL_MS = 100;
const LOG = /\.(jsonl|ndjson)$/i;

export async function lookBack(
  app: PastRouter,
  path: string,
  options: LookBackOptions,
): Promise<LookedBack> {
  try {
    const logs = await logsAt(path, options.signal);
    const [only] = logs;
    if (only === undefined) {
      return { kind: options.signal.aborted ? 'cancelled' : 'no_logs' };
    }
    const usage = logs.length === 1 ? await exportIn(only) : undefined;
    if (usage?.holds === 'costs') return { kind: 'costs' };
    if (usage !== undefined) return { kind: 'priced', priced: priceExport(usage, cloudOf(app)) };
    return await routeLogs(app, logs, options);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && 'syscall' in error)) throw error;
    return { kind: 'unreadable', code: String(error.code) };
  }
}

/** What savings are counted against. */
export function baselineId({ ports, settings }: PastRouter): string {
  return settings().baseline ?? ports.catalogue.registry().defaults.baseline;
}

interface Log {
  readonly path: string;
  readonly bytes: number;
}

async function logsAt(path: string, signal: AbortSignal): Promise<readonly Log[]> {
  const given = await stat(path);
  if (!given.isDirectory()) return [{ path, bytes: given.size }];
  const logs: Log[] = [];
  for await (const entry of await opendir(path, { recursive: true })) {
    if (signal.aborted) return [];
    if (!entry.isFile() || !LOG.test(entry.name)) continue;
    const log = join(entry.parentPath, entry.name);
    logs.push({ path: log, bytes: (await stat(log)).size });
  }
  return logs.sort((one, other) => one.path.localeCompare(other.path));
}

/** `undefined` when the file is none of OpenAI's exports. */
async function exportIn({ path, bytes }: Log): Promise<UsageExport | undefined> {
  if (LOG.test(path) || bytes > MAX_EXPORT_BYTES) return undefined;
  const parsed = parseUsageExport(await readFile(path, 'utf8'));
  return parsed.kind === 'ok' ? parsed.usage : undefined;
}

async function routeLogs(
  app: PastRouter,
  logs: readonly Log[],
  { signal, onBad, onProgress }: LookBackOptions,
): Promise<LookedBack> {
  const sums = createWhatIf(pricesOf(app));
  const all = logs.reduce((sum, { bytes }) => sum + bytes, 0);
  const { clock } = app.ports;
  let read = 0;
  let prompts = 0;
  let bad = 0;
  let sinceMs = clock.monotonicMs();
  let toldMs = sinceMs;
  const onRead = (bytes: number) => {
    read += bytes;
  };
  for (const { path } of logs) {
    for await (const entry of jsonLinesOf(createReadStream(path), onRead)) {
      if (signal.aborted) return { kind: 'cancelled' };
      const parsed = entry.kind === 'bad' ? entry : pastCallOf(entry.value);
      if (parsed.kind === 'call' && parsed.call.text.length <= MAX_PROMPT_CHARS) {
        sums.add(await judged(app, parsed.call));
        prompts += 1;
      } else {
        bad += 1;
        await onBad?.(path, entry.line, whyBad(parsed));
      }
      if (clock.monotonicMs() - sinceMs < STRETCH_MS) continue;
      await setImmediate();
      sinceMs = clock.monotonicMs();
      if (sinceMs - toldMs < TELL_MS) continue;
      toldMs = sinceMs;
      onProgress?.(Math.min(1, read / Math.max(1, all)), prompts);
    }
  }
  if (prompts === 0) return { kind: 'nothing', bad };
  return { kind: 'routed', whatIf: sums.sums(), bad };
}

function whyBad(
  parsed: ReturnType<typeof pastCallOf> | { readonly kind: 'bad'; readonly message: string },
): string {
  if (parsed.kind === 'call') return 'the prompt is too long';
  return 'why' in parsed ? parsed.why : parsed.message;
}

/** The scan for secrets runs as it would have: what must stay here would not have gone to the cloud. */
async function judged(app: PastRouter, call: PastCall): Promise<PastPrompt> {
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
    // Looking back is no use of the budget, and a used-up one must not change what comes out.
    { assumeAvailable: true },
  );
  const model = ports.catalogue
    .registry()
    .models.find(
      (one) => one.provider !== 'local' && (one.apiModel === call.model || one.id === call.model),
    );
  return {
    decision,
    usage: call.usage ?? (await estimated(app, call)),
    usageTold: call.usage !== undefined,
    paidRow: model && ports.catalogue.price(model.id, ports.clock.now()),
  };
}

async function estimated({ ports, settings }: PastRouter, call: PastCall): Promise<Usage> {
  const { tokens } = ports;
  const texts = [call.instructions ?? '', ...call.history.map(({ text }) => text), call.text];
  return {
    inputTokens: await tokens.count(texts.join('\n')),
    outputTokens:
      call.answer === undefined ? settings().expectedOutputTokens : await tokens.count(call.answer),
    cachedInputTokens: undefined,
    cacheWriteTokens: undefined,
    reasoningTokens: undefined,
  };
}

function pricesOf(app: PastRouter) {
  const { catalogue, clock } = app.ports;
  const { models } = catalogue.registry();
  const of = (id: string): PriceRow | undefined => catalogue.price(id, clock.now());
  const local = new Set(models.filter(({ provider }) => provider === 'local').map(({ id }) => id));
  return { baseline: of(baselineId(app)), of, isLocal: (id: string) => local.has(id) };
}

function cloudOf({ ports: { catalogue, clock } }: PastRouter) {
  return catalogue
    .registry()
    .models.filter((model) => model.enabled && model.provider !== 'local')
    .flatMap(({ id }) => {
      const price = catalogue.price(id, clock.now());
      return price === undefined ? [] : [{ modelId: id, price }];
    });
}
