/** Calibrating a local model for an editor: with progress, its figures in the editor's language, and a way back. */
import type { App } from '../../compose.ts';
import type { Calibration } from '../../core/calibration.ts';
import {
  calibrationFigures,
  calibrationHead,
  calibrationTarget,
  calibrationTaskHead,
  calibrationTasks,
  calibrationThreshold,
} from '../../core/calibrationText.ts';
import { labelOf } from '../../core/report.ts';
import type { Translate } from '../../core/translate.ts';
import type {
  CalibrateParams,
  CalibrateProgress,
  CalibrateResult,
  CalibrationWire,
  DoneResult,
} from '../../protocol.ts';
import type { Language } from '../language.ts';
import { failureText } from '../wire/retold.ts';
import { localModel, notLocal } from './localWork.ts';

/** Fewer answers tell nothing. */
const LEAST_QUESTIONS = 30;

export async function calibrateModel(
  app: App,
  { requestId, modelId, target, questions }: CalibrateParams,
  {
    onProgress,
    t,
  }: { readonly onProgress: (progress: CalibrateProgress) => void; readonly t: Translate },
  signal: AbortSignal,
): Promise<CalibrateResult> {
  const model = localModel(app, modelId);
  if (model === undefined) return notLocal(app, modelId, t);
  if (questions !== undefined && questions < LEAST_QUESTIONS) {
    const message = t('expected at least {least} questions, got {questions}', {
      least: LEAST_QUESTIONS,
      questions,
    });
    return { kind: 'failed', message };
  }
  if (app.local.availability(model).kind !== 'ready') {
    return {
      kind: 'failed',
      message: t('{model} is not on this machine yet; download it first.', { model: model.label }),
    };
  }
  const names = labelOf(app.catalogue.registry());
  const prepared = await app.local.prepare(model, { signal, onProgress: () => {} });
  if (prepared.kind === 'failed') {
    return { kind: 'failed', message: failureText(prepared.failure.message, t, names) };
  }
  const result = await app.calibration.run({
    model,
    target,
    ...(questions === undefined ? {} : { limit: questions }),
    signal,
    onProgress: ({ done, total }) =>
      onProgress({
        requestId,
        done,
        total,
        message: t('Calibrating {model}: question {done} of {total}', {
          model: model.label,
          done: Math.min(done + 1, total),
          total,
        }),
      }),
  });
  switch (result.kind) {
    case 'calibrated':
      return { kind: 'calibrated', calibration: wireOf(result.calibration, names, t) };
    case 'cancelled': {
      const { answered, total } = result;
      const message = t(
        'The calibration was cancelled. {answered} of {total} answers are kept, and the next one goes on from there.',
        { answered, total },
      );
      return { kind: 'cancelled', message };
    }
    case 'failed':
      return { kind: 'failed', message: failureText(result.failure.message, t, names) };
  }
}

export function calibrationOf(app: App, modelId: string, t: Translate): CalibrationWire | null {
  const model = localModel(app, modelId);
  const calibration = model && app.calibration.of(model);
  if (calibration === undefined) return null;
  return wireOf(calibration, labelOf(app.catalogue.registry()), t);
}

export function rollbackCalibration(app: App, modelId: string, { t, tag }: Language): DoneResult {
  const model = localModel(app, modelId);
  if (model === undefined) return notLocal(app, modelId, t);
  const now = app.calibration.rollback(model);
  const facts = { model: model.label };
  if (now === 'none') {
    return { kind: 'failed', message: t('{model} has no calibration to take back.', facts) };
  }
  if (now === 'shipped') {
    return { kind: 'done', message: t('{model} is judged as it ships again.', facts) };
  }
  const when = new Date(now.atMs).toLocaleString(tag);
  return {
    kind: 'done',
    message: t('{model} is back to the calibration of {when}.', { ...facts, when }),
  };
}

function wireOf(
  calibration: Calibration,
  names: (modelId: string) => string,
  t: Translate,
): CalibrationWire {
  const figures = calibrationFigures(calibration, t);
  const changes = figures
    .slice(0, 2)
    .map(({ name, before, after }) => `${name} ${before} → ${after}`);
  return {
    modelId: calibration.modelId,
    summary: `${names(calibration.modelId)}: ${changes.join(', ')}`,
    figures,
    document: [
      `# ${t('Calibration of {model}', { model: names(calibration.modelId) })}`,
      calibrationHead(calibration, t),
      calibrationTarget(calibration, t),
      markdownTable(
        ['', t('before'), t('after')],
        figures.map(({ name, before, after }) => [name, before, after]),
      ),
      calibrationThreshold(calibration, t),
      markdownTable(calibrationTaskHead(t), calibrationTasks(calibration, t)),
      t(
        'Before and after are both figures on the questions of the calibration. What it learned is bound to this very file and holds from now on.',
      ),
    ].join('\n\n'),
  };
}

function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
}
