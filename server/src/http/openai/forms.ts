/** The two wire formats as forms of an answer. */
import type { Registry } from '../../core/types.ts';
import { eventText } from '../eventStream.ts';
import type { Form } from './answering.ts';
import { chatIdentity, chatReplyOf, lastChunks, textChunk } from './chatReply.ts';
import type { ChatRequest } from './chatRequest.ts';
import { responseEvents, responseOf } from './responsesReply.ts';
import type { ResponsesRequest } from './responsesRequest.ts';

export interface FormSource<Request> {
  readonly request: Request;
  readonly promptId: string;
  readonly nowMs: number;
  readonly registry: Registry;
}

export function chatForm({ request, promptId, nowMs, registry }: FormSource<ChatRequest>): Form {
  const identity = chatIdentity(promptId, nowMs);
  const withUsage = request.stream_options?.include_usage === true;
  let first = true;
  return {
    whole: (result) => chatReplyOf(identity, result, registry),
    stream: {
      *text(text, modelId) {
        yield eventText(undefined, textChunk(identity, modelId, text, first));
        first = false;
      },
      *end(result) {
        for (const chunk of lastChunks(identity, result, registry, withUsage, first)) {
          yield eventText(undefined, chunk);
        }
      },
      close: ['data: [DONE]\n\n'],
    },
  };
}

export function responsesForm(source: FormSource<ResponsesRequest>): Form {
  const { request, promptId, nowMs, registry } = source;
  const frame = { promptId, request, createdAt: Math.floor(nowMs / 1000) };
  const events = responseEvents(frame, registry);
  return {
    whole: (result) => responseOf(frame, result, registry),
    stream: {
      *text(text, modelId) {
        for (const event of events.text(text, modelId)) yield eventText(event.type, event);
      },
      *end(result) {
        for (const event of events.end(result)) yield eventText(event.type, event);
      },
      close: [],
    },
  };
}
