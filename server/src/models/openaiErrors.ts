/**
 * Everything that the OpenAI SDK throws and every error a provider sends, told once as a `Failure`.
 * A provider's own sentence may echo the key or the prompt, so only its code, type and parameter are quoted.
 */
import {
  APIConnectionError,
  APIConnectionTimeoutError,
  APIError,
  APIUserAbortError,
} from 'openai/core/error';
import { type Billing, type Failure, type FailureCode, failure } from '../core/errors.ts';

export interface CallContext {
  /** Host of the provider, for messages. */
  readonly host: string;
  readonly apiModel: string;
  /** Never to appear in a message. */
  readonly key: string | undefined;
  /** Whether the request went out at all. */
  readonly sent: boolean;
  /** Whether the provider had begun to answer. */
  readonly answering: boolean;
}

/** Statuses by which a provider refuses before any work is done, so that nothing is billed. */
const NEVER_BILLED = new Set([400, 401, 403, 404, 429]);

/** Failures of the TLS handshake, which comes before the first byte of a request. */
const HANDSHAKE =
  /^(ERR_TLS_\w+|ERR_SSL_WRONG_VERSION_NUMBER|CERT_\w+|\w*SELF_SIGNED\w*|UNABLE_TO_\w+|UND_ERR_CONNECT_TIMEOUT)$/;

export function openaiFailure(error: unknown, context: CallContext): Failure {
  if (!(error instanceof APIError) || isTransport(error)) return connectionFailure(error, context);
  return context.answering
    ? streamedFailure({ code: error.code, type: error.type }, context)
    : statusFailure(error, context);
}

/** A provider's error inside a stream that began well; `code` and `type` are all there is to go by. */
export function streamedFailure(
  told: { readonly code: unknown; readonly type?: unknown },
  context: Pick<CallContext, 'host' | 'key' | 'apiModel'>,
): Failure {
  const words = [told.code, told.type].filter((word) => typeof word === 'string').join(' ');
  const { code, retryable } = kindOf(words) ?? { code: 'provider_unavailable', retryable: true };
  const message = `${context.host} broke its answer off${quoted(told, context)}; ${ADVICE[code] ?? 'try again'}`;
  return failure(code, message, { retryable, billing: 'unknown' });
}

function isTransport(error: APIError): boolean {
  return error instanceof APIConnectionError || error instanceof APIUserAbortError;
}

const ADVICE: Partial<Record<FailureCode, string>> = {
  bad_key: 'check the API key',
  unknown_model: 'check api_model and base_url in the registry, and that the key may use the model',
  bad_request: 'check the entry of this model in the registry',
  context_limit: 'shorten the prompt or its context',
  quota_exceeded: 'check the plan and the billing of the account',
  rate_limited: 'wait and try again',
  refusal: 'ask in other words',
};

