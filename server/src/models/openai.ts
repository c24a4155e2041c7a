/**
 * The cloud tier by the types and errors of the `openai` SDK: the Responses API for OpenAI, Chat Completions for compatible
 * servers.
 * One call is one HTTP request: no retry, no redirect, every option that moves the bill pinned, so that a
 * reservation's bound holds. A cancelled call is read on in silence for a while, so that its true cost is known.
 */
import { APIError } from 'openai/core/error';
import { type Billing, type Failure, failure } from '../core/errors.ts';
import type { GenerationRequest, ModelEvent, ModelPort } from '../core/ports.ts';
import type { CloudModel, Model } from '../core/types.ts';
import { networkFetch } from './network.ts';
import { chatBody, responsesBody } from './openaiBodies.ts';
import { openaiFailure, streamedFailure, timedOut } from './openaiErrors.ts';
import { type AnswerReader, createChatReader, createResponsesReader } from './openaiEvents.ts';
import { wireStream } from './openaiStream.ts';

export interface CloudOptions {
  /** The key for a base URL; a key entered for one server is `undefined` for any other. */
  readonly key: (baseUrl: string) => string | undefined;
  /** Takes the place of OpenAI's own address and of the registry's, for provider `openai` only. */
  readonly openaiBaseUrl?: string;
  /** @default the network's way, see network.ts */
  readonly fetch?: typeof globalThis.fetch;
  /** Silence allowed before the answer begins and between two of its events. @default 120_000 */
  readonly timeoutMs?: number;
  /** How long a cancelled call is read on for its usage. @default 30_000 */
  readonly drainMs?: number;
}

/** Where provider `openai` is found unless somebody says otherwise. */
export const OPENAI_URL = 'https://api.openai.com/v1';

export type CloudPort = ModelPort & Required<Pick<ModelPort, 'body'>>;

export function createCloudModels(options: CloudOptions): CloudPort {
  const baseUrlOf = (model: CloudModel) =>
    (model.provider === 'openai' ? options.openaiBaseUrl : undefined) ??
    model.baseUrl ??
    OPENAI_URL;
  const keyOf = (model: CloudModel) =>
    model.key === 'none' ? undefined : options.key(baseUrlOf(model)) || undefined;
  const limits: Limits = {
    fetch: options.fetch ?? networkFetch,
    timeoutMs: options.timeoutMs ?? 120_000,
    drainMs: options.drainMs ?? 30_000,
  };
  /** Asked for at every decision, and neither the model nor the address of this port changes. */
  const identities = new WeakMap<Model, string>();

  return {
    availability(model) {
      const cloud = cloudModel(model);
      return cloud.key !== 'none' && keyOf(cloud) === undefined
        ? { kind: 'no_api_key' }
        : { kind: 'ready' };
    },
    identity(model) {
      const known = identities.get(model);
      if (known !== undefined) return known;
      const cloud = cloudModel(model);
      const identity = `${cloud.provider}:${new URL(baseUrlOf(cloud)).host}:${cloud.apiModel}`;
      identities.set(model, identity);
      return identity;
    },
    body(model, request) {
      const cloud = cloudModel(model);
      return wireOf(cloud, request, baseUrlOf(cloud));
    },
    generate(model, request, signal) {
      const cloud = cloudModel(model);
      return generate(
        { model: cloud, request, baseUrl: baseUrlOf(cloud), key: keyOf(cloud) },
        limits,
        signal,
      );
    },
  };
}

interface Call {
  readonly model: CloudModel;
  readonly request: GenerationRequest;
  readonly baseUrl: string;
  readonly key: string | undefined;
}

type Limits = Required<Pick<CloudOptions, 'fetch' | 'timeoutMs' | 'drainMs'>>;

async function* generate(
  call: Call,
  limits: Limits,
  signal: AbortSignal,
): AsyncGenerator<ModelEvent, void> {
  const { model, key } = call;
  const host = new URL(call.baseUrl).host;
  if (model.key !== 'none' && key === undefined) {
    yield failed(failure('no_api_key', `no API key for ${host}; enter one, or set OPENAI_API_KEY`));
    return;
  }

  const connection = new AbortController();
  const state = { sent: false, answering: false, silent: false };
  let drainTimer: NodeJS.Timeout | undefined;
  const drain = () => {
    drainTimer = setTimeout(() => connection.abort(), limits.drainMs);
  };
  const onSilence = () => {
    state.silent = true;
    connection.abort();
  };
  /** Why no proper end came. A cancelled call is just that, with the billing of what happened to it. */
  const verdict = (error: unknown): ModelEvent => {
    const own = state.silent
      ? timedOut(host, 'unknown')
      : openaiFailure(error, { host, apiModel: model.apiModel, key, ...state });
    return failed(signal.aborted ? cancelled(own.billing) : own);
  };

  let answer: Answer | undefined;
  signal.addEventListener('abort', drain, { once: true });
  try {
    const mark = () => {
      if (signal.aborted) throw new DOMException('aborted before sending', 'AbortError');
      state.sent = true;
    };
    // With it the body of an error, which may stall after its headers.
    const sending = { fetch: limits.fetch, signal: connection.signal, mark };
    const opening = open(call, host, sending);
    answer = await withinSilence(opening, limits.timeoutMs, onSilence);
    state.answering = true;
    for await (const text of itemsWithinSilence(answer.texts, limits.timeoutMs, onSilence)) {
      if (text !== '' && !signal.aborted) yield { type: 'text-delta', text };
    }
    yield answer.ended() ?? verdict(undefined);
  } catch (error) {
    yield answer?.ended() ?? verdict(error);
  } finally {
    signal.removeEventListener('abort', drain);
    clearTimeout(drainTimer);
    if (answer?.isOver() !== true) connection.abort();
  }
}

