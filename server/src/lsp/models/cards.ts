/** Every model of the registry as a card: its role, whether it can answer now, its price, its measured speed and memory. */
import type { App } from '../../compose.ts';
import { portOf } from '../../core/portOf.ts';
import { threadsText } from '../../core/threadChoice.ts';
import type { Translate } from '../../core/translate.ts';
import type { Model } from '../../core/types.ts';
import type { ModelWire } from '../../protocol.ts';
import { retold } from '../wire/retold.ts';
import { sizeText } from '../wire/texts.ts';
import { rolesOf } from './roles.ts';

export async function modelCards(app: App, t: Translate): Promise<ModelWire[]> {
  const roles = rolesOf(app);
  const frozen = await app.ports.ledger.frozenModels();
  return app.catalogue.registry().models.map((model) => ({
    id: model.id,
    label: model.label,
    tier: model.tier === 'cheap' ? 'local' : 'cloud',
    provider: model.provider,
    enabled: model.enabled,
    ...stateOf(app, model, frozen.has(model.id), t),
    sizeBytes: model.provider === 'local' ? model.file.sizeBytes : null,
    price: priceText(app, model, t),
    speed: speedText(app, model, t),
    memory: memoryText(app, model, t),
    threads: model.provider === 'local' ? threadsText(app.local.threads(model), t) : '',
    chosenAs: (['cheap', 'escalation', 'baseline'] as const).filter(
      (role) => roles[role]?.id === model.id,
    ),
  }));
}

function stateOf(
  app: App,
  model: Model,
  frozen: boolean,
  t: Translate,
): Pick<ModelWire, 'state' | 'detail'> {
  const cloud = model.provider !== 'local';
  if (!model.enabled) return { state: 'unavailable', detail: t('Not enabled in the registry.') };
  if (cloud && frozen) {
    return { state: 'unavailable', detail: t('Frozen: a bill passed the bound it was held at.') };
  }
  const availability = (cloud ? app.ports.cloud : app.ports.local).availability(model);
  switch (availability.kind) {
    case 'ready':
      return { state: 'ready', detail: cloud ? t('Ready.') : t('On this machine.') };
    case 'no_api_key':
      return { state: 'no_key', detail: t('Needs an API key.') };
    case 'model_missing':
      return {
        state: 'missing',
        detail: cloud ? t('Not there.') : toDownload(model.file.sizeBytes, t),
      };
    case 'unavailable':
      return { state: 'unavailable', detail: retold(availability.why, t) };
  }
}

const perMillion = new Intl.NumberFormat('en-US', {
  minimumFractionDigits: 2,
  maximumFractionDigits: 4,
});

function priceText(app: App, model: Model, t: Translate): string {
  if (model.provider === 'local') return t('free');
  const row = app.catalogue.price(model.id, app.ports.clock.now());
  if (row === undefined) return t('unknown, so not used');
  const { inputPicoUsd, outputPicoUsd } = row.base;
  if (inputPicoUsd === 0 && outputPicoUsd === 0) return t('free');
  const [input, output] = [inputPicoUsd, outputPicoUsd].map((pico) =>
    perMillion.format(pico / 1e6),
  );
  return t('{input} in, {output} out per million tokens', {
    input: `$${input}`,
    output: `$${output}`,
  });
}

function speedText(app: App, model: Model, t: Translate): string {
  const speed = app.ports.speeds.get(portOf(model, app.ports).identity(model));
  if (speed === undefined) return t('not measured yet');
  const first = (speed.timeToFirstTokenMs / 1000).toFixed(1);
  return t('{rate} tokens/s, first token after {first} s', {
    rate: Math.round(speed.outputTokensPerSecond),
    first,
  });
}

function memoryText(app: App, model: Model, t: Translate): string {
  if (model.provider !== 'local') return '';
  const measured = app.local.memoryBytes(model);
  return measured === undefined
    ? t('at least {size}', { size: sizeText(model.file.sizeBytes) })
    : t('{size}, measured', { size: sizeText(measured) });
}

/** A model is held in memory whole, so its file's size is the least that it needs. */
function toDownload(bytes: number, t: Translate): string {
  const freeBytes = process.availableMemory();
  const facts = { size: sizeText(bytes), free: sizeText(freeBytes) };
  return bytes < freeBytes
    ? t('{size} to download, at least as much memory needed; {free} are free.', facts)
    : t('{size} to download, at least as much memory needed; only {free} are free.', facts);
}
