/** `bench modes`: a file of prompts by the cheap model alone, by the cloud model alone and routed, within a cap. */
import { failure } from '../core/errors.ts';
import { dollars } from '../core/price.ts';
import { formatSeconds, formatShare, formatUsd } from '../core/report.ts';
import type { NanoUsd } from '../core/types.ts';
import { type BenchRun, benchModes } from '../learning/benchModes.ts';
import type { KeyedPrompt } from '../learning/keyedPrompts.ts';
import {
  type BenchFigures,
  benchFigures,
  type ModeFigures,
  modes,
} from '../learning/modeFigures.ts';
import { exitCodeOf, exitCodes } from './exitCodes.ts';
import { printable, writeLine } from './io.ts';
import { readKeyedFile } from './keyedFile.ts';
import { localModelNamed, noKeyFor, prepareLocal } from './localModel.ts';
import { createProgress } from './progress.ts';
import { badInput, fail, type Session, withApp } from './session.ts';
import { interval, intervalJson, money } from './shareText.ts';
import { table } from './table.ts';

export interface BenchModesFlags {
  readonly maxCostUsd: NanoUsd;
  readonly latencyMs?: number;
  readonly json?: boolean;
}

export async function benchModesOn(
  session: Session,
  path: string,
  flags: BenchModesFlags,
): Promise<number> {
  const { io } = session;
  const prompts = await readKeyedFile(path, io);
  if (typeof prompts === 'string') return await badInput(io, printable(prompts));
  return await withApp(session, async (app) => {
    const noKey = noKeyFor(
      app,
      'set OPENAI_API_KEY: a mode of this bench is the cloud model alone',
    );
    if (noKey !== undefined) return await fail(io, noKey);
    const model = localModelNamed(app, undefined, io.cwd);
    if (typeof model === 'string') return await badInput(io, model);
    const progress = createProgress(io);
    const failed = await prepareLocal(app, model, progress, io.signal);
    if (failed !== undefined) return await fail(io, failed);
    const latencyMs = flags.latencyMs ?? app.settings().maxLatencyMs;
    const run = await benchModes(
      { router: app.router, newId: app.ports.newId },
      {
        prompts,
        capNanoUsd: flags.maxCostUsd,
        latencyMs,
        signal: io.signal,
        onProgress: ({ done, total }) =>
          progress.show(`bench · ${prompts.length} prompts, ${modes.length} modes`, done / total),
      },
    );
    progress.clear();
    return await report(session, prompts, run, latencyMs, flags);
  });
}

async function report(
  { io }: Session,
  prompts: readonly KeyedPrompt[],
  run: BenchRun,
  latencyMs: number | undefined,
  flags: BenchModesFlags,
): Promise<number> {
  const ended = run.cancelled ? failure('cancelled', 'cancelled') : run.stopped;
  if (run.rows.length > 0) {
    const figures = benchFigures(run.rows, latencyMs);
    const text =
      flags.json === true
        ? JSON.stringify(benchJson(figures, run, latencyMs))
        : printable(benchText(figures, run, latencyMs));
    await writeLine(io.stdout, text);
  }
  if (ended === undefined) return exitCodes.ok;
  const next = `${run.rows.length} of ${prompts.length} prompts were answered in every mode, for ${formatUsd(run.paidNanoUsd)}`;
  await fail(io, ended, next);
  return exitCodeOf(ended.code);
}

function benchText(figures: BenchFigures, run: BenchRun, latencyMs: number | undefined): string {
  const { prompts, checked } = figures;
  const rows = modes.map((mode) => {
    const of = figures.modes[mode];
    return [
      mode === 'routed' ? 'routed' : `${mode} only`,
      formatUsd(of.costNanoUsd),
      of.quality === undefined ? 'unknown' : interval(of.quality),
      formatShare(of.localShare),
      formatSeconds(of.medianMs),
      of.inTimeShare === undefined ? 'no target' : formatShare(of.inTimeShare),
    ];
  });
  const within = latencyMs === undefined ? 'within target' : `within ${formatSeconds(latencyMs)}`;
  return [
    `${prompts} prompts, ${checked} of them with an answer that can be checked${run.leftOut === 0 ? '' : `; ${run.leftOut} left out`}`,
    table(['', 'cost', 'right (95 % interval)', 'local', 'median time', within], rows),
    `Against the cloud alone: cost reduction ${shareOrUnknown(figures.costReduction)}, quality kept ${shareOrUnknown(figures.qualityKept)}.`,
    `Paid for this: ${money(run.paidNanoUsd)}.`,
  ].join('\n');
}

function benchJson(figures: BenchFigures, run: BenchRun, latencyMs: number | undefined) {
  const mode = (of: ModeFigures) => ({
    cost_usd: dollars(of.costNanoUsd),
    accuracy: intervalJson(of.quality),
    local_share: of.localShare,
    median_ms: Math.round(of.medianMs),
    within_target: of.inTimeShare ?? null,
  });
  return {
    prompts: figures.prompts,
    checked: figures.checked,
    left_out: run.leftOut,
    latency_target_ms: latencyMs ?? null,
    cheap_only: mode(figures.modes.cheap),
    cloud_only: mode(figures.modes.cloud),
    routed: mode(figures.modes.routed),
    cost_reduction: figures.costReduction ?? null,
    quality_kept: figures.qualityKept ?? null,
    paid_usd: dollars(run.paidNanoUsd),
    cancelled: run.cancelled,
    stopped: run.stopped?.code ?? null,
  };
}

function shareOrUnknown(share: number | undefined): string {
  return share === undefined ? 'unknown' : formatShare(share);
}
