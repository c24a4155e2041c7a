/** Why no plan may answer: the failure's code, and a sentence that says what was expected, what came and what to do. */
import { NOT_ALLOWED } from './adminPolicy.ts';
import { type Failure, failure } from './errors.ts';
import type { Candidate } from './plans.ts';
import { budgetName, type Reason } from './reason.ts';

export interface Refused {
  readonly kind: 'refused';
  readonly failure: Failure;
  readonly reason: Reason | undefined;
  readonly candidates: readonly Candidate[];
}

/** One sentence each: what was expected, what came, what to do. */
const refusals: Readonly<Record<string, string>> = {
  privacy_floor:
    'expected a model on this machine, because this prompt may not leave it, but none can answer; download a local model',
  capability_missing:
    'expected a model that can do what the request asks for (tools, or a form of the answer), but none that may answer can; allow a cloud model, or ask without',
  context_limit: 'the prompt is longer than any usable model can read; send less context',
  unknown_price: 'the price of the model is unknown; add a row to pricing.yaml',
  cost_limit:
    'no usable model fits the cost limit of this request; raise it or let the local model answer',
  no_api_key: 'the cloud model needs an API key; set OPENAI_API_KEY or let the local model answer',
  model_missing: 'the local model is not on this machine; download it',
  provider_unavailable: 'no model is available; see the model list for the cause',
};

/** @param before what had kept the wanted model away already, so that more than the last obstacle is told */
export function refuse(
  reason: Reason | undefined,
  candidates: readonly Candidate[],
  before?: Reason,
): Refused {
  const kept = reason?.code === 'model_missing' && before && keptHere(before);
  const sentence = refusalSentence(reason);
  return {
    kind: 'refused',
    reason,
    candidates,
    failure: failure(
      refusalCode(reason),
      kept ? `${kept}, and the local model is not on this machine; download it` : sentence,
    ),
  };
}

/** A forced model may not read the prompt; a model on this machine that was not forced might. */
export function refuseForced(reason: Reason, candidates: readonly Candidate[]): Refused {
  const refused = refuse(reason, candidates);
  const isAboutPrompt = reason.code === 'privacy_floor' && !ABOUT_MACHINE.has(reason.facts.rule);
  if (!isAboutPrompt) return refused;
  const message = `${keptHere(reason)}, so ${reason.facts.wanted} can't answer it; force no model, or take out what must stay here`;
  return { ...refused, failure: failure(refused.failure.code, message) };
}

/** Rules that hold whatever the prompt is, with sentences of their own. */
const ABOUT_MACHINE: ReadonlySet<string> = new Set(['local-only', 'untrusted-workspace', 'policy']);

/** Why no cloud model may answer, as the beginning of a sentence. */
function keptHere(reason: Reason): string | undefined {
  switch (reason.code) {
    case 'privacy_floor':
      return `the prompt may not leave this machine (${reason.facts.rule})`;
    case 'budget_exhausted':
      return `${budgetName(reason.facts.period)} does not cover ${reason.facts.wanted}`;
    case 'cost_limit':
      return `${reason.facts.wanted} does not fit the cost limit of this request`;
    default:
      return undefined;
  }
}

function refusalSentence(reason: Reason | undefined): string {
  if (reason === undefined) {
    return 'expected at least one enabled model that may answer, got none; check the registry and the forced model';
  }
  if (reason.code === 'budget_exhausted') {
    return `${keptHere(reason)}; raise it or let the local model answer`;
  }
  if (reason.code === 'privacy_floor' && reason.facts.rule === 'untrusted-workspace') {
    return 'this workspace is not trusted, so only a local model may answer; use one, or trust it';
  }
  if (reason.code === 'privacy_floor' && reason.facts.rule === 'policy') {
    return 'the administrator of this machine lets only local models answer; use one, or ask your administrator';
  }
  if (reason.code === 'provider_unavailable' && reason.facts.failure === NOT_ALLOWED) {
    return 'the administrator of this machine allows other models only; use one of those, or ask your administrator';
  }
  return refusals[reason.code] ?? reason.code;
}

function refusalCode(reason: Reason | undefined): Failure['code'] {
  switch (reason?.code) {
    case 'privacy_floor':
    case 'capability_missing':
    case 'context_limit':
    case 'unknown_price':
    case 'cost_limit':
    case 'budget_exhausted':
    case 'no_api_key':
    case 'model_missing':
    case 'provider_unavailable':
      return reason.code;
    default:
      return 'unknown_model';
  }
}
