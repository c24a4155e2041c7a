/** `models add`: a GGUF file of one's own in the registry, measured on this machine. */
import { basename, dirname, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { App } from '../compose.ts';
import { sampleOfSpeed } from '../core/modelCall.ts';
import type { LocalModel, Model } from '../core/types.ts';
import { runCalibration } from './calibrate.ts';
import { exitCodes } from './exitCodes.ts';
import { writeLine } from './io.ts';
import { createProgress } from './progress.ts';
import { badInput, fail, type Session, withApp } from './session.ts';

export interface AddModelFlags {
  readonly id?: string;
  /** Calibrate it or not; by default one that can be expected to answer anything. */
  readonly calibrate?: boolean;
}

/** Files that are edited are looked at every quarter of a second. */
const SEEN_WITHIN_MS = 3_000;
/** Enough to fit a gate by; `calibrate` without a limit asks about three times as many and goes on from these. */
const FIRST_QUESTIONS = 90;
/** Below it a model can't be expected to answer anything, so the way to use it is told with a warning. */
const USEFUL_PARAMETERS = 300e6;

export async function addModelFile(
  session: Session,
  path: string,
  flags: AddModelFlags,
): Promise<number> {
  const { io } = session;
  return await withApp(session, async (app) => {
    const progress = createProgress(io);
    const registryPath = join(app.dataDir, 'registry.yaml');
    const id = flags.id ?? idFrom(path);
    const known = app.catalogue.registry().models.find((model) => model.id === id);
    if (known !== undefined && !isOwn(known, app.modelsDir)) {
      return await badInput(
        io,
        `expected an id of its own, got ${id}, which the registry has; choose another with --id`,
      );
    }
    const added = await app.addModel(resolve(io.cwd, path), {
      id,
      onProgress: (share) => progress.show('hashing', share),
      signal: io.signal,
    });
    progress.clear();
    if (added.kind === 'failed') return await fail(io, added.failure);
    const model = await appears(app, added.id);
    if (model === undefined) {
      throw new Error(`expected ${added.id} to appear in ${registryPath}; check the file`);
    }
    progress.show('measuring', undefined);
    const probed = await app.local.probe(model, io.signal);
    progress.clear();
    // The text that speed is measured with does not fit a context of a hundred tokens.
    const tooSmall = probed.kind === 'failed' && probed.failure.code === 'context_limit';
    if (probed.kind === 'failed' && !tooSmall) return await fail(io, probed.failure);
    if (probed.kind === 'measured') {
      app.ports.speeds.record(app.local.identity(model), sampleOfSpeed(probed.speed));
    }
    const millions = (added.parameters / 1e6).toFixed(1);
    const speed =
      probed.kind === 'measured'
        ? `${probed.speed.outputTokensPerSecond.toFixed(0)} tokens/s here`
        : 'its context is too small for its speed to be measured';
    await writeLine(
      io.stdout,
      `${added.id}: ${millions} M parameters, ${speed}; written into ${registryPath}`,
    );
    if (added.parameters < USEFUL_PARAMETERS) {
      await writeLine(
        io.stdout,
        'A model of this size does not answer prompts well. It answers only when asked for by name.',
      );
    }
    await writeLine(
      io.stdout,
      `Ask it:      cost-aware-router ask --model ${added.id} "..."\nCalibrate:   cost-aware-router calibrate ${added.id}`,
    );
    const isWorthIt = !tooSmall && added.parameters >= USEFUL_PARAMETERS;
    if (!(flags.calibrate ?? isWorthIt)) return exitCodes.ok;
    await writeLine(
      io.stdout,
      `\nCalibrating with ${FIRST_QUESTIONS} questions. Ctrl-C stops it; the model and its answers so far stay.\n`,
    );
    return await runCalibration(session, app, model, { limit: FIRST_QUESTIONS });
  });
}

function idFrom(path: string): string {
  const name = basename(path).replace(/\.gguf$/i, '');
  return name.replaceAll(/[^\w.-]+/g, '-').toLowerCase();
}

/** What was added before may be added anew; an entry of the shipped registry is not replaced. */
function isOwn(model: Model, modelsDir: string): boolean {
  if (model.provider !== 'local') return false;
  const [source, ...others] = model.file.sources;
  return (
    others.length === 0 && source?.kind === 'path' && dirname(source.path) === resolve(modelsDir)
  );
}

async function appears(app: App, id: string): Promise<LocalModel | undefined> {
  for (let waited = 0; waited < SEEN_WITHIN_MS; waited += 100) {
    const found = app.catalogue.registry().models.find((model) => model.id === id);
    if (found?.provider === 'local') return found;
    await delay(100);
  }
  return undefined;
}
