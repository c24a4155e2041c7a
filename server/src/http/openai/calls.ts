/** The calls that clients of OpenAI make: chat completions, responses and the list of models. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import type { RouterPorts } from '../../core/ports.ts';
import type { Router } from '../../core/router.ts';
import type { Prompt, Registry } from '../../core/types.ts';
import type { ProblemCode } from '../problems.ts';
import type { RequestState } from '../requestState.ts';
import {
  answeringProblems,
  json,
  jsonBody,
  openProblems,
  problems,
  type Responses,
  SECURED,
} from '../routes.ts';
import { jsonReply } from '../wholeReply.ts';
import { answer, type Form } from './answering.ts';
import { chatReply } from './chatReply.ts';
import { askedOfChat, chatRequest } from './chatRequest.ts';
import type { Read } from './conversation.ts';
import { chatForm, responsesForm } from './forms.ts';
import { modelEntry, modelEntryOf, modelList, modelListOf } from './models.ts';
import { openaiProblem, openaiProblemResponse, openaiStatus } from './problems.ts';
import { responsesReply } from './responsesReply.ts';
import { askedOfResponses, responsesRequest } from './responsesRequest.ts';
import { headerText } from './routeFacts.ts';
import { type Asked, promptOfAsked } from './routerFields.ts';

/** Calls that hold a model, and so a slot. */
export const OPENAI_ANSWERS = ['/v1/chat/completions', '/v1/responses'];

const routes = {
  chat: createRoute({
    method: 'post',
    path: '/v1/chat/completions',
    summary: "Answer a chat as OpenAI's own call does, routed.",
    description:
      'Headers `x-router-model`, `x-router-served`, `x-router-reason`, `x-router-cost-usd` and `x-router-saved-usd` tell the route; of a stream the last chunk does, in its field `router`.',
    security: SECURED,
    request: { body: jsonBody(chatRequest) },
    responses: answers('The completion, or its chunks.', chatReply),
  }),
  responses: createRoute({
    method: 'post',
    path: '/v1/responses',
    summary: "Answer as OpenAI's Responses API does, routed. Nothing is kept.",
    security: SECURED,
    request: { body: jsonBody(responsesRequest) },
    responses: answers('The response, or its events.', responsesReply),
  }),
  models: createRoute({
    method: 'get',
    path: '/v1/models',
    summary: 'The models that may be named, `auto` first.',
    security: SECURED,
    responses: { ...json('The models.', modelList), ...refusals(openProblems) },
  }),
  model: createRoute({
    method: 'get',
    path: '/v1/models/{model}',
    summary: 'One of them.',
    security: SECURED,
    request: { params: z.object({ model: z.string().describe('Its id.') }) },
    responses: {
      ...json('The model.', modelEntry),
      ...refusals([...openProblems, 'unknown_model']),
    },
  }),
};

export interface OpenaiDeps {
  readonly router: Router;
  readonly ports: Pick<RouterPorts, 'clock' | 'newId'>;
  readonly registry: () => Registry;
  readonly stalledMs: number;
  readonly onDefect: (error: unknown) => void;
}

export function addOpenaiCalls(app: OpenAPIHono<RequestState>, deps: OpenaiDeps): void {
  const { router, ports, registry, stalledMs, onDefect } = deps;

  async function reply(
    asked: Read<Asked>,
    formOf: (prompt: Prompt, registry: Registry) => Form,
    call: { readonly stream: boolean; readonly signal: AbortSignal; readonly leave: () => void },
  ): Promise<Response> {
    const current = registry();
    const prompt =
      asked.kind === 'refused' ? asked : promptOfAsked(asked.value, current, ports.newId);
    if (prompt.kind === 'refused') return openaiProblemResponse(prompt.problem, current);
    const leftOut = asked.kind === 'read' ? asked.value.toolsLeftOut : [];
    const response = await answer(
      {
        prompt: prompt.value,
        form: formOf(prompt.value, current),
        stream: call.stream,
        signal: call.signal,
        onStreamEnd: call.leave,
      },
      { router, registry: current, stalledMs, onDefect },
    );
    if (leftOut.length > 0) {
      response.headers.set('x-router-tools-left-out', headerText(leftOut.join(', ')));
    }
    return response;
  }

  app.openapi(routes.chat, async (c) => {
    const request = c.req.valid('json');
    const { signal } = c.get('client');
    const call = { stream: request.stream === true, signal, leave: c.get('leave') };
    const nowMs = ports.clock.now();
    const form = ({ id: promptId }: Prompt, current: Registry) =>
      chatForm({ request, promptId, nowMs, registry: current });
    return await reply(askedOfChat(request), form, call);
  });
  app.openapi(routes.responses, async (c) => {
    const request = c.req.valid('json');
    const { signal } = c.get('client');
    const call = { stream: request.stream === true, signal, leave: c.get('leave') };
    const nowMs = ports.clock.now();
    const form = ({ id: promptId }: Prompt, current: Registry) =>
      responsesForm({ request, promptId, nowMs, registry: current });
    return await reply(askedOfResponses(request), form, call);
  });
  app.openapi(routes.models, () => jsonReply(modelListOf(registry())));
  app.openapi(routes.model, (c) => {
    const entry = modelEntryOf(registry(), c.req.valid('param').model);
    if (entry !== undefined) return jsonReply(entry);
    const message = 'expected the id of a model of GET /v1/models, got another name';
    return openaiProblemResponse({ code: 'unknown_model', message, path: 'model' }, registry());
  });
}

function answers(description: string, schema: z.ZodType): Responses {
  const events = z.string().describe("Events as OpenAI's own stream has them.");
  const content = { 'application/json': { schema }, 'text/event-stream': { schema: events } };
  return { 200: { description, content }, ...refusals(answeringProblems) };
}

function refusals(codes: readonly ProblemCode[]): Responses {
  return problems(codes, openaiProblem, openaiStatus);
}
