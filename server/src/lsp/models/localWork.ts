/** Work on a local model that a person starts: fetching its file, and measuring it on this machine. */
import type { App } from '../../compose.ts';
import type { SpeedSample } from '../../core/ports.ts';
import type { LocalModel, MeasuredSpeed } from '../../core/types.ts';
import type { DoneResult, DownloadProgress } from '../../protocol.ts';

export type OnProgress = (progress: Omit<DownloadProgress, 'requestId'>) => void;

/** Progress of a download comes for every chunk; more than this many a second nobody can read. */
const PROGRESS_EVERY_MS = 100;

const stageWords = {
  locating: 'Looking for',
  downloading: 'Downloading',
  verifying: 'Checking',
  unpacking: 'Unpacking',
} as const;

export async function downloadModel(
  app: App,
  modelId: string,
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<DoneResult> {
  const model = localModel(app, modelId);
  if (model === undefined) return notLocal(app, modelId);
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
              message: `Loading ${model.label}`,
            }
          : {
              stage,
              receivedBytes: step.receivedBytes,
              totalBytes: step.totalBytes ?? null,
              message: `${stageWords[step.stage]} ${model.label}`,
            },
      );
    },
  });
  return prepared.kind === 'ready'
    ? { kind: 'done', message: `${model.label} is ready.` }
    : { kind: 'failed', message: prepared.failure.message };
}

export async function probeModel(
  app: App,
  modelId: string,
  signal: AbortSignal,
): Promise<DoneResult> {
  const model = localModel(app, modelId);
  if (model === undefined) return notLocal(app, modelId);
  const probed = await app.local.probe(model, signal);
  if (probed.kind === 'failed') return { kind: 'failed', message: probed.failure.message };
  app.ports.speeds.record(app.local.identity(model), sampleOf(probed.speed));
  const { promptTokensPerSecond, outputTokensPerSecond, timeToFirstTokenMs } = probed.speed;
  return {
    kind: 'done',
    message: `${model.label} reads ${promptTokensPerSecond.toFixed(0)} and writes ${outputTokensPerSecond.toFixed(0)} tokens/s here, first token after ${(timeToFirstTokenMs / 1000).toFixed(1)} s.`,
  };
}

function localModel(app: App, modelId: string): LocalModel | undefined {
  const model = app.catalogue.registry().models.find(({ id }) => id === modelId);
  return model?.provider === 'local' ? model : undefined;
}

function notLocal(app: App, modelId: string): DoneResult {
  const known = app.catalogue.registry().models.filter(({ provider }) => provider === 'local');
  return {
    kind: 'failed',
    message: `expected a local model (${known.map(({ id }) => id).join(', ')}), got ${modelId}`,
  };
}

/** Speeds are kept as samples, so the measured rates are written as an answer that has them. */
function sampleOf(speed: MeasuredSpeed): SpeedSample {
  const outputTokens = 100;
  const { timeToFirstTokenMs: firstTokenMs } = speed;
  return {
    inputTokens: Math.round((speed.promptTokensPerSecond * firstTokenMs) / 1000),
    outputTokens,
    firstTokenMs,
    latencyMs: firstTokenMs + ((outputTokens - 1) / speed.outputTokensPerSecond) * 1000,
  };
}
