/** What would have changed a choice, and the layers of limits in which it is looked for. */
import type { Layer } from './estimate.ts';
import type { Candidate } from './plans.ts';
import type { Reason } from './reason.ts';

/**
 * What must hold comes first; a missing key comes late, so that it tells what the route would have been with one.
 * Latency is a wish and comes last, when only plans that can be used are left to be the fastest of.
 */
export const layers: readonly Layer[] = [
  'privacy',
  'capability',
  'context',
  'price',
  'cost',
  'budget',
  'availability',
  'latency',
];

export interface Chosen {
  readonly cheapId: string | undefined;
  readonly escalationId: string | undefined;
  readonly score: number;
  readonly threshold: number;
  /** The model that would have answered first had nothing stood in the way. */
  readonly wanted: string;
  readonly chosen: Candidate;
  readonly candidates: readonly Candidate[];
}

/** Names only what could have changed it: no score where the other models could not have answered either. */
export function flipsOf(choice: Chosen): string[] {
  const { cheapId, escalationId, score, threshold, wanted, chosen, candidates } = choice;
  const flips: string[] = [];
  const elsewhere = candidates.filter((candidate) => candidate.first !== chosen.first);
  if (cheapId !== undefined && chosen.first === wanted && elsewhere.some(mayAnswer)) {
    const side = chosen.first === cheapId ? 'above' : 'at or below';
    flips.push(`the score had been ${side} ${threshold.toFixed(2)} (it is ${score.toFixed(2)})`);
  }
  const withoutSecond = chosen.first === wanted && chosen.ifUnsure === undefined;
  const keptAway = withoutSecond ? escalationId : wanted;
  if (keptAway === chosen.first) return flips;
  const plan = candidates.find(({ first, ifUnsure }) => first === keptAway && !ifUnsure);
  for (const layer of layers) {
    const exclusion = plan?.exclusions[layer];
    if (exclusion !== undefined && keptAway !== undefined)
      flips.push(otherwise(exclusion, keptAway));
  }
  return flips;
}

/** What would have let the model answer, as the end of "if …". */
function otherwise(exclusion: Reason, model: string): string {
  switch (exclusion.code) {
    case 'privacy_floor':
      return `the prompt could have left this machine for ${model}`;
    case 'capability_missing':
      return exclusion.facts.needs === 'tools'
        ? `no tools had been offered, which ${model} can not call`
        : `no form of the answer had been asked for, which ${model} can not keep to`;
    case 'context_limit':
      return `the prompt had fitted the context of ${model}`;
    case 'unknown_price':
      return `the price of ${model} had been known`;
    case 'cost_limit':
      return `the cost limit of this request had covered ${model}`;
    case 'budget_exhausted':
      return `the budget had covered ${model}`;
    case 'no_api_key':
      return `there had been an API key for ${model}`;
    case 'model_missing':
      return `${model} had been on this machine`;
    case 'latency_limit':
      return `${model} had been fast enough`;
    default:
      return `${model} had been available`;
  }
}

/** Lateness alone turns nobody away. */
function mayAnswer(candidate: Candidate): boolean {
  return layers.every((layer) => layer === 'latency' || candidate.exclusions[layer] === undefined);
}