/** All that leaves besides the body. */
function headersOf(key: string | undefined): Record<string, string> {
  return {
    accept: 'application/json',
    'content-type': 'application/json',
    'user-agent': 'cost-aware-router',
    ...(key !== undefined && { authorization: `Bearer ${key}` }),
  };
}

interface Sending {
  readonly fetch: typeof globalThis.fetch;
  readonly signal: AbortSignal;
  /** Called before the one request leaves, and may throw. */
  readonly mark: () => void;
}

/**
 * One POST. The SDK's own client, which would make the same, took a tenth of a whole request's processor time. Throws what
 * that client throws for a refusal; a redirect is one, too: to follow it would carry the prompt to a server that nobody chose.
 */
async function post(call: Call, { fetch, signal, mark }: Sending): Promise<Response> {
  const { url, body } = wireOf(call.model, call.request, call.baseUrl);
  const init: RequestInit = {
    method: 'POST',
    headers: headersOf(call.key),
    body,
    signal,
    redirect: 'manual',
  };
  mark();
  const response = await fetch(url, init);
  if (response.ok) return response;
  const text = await response.text();
  throw APIError.generate(response.status, jsonOf(text), text, response.headers);
}

function jsonOf(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/** What a call sends, and where. */
function wireOf(
  model: CloudModel,
  request: GenerationRequest,
  baseUrl: string,
): { readonly url: string; readonly body: string } {
  const [path, body] =
    model.provider === 'openai'
      ? ['responses', responsesBody(model, request)]
      : ['chat/completions', chatBody(model, request)];
  return { url: `${baseUrl.replace(/\/+$/, '')}/${path}`, body: JSON.stringify(body) };
}

interface Answer {
  /** One entry per piece of the wire, empty for those that add no text. */
  readonly texts: AsyncIterable<string>;
  readonly ended: AnswerReader<never>['ended'];
  /** Nothing more is wanted of its connection. */
  readonly isOver: () => boolean;
}

async function open(call: Call, host: string, sending: Sending): Promise<Answer> {
  const { model, key } = call;
  const { apiModel } = model;
  const response = await post(call, sending);
  return model.provider === 'openai'
    ? answerOf(
        response,
        createResponsesReader((told) => streamedFailure(told, { host, apiModel, key })),
      )
    : answerOf(response, createChatReader());
}

/** The types of events are what a provider promises; a reader takes nothing of them on trust. */
function answerOf<Event>(response: Response, reader: AnswerReader<Event>): Answer {
  const stream = wireStream(response);
  async function* texts() {
    for await (const events of stream.pieces) {
      let text = '';
      for (const event of events) {
        if (!reader.complete()) text += reader.read(event as Event);
      }
      // Before anybody else is asked: whoever reads may not come back after the last text.
      if (reader.complete()) stream.finish();
      yield text;
    }
  }
  return { texts: texts(), ended: reader.ended, isOver: stream.isOver };
}

/** Tells when something that is waited for takes too long; whoever is told has to end it. */
async function withinSilence<Value>(
  value: Promise<Value>,
  timeoutMs: number,
  onSilence: () => void,
): Promise<Value> {
  const timer = setTimeout(onSilence, timeoutMs);
  try {
    return await value;
  } finally {
    clearTimeout(timer);
  }
}

/** Passes a stream on; only its source can be silent for too long, not its reader. */
async function* itemsWithinSilence<Item>(
  source: AsyncIterable<Item>,
  timeoutMs: number,
  onSilence: () => void,
): AsyncGenerator<Item, void> {
  const items = source[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await withinSilence(items.next(), timeoutMs, onSilence);
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    await items.return?.();
  }
}

function cloudModel(model: Model): CloudModel {
  if (model.provider !== 'local') return model;
  throw new Error(`expected a cloud model, got the local ${model.id}`);
}

function failed(own: Failure): ModelEvent {
  return { type: 'failed', failure: own };
}

function cancelled(billing: Billing): Failure {
  return failure('cancelled', 'the request was cancelled', { billing });
}
