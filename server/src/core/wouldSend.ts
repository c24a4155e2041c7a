/** What a prompt would send off this machine, without sending it: the same decision and the same body as an answer's. */
import type { Route } from './answer.ts';
import { auditorOf, auditRequest } from './audit.ts';
import { requestTo } from './callModel.ts';
import type { Decide } from './decide.ts';
import { modelById } from './decide.ts';
import type { Failure } from './errors.ts';
import type { GenerationRequest, RouterPorts, SentBody } from './ports.ts';
import type { Reason } from './reason.ts';
import { runsHere } from './runsHere.ts';
import { stepsAbove } from './stepsAbove.ts';
import type { Model, Prompt } from './types.ts';

export interface WouldSendRequest extends SentBody {
  readonly modelId: string;
  /** Sent in any case, only if the local answer is unsure, or only if that answer is drawn for an audit. */
  readonly when: 'always' | 'if-unsure' | 'audit';
}

export type WouldSend =
  | { readonly kind: 'refused'; readonly failure: Failure; readonly reason: Reason | undefined }
  /** No requests: nothing leaves, and the route's reason says why it stays. */
  | {
      readonly kind: 'routed';
      readonly route: Route;
      readonly requests: readonly WouldSendRequest[];
    };

export async function wouldSend(
  prompt: Prompt,
  decide: Decide,
  ports: RouterPorts,
): Promise<WouldSend> {
  const decided = await decide(prompt);
  const { decision, registry, settings } = decided;
  if (decision.kind === 'refused') {
    return { kind: 'refused', failure: decision.failure, reason: decision.reason };
  }
  const { route } = decision;
  const sent = (model: Model, request: GenerationRequest, when: WouldSendRequest['when']) => {
    const body = ports.cloud.body?.(model, request);
    if (body === undefined)
      throw new Error(`expected the body of a request to ${model.id}, got none`);
    return { ...body, modelId: model.id, when };
  };
  const models = [route.modelId, ...stepsAbove(route)]
    .map((id) => modelById(registry, id))
    .filter((model) => !runsHere(model));
  const requests = models.map((model) =>
    sent(
      model,
      requestTo(model, decided.prompt, settings, route),
      model.id === route.modelId ? 'always' : 'if-unsure',
    ),
  );
  const auditor = await auditorOf(decided, route, ports);
  if (auditor !== undefined) {
    requests.push(sent(auditor, auditRequest(decided, auditor), 'audit'));
  }
  return { kind: 'routed', route, requests };
}
