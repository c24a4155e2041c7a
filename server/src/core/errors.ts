/** Failures as values. An adapter translates what its library throws into one of these, once, and decides `retryable` there. */

export type FailureCode =
  | 'bad_request'
  | 'bad_key'
  | 'no_api_key'
  | 'quota_exceeded'
  | 'rate_limited'
  | 'provider_unavailable'
  | 'timeout'
  | 'stream_cut'
  | 'refusal'
  | 'context_limit'
  | 'model_missing'
  | 'model_too_big'
  | 'model_crashed'
  | 'too_busy'
  | 'unknown_model'
  | 'unknown_price'
  | 'capability_missing'
  | 'budget_exhausted'
  | 'cost_limit'
  | 'privacy_floor'
  | 'ledger_unavailable'
  | 'duplicate_request'
  | 'cancelled'
  | 'internal';

/**
 * What the provider may have billed for a failed call. `nothing` is claimed only with proof:
 * the request never left, the connection was refused, or the status is one that is never billed.
 */
export type Billing = 'nothing' | 'unknown';

export interface Failure {
  readonly code: FailureCode;
  /** Says what was expected, what came and what to do. Holds no prompt text and no key. */
  readonly message: string;
  readonly retryable: boolean;
  readonly billing: Billing;
  readonly retryAfterMs?: number;
  readonly httpStatus?: number;
}

export function failure(
  code: FailureCode,
  message: string,
  details: Partial<Omit<Failure, 'code' | 'message'>> = {},
): Failure {
  return { code, message, retryable: false, billing: 'nothing', ...details };
}

/** Closes an exhaustive switch; reaching it is a defect of the program. */
export function assertNever(value: never): never {
  throw new Error(`expected every case to be handled, got ${JSON.stringify(value)}`);
}
