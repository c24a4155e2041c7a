/**
 * A router that weighs two models only, for scoring in bulk. Besides the registry's models it knows the reference models,
 * whose outcomes the score was fitted on: they can be judged and compared, but there is nothing here to run or to pay.
 */
import type { App } from '../compose.ts';
import { type Failure, failure } from '../core/errors.ts';
import type { Catalogue, ModelPort } from '../core/ports.ts';
import { createRouter, type Router } from '../core/router.ts';
import type { Model, Registry, Tier } from '../core/types.ts';

export interface Pair {
  readonly cheap?: string;
  readonly escalation?: string;
}

export type PairResult =
  | {
      readonly kind: 'ready';
      readonly router: Router;
      /** Models without a price because nobody sells them here. */
      readonly unpriced: ReadonlySet<string>;
    }
  | { readonly kind: 'failed'; readonly failure: Failure };

export function createPairRouter(app: App, pair: Pair): PairResult {
  const registry = app.catalogue.registry();
  const settings = app.settings();
  const cheapId = pair.cheap ?? settings.cheap ?? registry.defaults.cheap;
  const escalationId = pair.escalation ?? settings.escalation ?? registry.defaults.escalation;
  const cheap = find(app, registry, cheapId, 'cheap');
  const escalation = find(app, registry, escalationId, 'escalation');
  if (cheap === undefined) return unknown('--cheap', cheapId, app, registry);
  if (escalation === undefined) return unknown('--escalation', escalationId, app, registry);
  if (cheapId === escalationId) {
    return bad(`expected --cheap and --escalation to be two models, got ${cheapId} twice`);
  }

  const two: Registry = {
    models: [cheap, escalation],
    defaults: { ...registry.defaults, cheap: cheapId, escalation: escalationId },
  };
  const catalogue: Catalogue = {
    registry: () => two,
    price: (id, atMs) => app.catalogue.price(id, atMs),
  };
  const isReference = (id: string) => !registry.models.some((known) => known.id === id);
  const judged = (port: ModelPort): ModelPort => ({
    ...judgedOnly,
    identity: (model) => (isReference(model.id) ? model.id : port.identity(model)),
  });
  const { local, cloud } = app.ports;
  const router = createRouter({
    ports: { ...app.ports, catalogue, local: judged(local), cloud: judged(cloud) },
    scorer: app.scorer,
    confidence: app.confidence,
    settings: () => ({ ...settings, cheap: cheapId, escalation: escalationId }),
  });
  const references = two.models.map(({ id }) => id).filter(isReference);
  return { kind: 'ready', router, unpriced: new Set(references) };
}

/** A model takes the role it is named for, whatever its tier in the registry, and whether or not it is enabled. */
function find(app: App, registry: Registry, id: string, tier: Tier): Model | undefined {
  const known = registry.models.find((model) => model.id === id);
  if (known !== undefined) return { ...known, tier, enabled: true };
  return app.referenceModels.includes(id) ? referenceModel(id, tier) : undefined;
}

/** `local` so that neither a key nor a price is asked for; the context is wide, because only the score is of interest. */
function referenceModel(id: string, tier: Tier): Model {
  return {
    id,
    label: id,
    tier,
    enabled: true,
    provider: 'local',
    contextWindow: 10_000_000,
    maxOutputTokens: 4096,
    ability: { kind: 'fitted', key: id },
    file: {
      fileName: `${id}.gguf`,
      sizeBytes: 0,
      sha256: '',
      sources: [],
      chatTemplate: 'auto',
      systemPrompt: '',
      thoughtTokens: 0,
    },
  };
}

const judgedOnly: Omit<ModelPort, 'identity'> = {
  availability: () => ({ kind: 'ready' }),
  // biome-ignore lint/correctness/useYield: scoring never generates, so there is nothing to yield
  async *generate() {
    throw new Error('expected no generation while scoring');
  },
};

function unknown(flag: string, id: string, app: App, registry: Registry): PairResult {
  const known = [...registry.models.map((model) => model.id), ...app.referenceModels];
  return bad(`expected ${flag} to name a model out of ${known.join(', ')}; got ${id}`);
}

function bad(message: string): PairResult {
  return { kind: 'failed', failure: failure('unknown_model', message) };
}
