/** Which models may answer a prompt: the pair of the settings, or a ladder of as many as there are, and one forced by id. */
import { rungsOf } from './ladder.ts';
import type { RouterPorts } from './ports.ts';
import type { Settings } from './schema.ts';
import type { Model, Prompt, Registry } from './types.ts';

export interface ModelsInPlay {
  readonly cheap: Model | undefined;
  readonly escalations: readonly Model[];
  readonly escalation: Model | undefined;
  /** The cheap model where there is one; its failures are what escalating mends. */
  readonly first: Model;
  /** The cheap model and the escalations are in the order of their prices. */
  readonly isLadder: boolean;
}

export function modelsInPlay(
  registry: Registry,
  settings: Settings,
  prompt: Prompt,
  ports: RouterPorts,
): ModelsInPlay {
  const enabled = registry.models.filter((model) => model.enabled);
  const byId = (id: string) => enabled.find((model) => model.id === id);
  const force = prompt.constraints.forceModel;
  const forced = force !== undefined && 'id' in force ? byId(force.id) : undefined;
  const cheapId = settings.cheap ?? registry.defaults.cheap;
  const escalationId = settings.escalation ?? registry.defaults.escalation;
  const escalation = byId(escalationId);
  const ladder = settings.ladder ?? registry.defaults.ladder;
  if (ladder !== undefined) {
    const nowMs = ports.clock.now();
    const rungs = rungsOf({
      ladder,
      registry,
      cheapId,
      escalationId,
      priceOf: ({ id }) => ports.catalogue.price(id, nowMs),
      isHere: (model) => ports.local.availability(model).kind !== 'model_missing',
    });
    const all = forced === undefined || rungs.includes(forced) ? rungs : [...rungs, forced];
    const [lowest] = all;
    const cheap = lowest === escalation ? undefined : lowest;
    const escalations = all.filter((model) => model !== cheap);
    return inPlay(cheap, escalations, escalation, true);
  }
  const cheap = forced?.tier === 'cheap' ? forced : byId(cheapId);
  const escalations = enabled.filter(
    (model) => model.id !== cheap?.id && (model.tier === 'escalation' || model === escalation),
  );
  return inPlay(cheap, escalations, escalation, false);
}

function inPlay(
  cheap: Model | undefined,
  escalations: readonly Model[],
  escalation: Model | undefined,
  isLadder: boolean,
): ModelsInPlay {
  const first = cheap ?? escalation ?? escalations[0];
  if (first === undefined)
    throw new Error('expected at least one enabled model in the registry, got none');
  return { cheap, escalations, escalation, first, isLadder };
}
