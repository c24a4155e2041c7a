/** `models`: what may answer and what it costs, fetching a local model's file, and measuring its speed here. */
import type { App } from '../compose.ts';
import { type Failure, failure } from '../core/errors.ts';
import { sampleOfSpeed } from '../core/modelCall.ts';
import { portOf } from '../core/portOf.ts';
import { threadsText } from '../core/threadChoice.ts';
import { english } from '../core/translate.ts';
import type { LocalModel, MeasuredSpeed, Model, PriceRow } from '../core/types.ts';
import { exitCodes } from './exitCodes.ts';
import { type CliIo, writeLine } from './io.ts';
import { createProgress, partOf } from './progress.ts';
import { fail, type Session, withApp } from './session.ts';
import { table } from './table.ts';

export async function listModels(session: Session): Promise<number> {
  const { io } = session;
  return await withApp(session, async (app) => {
    const { models, defaults } = app.catalogue.registry();
    const frozen = await app.ports.ledger.frozenModels();
    const rows = models.map((model) => [
      model.id,
      model.tier,
      model.provider,
      stateOf(app, model, frozen.has(model.id)),
      priceOf(model, app.catalogue.price(model.id, app.ports.clock.now())),
      speedOf(app, model),
      threadsOf(app, model),
    ]);
    const head = ['id', 'tier', 'provider', 'state', 'price', 'speed', 'threads'];
    await writeLine(io.stdout, table(head, rows));
    const { cheap = defaults.cheap, escalation = defaults.escalation } = app.settings();
    const { baseline = defaults.baseline } = app.settings();
    await writeLine(
      io.stdout,
      `\ncheap: ${cheap} · escalation: ${escalation} · baseline: ${baseline}\nPrices are USD per million tokens, input / output.`,
    );
    for (const row of app.catalogue.stalePrices(app.ports.clock.now())) {
      await writeLine(
        io.stderr,
        `The price of ${row.model} was last checked on ${row.checkedAt}; run: cost-aware-router models refresh-prices`,
      );
    }
    return exitCodes.ok;
  });
}

export async function downloadModel(session: Session, id: string): Promise<number> {
  const { io } = session;
  return await withApp(session, async (app) => {
    const failed = await prepareModel(io, app, id);
    if (failed !== undefined) return await fail(io, failed);
    await writeLine(io.stdout, `${id} is ready.`);
    return exitCodes.ok;
  });
}

export async function probeModel(session: Session, given: string | undefined): Promise<number> {
  const { io } = session;
  return await withApp(session, async (app) => {
    const id = given ?? app.settings().cheap ?? app.catalogue.registry().defaults.cheap;
    const found = localModel(app, id);
    if (found.kind === 'failed') return await fail(io, found.failure);
    const probed = await app.local.probe(found.model, io.signal);
    if (probed.kind === 'failed') {
      return await fail(io, probed.failure, downloadHint(probed.failure, id));
    }
    app.ports.speeds.record(app.local.identity(found.model), sampleOfSpeed(probed.speed));
    await writeLine(io.stdout, `${id}: ${describeSpeed(probed.speed)}`);
    const threads = threadsText(app.local.threads(found.model), english);
    await writeLine(io.stdout, `threads: ${threads}`);
    return exitCodes.ok;
  });
}

export async function refreshModelPrices(session: Session): Promise<number> {
  const { io } = session;
  return await withApp(session, async (app) => {
    const refreshed = await app.refreshPrices();
    if (refreshed.kind === 'failed') return await fail(io, refreshed.failure);
    for (const line of refreshed.changes) await writeLine(io.stdout, line);
    await writeLine(io.stderr, `Wrote ${app.pricingPath}.`);
    return exitCodes.ok;
  });
}

/** Fetches and loads a local model with progress on stderr; returns what went wrong. */
export async function prepareModel(io: CliIo, app: App, id: string): Promise<Failure | undefined> {
  const found = localModel(app, id);
  if (found.kind === 'failed') return found.failure;
  const progress = createProgress(io);
  const prepared = await app.local.prepare(found.model, {
    signal: io.signal,
    onProgress(step) {
      const done =
        step.stage === 'loading' ? step.share : partOf(step.receivedBytes, step.totalBytes);
      progress.show(`${id}: ${step.stage}`, done);
    },
  });
  progress.clear();
  return prepared.kind === 'failed' ? prepared.failure : undefined;
}

type Found =
  | { readonly kind: 'ok'; readonly model: LocalModel }
  | { readonly kind: 'failed'; readonly failure: Failure };

function localModel(app: App, id: string): Found {
  const { models } = app.catalogue.registry();
  const model = models.find((one) => one.id === id);
  if (model?.provider === 'local') return { kind: 'ok', model };
  const known = models.filter(({ provider }) => provider === 'local').map((one) => one.id);
  const got = model === undefined ? id : `${id}, which runs at its provider`;
  return {
    kind: 'failed',
    failure: failure(
      'unknown_model',
      `expected a local model of the registry (${known.join(', ')}), got ${got}`,
    ),
  };
}

function downloadHint(failed: Failure, id: string): string | undefined {
  return failed.code === 'model_missing' ? `cost-aware-router models download ${id}` : undefined;
}

function stateOf(app: App, model: Model, frozen: boolean): string {
  if (!model.enabled) return 'disabled';
  const cloud = model.provider !== 'local';
  if (cloud && frozen) return 'frozen';
  const state = (cloud ? app.ports.cloud : app.ports.local).availability(model);
  switch (state.kind) {
    case 'ready':
      return 'ready';
    case 'no_api_key':
      return 'no API key';
    case 'model_missing':
      return model.provider === 'local'
        ? `not here (${megabytes(model.file.sizeBytes)} to download)`
        : 'missing';
    case 'unavailable':
      return `unavailable: ${state.why}`;
  }
}

function priceOf(model: Model, row: PriceRow | undefined): string {
  if (model.provider === 'local') return 'free';
  if (row === undefined) return 'unknown, so not used';
  if (row.base.inputPicoUsd === 0 && row.base.outputPicoUsd === 0) return 'free';
  const perMillion = (picoUsd: number) => `$${perMillionFormat.format(picoUsd / 1e6)}`;
  return `${perMillion(row.base.inputPicoUsd)} / ${perMillion(row.base.outputPicoUsd)}`;
}

const perMillionFormat = new Intl.NumberFormat('en-US', {
  minimumFractionDigits: 2,
  maximumFractionDigits: 4,
});

function speedOf(app: App, model: Model): string {
  const speed = app.ports.speeds.get(portOf(model, app.ports).identity(model));
  return speed === undefined
    ? 'not measured'
    : `${speed.outputTokensPerSecond.toFixed(0)} tokens/s`;
}

function threadsOf(app: App, model: Model): string {
  if (model.provider !== 'local') return '-';
  const { threads, cores, from } = app.local.threads(model);
  const why = { setting: 'set', measured: 'measured', default: 'not measured' }[from];
  return `${threads} of ${cores}, ${why}`;
}

function describeSpeed(speed: MeasuredSpeed): string {
  return `reads ${speed.promptTokensPerSecond.toFixed(0)} tokens/s, writes ${speed.outputTokensPerSecond.toFixed(0)} tokens/s, first token after ${Math.round(speed.timeToFirstTokenMs)} ms`;
}

function megabytes(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.round(bytes / 1e6)} MB`;
}
