/** Models under the policy of an administrator: one that is not allowed is not available, and is not called whatever was decided. */
import { type AdminPolicy, allows, NOT_ALLOWED } from '../core/adminPolicy.ts';
import { failure } from '../core/errors.ts';
import type { ModelPort } from '../core/ports.ts';
import { runsHere } from '../core/runsHere.ts';
import type { Model } from '../core/types.ts';

export function governed<Port extends ModelPort>(port: Port, policy: () => AdminPolicy): Port {
  /** Why the policy stands against a model. */
  function refusal(model: Model): string | undefined {
    const now = policy();
    if (!allows(now, model.id)) return NOT_ALLOWED;
    return now.localOnly && !runsHere(model)
      ? 'the administrator of this machine lets only local models answer'
      : undefined;
  }
  return {
    ...port,
    availability(model) {
      const why = refusal(model);
      return why === undefined ? port.availability(model) : { kind: 'unavailable', why };
    },
    async warm(model, request) {
      if (refusal(model) === undefined) await port.warm?.(model, request);
    },
    async *generate(model, request, signal) {
      const why = refusal(model);
      if (why === undefined) yield* port.generate(model, request, signal);
      else yield { type: 'failed', failure: failure('provider_unavailable', why) };
    },
  };
}
