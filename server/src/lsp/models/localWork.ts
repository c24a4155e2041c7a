/** Work on a local model that a person starts: fetching its file, and measuring it on this machine. */
import type { App } from '../../compose.ts';
import { sampleOfSpeed } from '../../core/modelCall.ts';
import { labelOf } from '../../core/report.ts';
import type { Translate } from '../../core/translate.ts';
import type { LocalModel } from '../../core/types.ts';
import type { DoneResult, DownloadProgress } from '../../protocol.ts';
import { failureText } from '../wire/retold.ts';
import { sizeText } from '../wire/texts.ts';

export type OnProgress = (progress: Omit<DownloadProgress, 'requestId'>) => void;

/** Progress of a download comes for every chunk; more than this many a second nobody can read. */
const PROGRESS_EVERY_MS = 100;

type Stage = 'locating' | 'downloading' | 'verifying' | 'unpacking';

interface Step {
  readonly stage: Stage;
  readonly receivedBytes: number;
  readonly totalBytes: number | undefined;
}

function stageText(
  { stage, receivedBytes, totalBytes }: Step,
  model: string,
  t: Translate,
): string {
  const received = sizeText(receivedBytes);
  switch (stage) {
    case 'locating':
      return t('Looking for {model}', { model });
    case 'downloading':
      return totalBytes === undefined
        ? t('Downloading {model}: {received}', { model, received })
        : t('Downloading {model}: {received} of {total}', {
            model,
            received,
            total: sizeText(totalBytes),
          });
    case 'verifying':
      return t('Checking {model}', { model });
    case 'unpacking':
      return t('Unpacking {model}', { model });
  }
}

export async function downloadModel(
  app: App,
  modelId: string,
  { onProgress, t }: { readonly onProgress: OnProgress; readonly t: Translate },
  signal: AbortSignal,
): Promise<DoneResult> {
  const model = localModel(app, modelId);
  if (model === undefined) return notLocal(app, modelId, t);
  let stage = '';
  let toldMs = Number.NEGATIVE_INFINITY;
  const prepared = await app.local.prepare(model, {
    signal,
    onProgress(step) {
      const now = app.ports.clock.monotonicMs();
      if (step.stage === stage && now - toldMs < PROGRESS_EVERY_MS) return;
      stage = step.stage;
      toldMs = now;
      onProgress(
        step.stage === 'loading'
          ? {
              stage,
              receivedBytes: model.file.sizeBytes,
              totalBytes: model.file.sizeBytes,
              message: t('Loading {model}', { model: model.label }),
            }
          : {
              stage,
              receivedBytes: step.receivedBytes,
              totalBytes: step.totalBytes ?? null,
              message: stageText(step, model.label, t),
            },
      );
    },
  });
  return prepared.kind === 'ready'
    ? { kind: 'done', message: t('{model} is ready.', { model: model.label }) }
    : {
        kind: 'failed',
        message: failureText(prepared.failure.message, t, labelOf(app.catalogue.registry())),
      };
}

export async function probeModel(
  app: App,
  modelId: string,
  t: Translate,
  signal: AbortSignal,
): Promise<DoneResult> {
  const model = localModel(app, modelId);
  if (model === undefined) return notLocal(app, modelId, t);
  const probed = await app.local.probe(model, signal);
  if (probed.kind === 'failed') {
    return {
      kind: 'failed',
      message: failureText(probed.failure.message, t, labelOf(app.catalogue.registry())),
    };
  }
  app.ports.speeds.record(app.local.identity(model), sampleOfSpeed(probed.speed));
  const { promptTokensPerSecond, outputTokensPerSecond, timeToFirstTokenMs } = probed.speed;
  return {
    kind: 'done',
    message: t(
      '{model} reads {read} and writes {written} tokens/s here, first token after {first} s.',
      {
        model: model.label,
        read: promptTokensPerSecond.toFixed(0),
        written: outputTokensPerSecond.toFixed(0),
        first: (timeToFirstTokenMs / 1000).toFixed(1),
      },
    ),
  };
}

export function localModel(app: App, modelId: string): LocalModel | undefined {
  const model = app.catalogue.registry().models.find(({ id }) => id === modelId);
  return model?.provider === 'local' ? model : undefined;
}

export function notLocal(app: App, modelId: string, t: Translate): DoneResult & { kind: 'failed' } {
  const known = app.catalogue.registry().models.filter(({ provider }) => provider === 'local');
  return {
    kind: 'failed',
    message: t('expected a local model ({known}), got {model}', {
      known: known.map(({ id }) => id).join(', '),
      model: modelId,
    }),
  };
}
