/** Decides, and where only its length stands between a prompt and a model, decides again for what fits of it. */
import type { Route } from './answer.ts';
import type { Decide, Decided } from './decide.ts';
import { modelById } from './decide.ts';
import type { Candidate } from './plans.ts';
import { byteBound, generationRequest } from './request.ts';
import { trimToFit } from './trimToFit.ts';

/** What a fence or a rounding may add to a prompt that was cut to the token. */
const SPARE_TOKENS = 32;

export function decideTrimmed(decide: Decide): Decide {
  return async (asked, options) => {
    const decided = await decide(asked, options);
    const excess = asked.mayTrim === true ? excessTokens(decided) : undefined;
    if (excess === undefined) return decided;
    const trimmed = trimToFit(asked, excess);
    if (trimmed === undefined) return decided;
    const again = await decide(trimmed.prompt, options);
    if (again.decision.kind === 'refused') return decided;
    const { leftOut } = trimmed;
    const told = (route: Route): Route => ({ ...route, trace: { ...route.trace, leftOut } });
    return {
      ...again,
      decision: { kind: 'routed', route: told(again.decision.route) },
      async without(failed) {
        const next = await again.without(failed);
        return next.kind === 'routed' ? { kind: 'routed', route: told(next.route) } : next;
      },
    };
  };
}

/** By how much the prompt passes the largest window that nothing but its length keeps it from; `undefined` if none. */
function excessTokens({ decision, prompt, registry, settings }: Decided): number | undefined {
  if (decision.kind === 'routed') return undefined;
  const tooSmall = decision.candidates
    .filter(onlyTooLong)
    .map(({ first }) => modelById(registry, first))
    .toSorted((one, other) => other.contextWindow - one.contextWindow);
  const [model] = tooSmall;
  if (model === undefined) return undefined;
  const cap = Math.min(
    prompt.constraints.maxOutputTokens ?? settings.maxOutputTokens,
    model.maxOutputTokens,
  );
  const inputTokens = Math.ceil(byteBound(generationRequest(prompt, model, 1)) / 4);
  return inputTokens + cap + SPARE_TOKENS - model.contextWindow;
}

function onlyTooLong({ ifUnsure, exclusions }: Candidate): boolean {
  return (
    ifUnsure === undefined &&
    exclusions.context !== undefined &&
    Object.keys(exclusions).length === 1
  );
}
