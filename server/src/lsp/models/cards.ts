/** Every model of the registry as a card: its role, whether it can answer now, its price and its measured speed. */
import type { App } from '../../compose.ts';
import type { Model } from '../../core/types.ts';
import type { ModelWire } from '../../protocol.ts';
import { rolesOf } from './roles.ts';

export function modelCards(app: App): ModelWire[] {
  const roles = rolesOf(app);
  return app.catalogue.registry().models.map((model) => ({
    id: model.id,
    label: model.label,
    tier: model.tier === 'cheap' ? 'local' : 'cloud',
    provider: model.provider,
    enabled: model.enabled,
    ...stateOf(app, model),
    sizeBytes: model.provider === 'local' ? model.file.sizeBytes : null,
    price: priceText(app, model),
    speed: speedText(app, model),
    chosenAs: (['cheap', 'escalation', 'baseline'] as const).filter(
      (role) => roles[role]?.id === model.id,
    ),
  }));
}

function stateOf(app: App, model: Model): Pick<ModelWire, 'state' | 'detail'> {
  const cloud = model.provider !== 'local';
  if (!model.enabled) return { state: 'unavailable', detail: 'Not enabled in the registry.' };
  if (cloud && app.ports.ledger.frozen(model.id)) {
    return { state: 'unavailable', detail: 'Frozen: a bill passed the bound it was held at.' };
  }
  const availability = (cloud ? app.ports.cloud : app.ports.local).availability(model);
  switch (availability.kind) {
    case 'ready':
      return { state: 'ready', detail: cloud ? 'Ready.' : 'On this machine.' };
    case 'no_api_key':
      return { state: 'no_key', detail: 'Needs an API key.' };
    case 'model_missing':
      return {
        state: 'missing',
        detail: cloud ? 'Not there.' : `${sizeText(model.file.sizeBytes)} to download.`,
      };
    case 'unavailable':
      return { state: 'unavailable', detail: availability.why };
  }
}

const perMillion = new Intl.NumberFormat('en-US', {
  minimumFractionDigits: 2,
  maximumFractionDigits: 4,
});

function priceText(app: App, model: Model): string {
  if (model.provider === 'local') return 'free';
  const row = app.catalogue.price(model.id, app.ports.clock.now());
  if (row === undefined) return 'unknown, so not used';
  const { inputPicoUsd, outputPicoUsd } = row.base;
  if (inputPicoUsd === 0 && outputPicoUsd === 0) return 'free';
  const [input, output] = [inputPicoUsd, outputPicoUsd].map((pico) =>
    perMillion.format(pico / 1e6),
  );
  return `$${input} in, $${output} out per million tokens`;
}

function speedText(app: App, model: Model): string {
  const port = model.provider === 'local' ? app.ports.local : app.ports.cloud;
  const speed = app.ports.speeds.get(port.identity(model));
  if (speed === undefined) return 'not measured yet';
  const first = (speed.timeToFirstTokenMs / 1000).toFixed(1);
  return `${Math.round(speed.outputTokensPerSecond)} tokens/s, first token after ${first} s`;
}

function sizeText(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.round(bytes / 1e6)} MB`;
}
