/**
 * The cloud tier over the `openai` SDK: the Responses API for OpenAI, Chat Completions for compatible servers.
 * One call is one HTTP request: no retry, no redirect, every option that moves the bill pinned, so that a
 * reservation's bound holds. A cancelled call is read on in silence for a while, so that its true cost is known.
 */
import type { OpenAI } from 'openai';
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

/** All that leaves besides the body. The SDK would add the environment's OPENAI_CUSTOM_HEADERS and telemetry. */
const SENT_HEADERS = ['accept', 'authorization', 'content-type', 'user-agent'];

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
  const clients = createClients(limits);
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
      const [path, body] =
        cloud.provider === 'openai'
          ? ['responses', responsesBody(cloud, request)]
          : ['chat/completions', chatBody(cloud, request)];
      return {
        url: `${baseUrlOf(cloud).replace(/\/+$/, '')}/${path}`,
        body: JSON.stringify(body),
      };
    },
    generate(model, request, signal) {
      const cloud = cloudModel(model);
      return generate(
        { model: cloud, request, baseUrl: baseUrlOf(cloud), key: keyOf(cloud) },
        limits,
        clients,
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
  clients: Clients,
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
    const client = await clients.of(call);
    const mark = () => {
      if (signal.aborted) throw new DOMException('aborted before sending', 'AbortError');
      state.sent = true;
    };
    // The SDK's own timeout ends with the headers; an error's body may stall after them.
    const opening = open(client, call, host, { signal: connection.signal, mark });
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

interface Clients {
  of(call: Pick<Call, 'baseUrl' | 'key'>): Promise<OpenAI>;
}

/** Beside what `fetch` knows: called before the one request of a call leaves, and may throw. */
interface MarkedInit extends RequestInit {
  readonly mark?: () => void;
}

/** One client for each base URL, for as long as its key stays the same. */
function createClients(limits: Limits): Clients {
  const known = new Map<string, { readonly key: string | undefined; readonly client: OpenAI }>();
  return {
    async of({ baseUrl, key }) {
      const before = known.get(baseUrl);
      if (before !== undefined && before.key === key) return before.client;
      const client = await createClient(baseUrl, key, limits);
      known.set(baseUrl, { key, client });
      return client;
    },
  };
}

async function createClient(
  baseUrl: string,
  key: string | undefined,
  limits: Limits,
): Promise<OpenAI> {
  // Loaded late: half the commands never call a cloud model, and the SDK takes 0.2 s to load.
  const { OpenAI } = await import('openai');
  return new OpenAI({
    // The SDK insists on a key; `onlyWhatIsMeant` takes this one out again.
    apiKey: key ?? 'none',
    baseURL: baseUrl,
    // What the environment holds for OpenAI's own tools is not meant for this program.
    adminAPIKey: null,
    organization: null,
    project: null,
    webhookSecret: null,
    maxRetries: 0,
    timeout: limits.timeoutMs,
    // The SDK's log could show parts of an answer.
    logLevel: 'off',
    async fetch(input, init: MarkedInit = {}) {
      const { mark, ...meant } = init;
      mark?.();
      return await limits.fetch(input, onlyWhatIsMeant(meant, key !== undefined));
    },
  });
}

/** A redirect is not followed: it would carry the prompt to a server that nobody chose. */
function onlyWhatIsMeant(init: RequestInit, withKey: boolean): RequestInit {
  const given = new Headers(init.headers);
  const headers = new Headers();
  for (const name of SENT_HEADERS) {
    const value = given.get(name);
    if (value !== null && (withKey || name !== 'authorization')) headers.set(name, value);
  }
  return { ...init, headers, redirect: 'manual' };
}

interface Answer {
  /** One entry per piece of the wire, empty for those that add no text. */
  readonly texts: AsyncIterable<string>;
  readonly ended: AnswerReader<never>['ended'];
  /** Nothing more is wanted of its connection. */
  readonly isOver: () => boolean;
}

async function open(
  client: OpenAI,
  { model, request, key }: Call,
  host: string,
  { signal, mark }: { readonly signal: AbortSignal; readonly mark: () => void },
): Promise<Answer> {
  const { apiModel } = model;
  const fetchOptions = { redirect: 'manual' as const, mark };
  if (model.provider === 'openai') {
    const reader = createResponsesReader((told) => streamedFailure(told, { host, apiModel, key }));
    const body = responsesBody(model, request);
    return answerOf(
      await client.responses.create(body, { signal, fetchOptions }).asResponse(),
      reader,
    );
  }
  const body = chatBody(model, request);
  return answerOf(
    await client.chat.completions.create(body, { signal, fetchOptions }).asResponse(),
    createChatReader(),
  );
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
