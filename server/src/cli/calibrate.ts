/** `calibrate`: fits the gate and the threshold to a local model on this machine, and takes that back. */
import type { App } from '../compose.ts';
import type { Calibration, CalibrationTarget } from '../core/calibration.ts';
import {
  calibrationFigures,
  calibrationHead,
  calibrationTarget,
  calibrationTaskHead,
  calibrationTasks,
  calibrationThreshold,
} from '../core/calibrationText.ts';
import { failure } from '../core/errors.ts';
import { dollars } from '../core/price.ts';
import { formatUsd } from '../core/report.ts';
import { english } from '../core/translate.ts';
import type { LocalModel, NanoUsd } from '../core/types.ts';
import { exitCodes } from './exitCodes.ts';
import { printable, writeLine } from './io.ts';
import { localModelNamed, prepareLocal } from './localModel.ts';
import { createProgress } from './progress.ts';
import { badInput, fail, type Session, withApp } from './session.ts';
import { table } from './table.ts';

export interface CalibrateFlags {
  readonly keep?: number;
  readonly escalate?: number;
  readonly limit?: number;
  readonly fresh?: boolean;
  readonly measureCloud?: boolean;
  readonly maxCostUsd?: NanoUsd;
  readonly rollback?: boolean;
  readonly show?: boolean;
  readonly json?: boolean;
}

const FEWEST_QUESTIONS = 30;

export async function calibrate(
  session: Session,
  which: string | undefined,
  flags: CalibrateFlags,
): Promise<number> {
  const { io } = session;
  const wrong = contradiction(flags);
  if (wrong !== undefined) return await badInput(io, wrong);
  return await withApp(session, async (app) => {
    const model = localModelNamed(app, which, io.cwd);
    if (typeof model === 'string') return await badInput(io, model);
    if (flags.rollback === true) return await rollback(session, app, model);
    if (flags.show === true) return await show(session, app, model, flags);
    return await runCalibration(session, app, model, flags);
  });
}

/** Shows its progress, what it found and the way back; returns the exit code. */
export async function runCalibration(
  { io }: Session,
  app: App,
  model: LocalModel,
  flags: CalibrateFlags,
): Promise<number> {
  const progress = createProgress(io);
  const failed = await prepareLocal(app, model, progress, io.signal);
  if (failed !== undefined) return await fail(io, failed);
  const result = await app.calibration.run({
    model,
    target: targetOf(flags),
    ...(flags.limit === undefined ? {} : { limit: flags.limit }),
    ...(flags.fresh === true ? { fresh: true } : {}),
    ...(flags.measureCloud === true && flags.maxCostUsd !== undefined
      ? { cloudMaxNanoUsd: flags.maxCostUsd }
      : {}),
    signal: io.signal,
    onProgress: ({ done, total }) =>
      progress.show(`calibrating · ${model.label} · ${total} questions`, done / total),
  });
  progress.clear();
  if (result.kind === 'failed') return await fail(io, result.failure);
  if (result.kind === 'cancelled') {
    const next = `${result.answered} of ${result.total} answers are kept; the same command goes on from there`;
    return await fail(io, failure('cancelled', 'cancelled'), next);
  }
  if (result.cloudStopped !== undefined) {
    await writeLine(
      io.stderr,
      `the cloud model was asked no further: ${printable(result.cloudStopped)}`,
    );
  }
  const { calibration, cloudNanoUsd } = result;
  if (flags.json === true) {
    await writeLine(
      io.stdout,
      JSON.stringify({ ...calibration, cloud_cost_usd: dollars(cloudNanoUsd) }),
    );
    return exitCodes.ok;
  }
  await writeLine(io.stdout, calibrationText(calibration));
  if (cloudNanoUsd > 0)
    await writeLine(io.stdout, `\nThe cloud's answers cost ${formatUsd(cloudNanoUsd)}.`);
  await writeLine(
    io.stdout,
    '\nIn force from now on. To take it back: cost-aware-router calibrate --rollback',
  );
  return exitCodes.ok;
}

async function rollback({ io }: Session, app: App, model: LocalModel): Promise<number> {
  const now = app.calibration.rollback(model);
  const text =
    now === 'none'
      ? `There is no calibration of ${model.label} to take back.`
      : now === 'shipped'
        ? `${model.label} is judged as it ships again.`
        : `${model.label} is back to the calibration of ${new Date(now.atMs).toISOString()}.`;
  await writeLine(io.stdout, text);
  return exitCodes.ok;
}

async function show(
  { io }: Session,
  app: App,
  model: LocalModel,
  flags: CalibrateFlags,
): Promise<number> {
  const calibration = app.calibration.of(model);
  if (flags.json === true) await writeLine(io.stdout, JSON.stringify(calibration ?? null));
  else if (calibration !== undefined) await writeLine(io.stdout, calibrationText(calibration));
  else await writeLine(io.stdout, `${model.label} is not calibrated; it is judged as it ships.`);
  return exitCodes.ok;
}

function calibrationText(calibration: Calibration): string {
  const figures = calibrationFigures(calibration, english);
  return [
    calibrationHead(calibration, english),
    '',
    table(calibrationTaskHead(english), calibrationTasks(calibration, english)),
    '',
    calibrationTarget(calibration, english),
    table(
      ['', 'before', 'after'],
      figures.map(({ name, before, after }) => [name, before, after]),
    ),
    calibrationThreshold(calibration, english),
  ].join('\n');
}

function contradiction(flags: CalibrateFlags): string | undefined {
  if (flags.keep !== undefined && flags.escalate !== undefined) {
    return 'expected --keep or --escalate as the target, got both';
  }
  if (flags.measureCloud === true && flags.maxCostUsd === undefined) {
    return 'expected --max-cost-usd with --measure-cloud, because asking the cloud model costs money; name the most that it may';
  }
  if (flags.limit !== undefined && flags.limit < FEWEST_QUESTIONS) {
    return `expected --limit to be at least ${FEWEST_QUESTIONS}, got ${flags.limit}; fewer answers tell nothing`;
  }
  return undefined;
}

/** Without a target, as many prompts go to the cloud as without a calibration, and the quality is what improves. */
function targetOf({ keep, escalate = 0.5 }: CalibrateFlags): CalibrationTarget {
  return keep === undefined
    ? { kind: 'escalated', value: escalate }
    : { kind: 'kept', value: keep };
}