function statusFailure(error: APIError, context: CallContext): Failure {
  const { status = 0 } = error;
  const { code, retryable } = kindOfStatus(status, error);
  const billing: Billing = NEVER_BILLED.has(status) ? 'nothing' : 'unknown';
  const retryAfterMs = retryable ? retryAfter(error.headers) : undefined;
  const message = `${context.host} answered ${status} for ${context.apiModel}${quoted(error, context)}; ${ADVICE[code] ?? 'try again later'}`;
  return failure(code, message, {
    retryable,
    billing,
    httpStatus: status,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
}

interface Kind {
  readonly code: FailureCode;
  readonly retryable: boolean;
}

function kindOfStatus(status: number, error: APIError): Kind {
  const words = `${error.code ?? ''} ${error.type ?? ''}`;
  if (status === 401 || status === 403) return { code: 'bad_key', retryable: false };
  if (status === 402) return { code: 'quota_exceeded', retryable: false };
  if (status === 404) return { code: 'unknown_model', retryable: false };
  if (status === 429) {
    const spent = kindOf(words)?.code === 'quota_exceeded';
    return spent
      ? { code: 'quota_exceeded', retryable: false }
      : { code: 'rate_limited', retryable: true };
  }
  if (status === 408 || status === 409 || status >= 500) {
    return { code: 'provider_unavailable', retryable: true };
  }
  const told = kindOf(words);
  if (told?.code === 'refusal' || told?.code === 'context_limit') return told;
  // Compatible servers have no common code for this, so here the sentence is read, though never quoted.
  const tooLong = /context.{0,20}(length|window|size)|maximum context|too many tokens/i;
  return tooLong.test(error.message)
    ? { code: 'context_limit', retryable: false }
    : { code: 'bad_request', retryable: false };
}

/** What a machine-readable code or type means where there is no status, or where the status is not enough. */
function kindOf(words: string): Kind | undefined {
  if (/insufficient_quota|billing|credit/.test(words)) {
    return { code: 'quota_exceeded', retryable: false };
  }
  if (/rate_limit/.test(words)) return { code: 'rate_limited', retryable: true };
  if (/context_length|context_size/.test(words)) return { code: 'context_limit', retryable: false };
  if (/policy|content_filter|invalid_prompt/.test(words)) {
    return { code: 'refusal', retryable: false };
  }
  if (/invalid|not_supported/.test(words)) return { code: 'bad_request', retryable: false };
  return undefined;
}

function connectionFailure(error: unknown, context: CallContext): Failure {
  const { host, sent, answering } = context;
  if (answering) {
    const message = `the answer of ${host} broke off before its end; ask again`;
    return failure('stream_cut', message, { retryable: true, billing: 'unknown' });
  }
  const chain = chainOf(error);
  // `fetch` asks no port of the standard's list (6000, 10080 and others), so nothing has left; the error has no code.
  if (chain.some(({ message }) => message === 'bad port')) {
    const message = `expected a port that programs may ask, got that of ${host}, which belongs to another protocol; let the server listen on another port`;
    return failure('provider_unavailable', message, { billing: 'nothing' });
  }
  const causes = chain.flatMap(systemCause);
  const early = causes.find(isBeforeSending);
  const billing: Billing = early !== undefined || !sent ? 'nothing' : 'unknown';
  if (
    error instanceof APIConnectionTimeoutError ||
    causes.some(({ code }) => code === 'UND_ERR_CONNECT_TIMEOUT')
  ) {
    return timedOut(host, billing);
  }
  const code = early?.code ?? causes[0]?.code;
  const message = `could not reach ${host}${code === undefined ? '' : ` (${code})`}; check the network and the base URL`;
  return failure('provider_unavailable', message, { retryable: true, billing });
}

export function timedOut(host: string, billing: Billing): Failure {
  const message = `${host} stayed silent for longer than is allowed; try again later`;
  return failure('timeout', message, { retryable: true, billing });
}

/** ` (code: rate_limit_exceeded, param: model)`; nothing that could be a key or a person's words. */
function quoted(
  told: { readonly code?: unknown; readonly type?: unknown; readonly param?: unknown },
  { key }: Pick<CallContext, 'key'>,
): string {
  const facts = (['code', 'type', 'param'] as const).flatMap((name) => {
    const value = told[name];
    const plain = typeof value === 'string' && /^[a-z][a-z0-9_.[\]]{0,63}$/.test(value);
    return plain && !(key !== undefined && value.includes(key)) ? [`${name}: ${value}`] : [];
  });
  return facts.length === 0 ? '' : ` (${facts.join(', ')})`;
}

interface Cause {
  readonly code: string;
  readonly syscall: string | undefined;
}

/** An error and all that caused it; a host with several addresses has one error for each. */
function chainOf(error: unknown, depth = 0): readonly Error[] {
  if (!(error instanceof Error) || depth > 5) return [];
  const several: readonly unknown[] = error instanceof AggregateError ? error.errors : [];
  return [error, ...[error.cause, ...several].flatMap((cause) => chainOf(cause, depth + 1))];
}

function systemCause(error: Error): readonly Cause[] {
  const { code, syscall } = error as NodeJS.ErrnoException;
  return typeof code === 'string' ? [{ code, syscall }] : [];
}

function isBeforeSending({ code, syscall }: Cause): boolean {
  return syscall === 'connect' || syscall === 'getaddrinfo' || HANDSHAKE.test(code);
}

/** `retry-after-ms` in milliseconds, or `retry-after` in seconds or as a date. */
function retryAfter(headers: Headers | undefined): number | undefined {
  const ms = Number(headers?.get('retry-after-ms') ?? Number.NaN);
  if (Number.isFinite(ms) && ms >= 0) return Math.ceil(ms);
  const value = headers?.get('retry-after')?.trim();
  if (value === undefined || value === '') return undefined;
  const seconds = Number(value);
  if (Number.isFinite(seconds)) return seconds >= 0 ? Math.ceil(seconds * 1000) : undefined;
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : Math.max(0, at - Date.now());
}
