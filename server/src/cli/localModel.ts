/** The models that a command measures: named, found and made ready. */
import { isAbsolute, resolve } from 'node:path';
import type { App } from '../compose.ts';
import { type Failure, failure } from '../core/errors.ts';
import type { LocalModel, Model } from '../core/types.ts';
import { type Progress, partOf } from './progress.ts';

/** An id of the registry, a GGUF file, or the cheap model; a sentence where it is none of them. */
export function localModelNamed(
  app: App,
  which: string | undefined,
  cwd: string,
): LocalModel | string {
  if (which !== undefined && /\.gguf$/i.test(which)) {
    const path = isAbsolute(which) ? which : resolve(cwd, which);
    const [problem] = app.configure({ ownModelPath: path });
    if (problem !== undefined) return problem;
  }
  const { models, defaults } = app.catalogue.registry();
  const cheap = app.settings().cheap ?? defaults.cheap;
  const id = which === undefined || /\.gguf$/i.test(which) ? cheap : which;
  const model = models.find((entry) => entry.id === id);
  if (model?.provider === 'local') return model;
  const known = models.filter(({ provider }) => provider === 'local').map((one) => one.id);
  return `expected a local model of the registry (${known.join(', ')}) or a .gguf file, got ${id}`;
}

/** Fetches and loads it with its progress; what went wrong where it can't be had. */
export async function prepareLocal(
  app: App,
  model: LocalModel,
  progress: Progress,
  signal: AbortSignal,
): Promise<Failure | undefined> {
  const prepared = await app.local.prepare(model, {
    signal,
    onProgress: (step) =>
      progress.show(
        `${step.stage} · ${model.label}`,
        step.stage === 'loading' ? step.share : partOf(step.receivedBytes, step.totalBytes),
      ),
  });
  progress.clear();
  return prepared.kind === 'failed' ? prepared.failure : undefined;
}

export function escalationOf(app: App): Model {
  const { models, defaults } = app.catalogue.registry();
  const id = app.settings().escalation ?? defaults.escalation;
  const found = models.find((model) => model.id === id);
  if (found === undefined) throw new Error(`expected ${id} in the registry`);
  return found;
}

/** What is wrong where the cloud model can't be asked for want of a key. */
export function noKeyFor(app: App, todo: string): Failure | undefined {
  const model = escalationOf(app);
  if (app.ports.cloud.availability(model).kind !== 'no_api_key') return undefined;
  return failure('no_api_key', `expected an API key to ask ${model.id} with; ${todo}`);
}
