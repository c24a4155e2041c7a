/**
 * One prompt to one cloud model, with money. The order is the promise: hold the bound, make `dispatched` durable,
 * call, settle at the bill. Every path out of here ends the reservation, also when nobody reads the stream any more.
 */
import type { Attempt } from './answer.ts';
import { tightest } from './budget.ts';
import { type Failure, failure } from './errors.ts';
import {
  type CallEvent,
  type CallOutcome,
  cancelled,
  type FinalEvent,
  noteSpeed,
  outcomeOf,
  streamCut,
  type Transcript,
  take,
  timingOf,
  UNKNOWN_USAGE,
} from './modelCall.ts';
import type {
  BudgetLimits,
  BudgetPeriod,
  BudgetScope,
  CallPurpose,
  GenerationRequest,
  ModelEvent,
  ReservationRequest,
  ReserveResult,
  RouterPorts,
} from './ports.ts';
import { costBound, outputCapWithin } from './price.ts';
import { budgetName, type Reason } from './reason.ts';
import type { Settings } from './schema.ts';
import { settlementOf } from './settlement.ts';
import type { Model, NanoUsd, PriceRow } from './types.ts';

export interface CloudCall {
  readonly promptId: string;
  /** Set where the call is not for the answer itself. */
  readonly purpose?: CallPurpose;
  readonly model: Model;
  readonly request: GenerationRequest;
  readonly price: PriceRow;
  /** Asked anew for every reservation, so that a lowered budget reaches a retry too. */
  readonly limitsNow: () => BudgetLimits;
  /** Whose budgets it counts against, beside the user's own. */
  readonly scope: BudgetScope;
  /** What this prompt may still cost. */
  readonly maxCostNanoUsd: NanoUsd | undefined;
}

/** Work that goes on after its reader has left: draining a cancelled stream until its cost is known. */
export interface Background {
  run(work: Promise<void>): void;
}

/** Tries, and after a failure that may pass tries again, each time with a reservation of its own. */
export async function* callCloud(
  call: CloudCall,
  ports: RouterPorts,
  settings: Settings,
  background: Background,
  signal: AbortSignal,
): AsyncGenerator<CallEvent, CallOutcome> {
  const attempts: Attempt[] = [];
  for (let retry = 0; ; retry++) {
    const held = await reserve(call, attempts, ports, settings, signal);
    if (held.kind === 'refused') {
      return { kind: 'failed', failure: held.failure, reason: held.reason, attempts };
    }
    const tried = yield* attempt(call, held, ports, background, signal);
    attempts.push(tried.attempt);
    const { final, text } = tried;
    if (final.type === 'end') {
      const { finish, usage, toolCalls = [], logProbs } = final;
      return { kind: 'answered', text, finish, usage, toolCalls, logProbs, attempts };
    }
    const failed = final.failure;
    const waitMs = failed.retryAfterMs ?? 500 * 2 ** retry * (0.5 + ports.random());
    const again = failed.retryable && text === '' && retry < settings.maxRetries;
    if (!again || waitMs > settings.maxRetryWaitMs) {
      return { kind: 'failed', failure: failed, reason: undefined, attempts };
    }
    await ports.sleep(waitMs, signal);
    if (signal.aborted)
      return { kind: 'failed', failure: cancelled(), reason: undefined, attempts };
  }
}

interface Held {
  readonly kind: 'held';
  /** Marked already that it leaves. */
  readonly dispatched: boolean;
  readonly reservation: ReservationRequest;
  readonly request: GenerationRequest;
}

type Reserved =
  | Held
  | { readonly kind: 'refused'; readonly failure: Failure; readonly reason: Reason | undefined };

/** Holds the bound. Where money is short the output cap is lowered first; only a useless cap is refused. */
async function reserve(
  call: CloudCall,
  attempts: readonly Attempt[],
  ports: RouterPorts,
  settings: Settings,
  signal: AbortSignal,
): Promise<Reserved> {
  const { model, price, request } = call;
  const inputBound = await ports.tokens.inputBound(model, request);
  const useful = Math.min(settings.minUsefulOutputTokens, request.maxOutputTokens);
  let cap = request.maxOutputTokens;
  if (call.maxCostNanoUsd !== undefined) {
    const paid = attempts.reduce((sum, { costNanoUsd }) => sum + costNanoUsd, 0);
    const limitNanoUsd = Math.max(0, call.maxCostNanoUsd - paid) as NanoUsd;
    cap = Math.min(cap, outputCapWithin(price, inputBound, limitNanoUsd));
    if (cap < useful) return tooDear(limitNanoUsd, undefined);
  }
  for (;;) {
    const capped = { ...request, maxOutputTokens: cap };
    const reservation: ReservationRequest = {
      ...call.scope,
      id: ports.newId(),
      promptId: call.promptId,
      ...(call.purpose === undefined ? {} : { purpose: call.purpose }),
      modelId: model.id,
      priceRowId: price.id,
      boundNanoUsd: costBound(price, inputBound, cap),
      fingerprint: ports.sha256(JSON.stringify([ports.cloud.identity(model), capped])),
    };
    // One that was cancelled meanwhile will not leave.
    const dispatched = ports.ledger.reserveDispatched !== undefined && !signal.aborted;
    const result = await holdBound(reservation, dispatched);
    switch (result.kind) {
      case 'held':
        return { kind: 'held', dispatched, reservation, request: capped };
      case 'exhausted': {
        const { leftNanoUsd, period } = tightest(result.state) ?? {
          leftNanoUsd: reservation.boundNanoUsd,
          period: 'month',
        };
        const lower = Math.min(cap - 1, outputCapWithin(price, inputBound, leftNanoUsd));
        if (lower < useful) return tooDear(leftNanoUsd, period);
        cap = lower;
        break;
      }
      case 'conflict':
        return refused(
          'duplicate_request',
          'expected a new request id, got one that was used before',
        );
      case 'unavailable':
        return refused(
          'ledger_unavailable',
          `the ledger is closed, so nothing may be spent: ${result.why}`,
        );
    }
  }

  async function holdBound(wanted: ReservationRequest, leaves: boolean): Promise<ReserveResult> {
    const limits = call.limitsNow();
    const held = leaves ? ports.ledger.reserveDispatched?.(wanted, limits) : undefined;
    return await (held ?? ports.ledger.reserve(wanted, limits));
  }

  /** @param period the budget that binds; `undefined` when it is the request's own limit */
  function tooDear(limitNanoUsd: NanoUsd, period: BudgetPeriod | undefined): Reserved {
    const needsNanoUsd = costBound(price, inputBound, useful);
    const facts = { wanted: model.id, needsNanoUsd, limitNanoUsd };
    const reason: Reason =
      period === undefined
        ? { code: 'cost_limit', facts }
        : { code: 'budget_exhausted', facts: { ...facts, period } };
    const what = period === undefined ? "this request's cost limit" : budgetName(period);
    return {
      kind: 'refused',
      reason,
      failure: failure(
        reason.code,
        `${what} does not cover even a short answer of ${model.id}; raise it`,
      ),
    };
  }

  function refused(code: 'duplicate_request' | 'ledger_unavailable', message: string): Reserved {
    return { kind: 'refused', reason: undefined, failure: failure(code, message) };
  }
}

interface Cost {
  readonly costNanoUsd: NanoUsd;
  readonly costIsBound: boolean;
}

interface Tried {
  readonly attempt: Attempt;
  readonly final: FinalEvent;
  readonly text: string;
}

async function* attempt(
  call: CloudCall,
  held: Held,
  ports: RouterPorts,
  background: Background,
  signal: AbortSignal,
): AsyncGenerator<CallEvent, Tried> {
  const startedMs = ports.clock.monotonicMs();
  const atBound: Cost = { costNanoUsd: held.reservation.boundNanoUsd, costIsBound: true };
  const transcript: Transcript = { text: '', firstTokenMs: undefined };
  if (signal.aborted) {
    return finish({ type: 'failed', failure: cancelled() });
  }
  try {
    if (!held.dispatched) await ports.ledger.dispatch(held.reservation.id);
  } catch {
    const message =
      'the ledger could not record the call, so nothing was sent; see its file and disk';
    return finish({ type: 'failed', failure: failure('ledger_unavailable', message) });
  }

  const left = new AbortController();
  const stopped = AbortSignal.any([signal, left.signal]);
  const stream = ports.cloud.generate(call.model, held.request, stopped)[Symbol.asyncIterator]();
  const abort = aborted(signal);
  let pending = nextOf(stream);
  let final: FinalEvent | undefined;
  try {
    while (final === undefined) {
      const next = await Promise.race([pending, abort]);
      if (next === 'aborted') break;
      const event = next.done === true ? streamCut() : next.value;
      take(transcript, event, ports.clock.monotonicMs() - startedMs);
      if (event.type === 'end' || event.type === 'failed') {
        final = event;
      } else {
        pending = nextOf(stream);
        yield event;
      }
    }
  } finally {
    // The reader has left, by an abort or by reading no further. The money has not: read on until the bill is known.
    if (final === undefined) {
      left.abort();
      background.run(drain(stream, pending).then(async (last) => void (await settle(last))));
    } else {
      leave(stream);
    }
  }
  if (final !== undefined) return finish(final);
  return {
    text: transcript.text,
    final: { type: 'failed', failure: { ...cancelled(), billing: 'unknown' } },
    attempt: attemptOf(
      { type: 'failed', failure: cancelled() },
      held.reservation.boundNanoUsd,
      true,
    ),
  };

  async function finish(last: FinalEvent): Promise<Tried> {
    const settling = settle(last);
    // An answer's record can then be committed with its bill. A failure is booked first: a retry may need its money.
    if (last.type === 'end') background.run(settling.then(() => {}));
    const { costNanoUsd, costIsBound } = last.type === 'end' ? costOfEnd(last) : await settling;
    return {
      text: transcript.text,
      final: last,
      attempt: attemptOf(last, costNanoUsd, costIsBound),
    };
  }

  /** What is being booked. The bill is what it is, also while the ledger can't take it. */
  function costOfEnd(last: FinalEvent): Cost {
    const settlement = settlementOf(last, call.price);
    return settlement.kind === 'settled'
      ? { costNanoUsd: settlement.costNanoUsd, costIsBound: false }
      : atBound;
  }

  /** A ledger that fails here keeps the hold, which counts in full until it, or its next opener, can book its end. */
  async function settle(last: FinalEvent): Promise<Cost> {
    const settlement = settlementOf(last, call.price);
    try {
      const costNanoUsd = await ports.ledger.settle(held.reservation.id, settlement);
      return { costNanoUsd, costIsBound: settlement.kind === 'settled_at_bound' };
    } catch {
      return atBound;
    }
  }

  function attemptOf(last: FinalEvent, costNanoUsd: NanoUsd, costIsBound: boolean): Attempt {
    const timing = timingOf(transcript, ports.clock.monotonicMs() - startedMs);
    if (last.type === 'end') noteSpeed(ports, call.model, last.usage, timing);
    return {
      modelId: call.model.id,
      outcome: last.type === 'end' ? 'answered' : outcomeOf(last.failure),
      failure: last.type === 'failed' ? last.failure : undefined,
      usage: last.type === 'end' ? last.usage : UNKNOWN_USAGE,
      costNanoUsd,
      costIsBound,
      priceRowId: call.price.id,
      timing,
      endedAtMs: ports.clock.now(),
    };
  }
}

/** A stream that throws while its reader is busy must not end the program as an unhandled rejection; it is awaited later. */
function nextOf(stream: AsyncIterator<ModelEvent>): Promise<IteratorResult<ModelEvent>> {
  const pending = stream.next();
  pending.catch(() => {});
  return pending;
}

async function drain(
  stream: AsyncIterator<ModelEvent>,
  pending: Promise<IteratorResult<ModelEvent>>,
): Promise<FinalEvent> {
  try {
    for (let next = await pending; next.done !== true; next = await stream.next()) {
      if (next.value.type !== 'end' && next.value.type !== 'failed') continue;
      leave(stream);
      return next.value;
    }
  } catch {
    // An adapter that throws has told nothing about the bill, which is what a cut stream means too.
  }
  return streamCut();
}

/** After its last event a stream waits to be asked for more, with its timers and its listeners; it is told that nobody will. */
function leave(stream: AsyncIterator<ModelEvent>): void {
  stream.return?.()?.catch(() => {});
}

function aborted(signal: AbortSignal): Promise<'aborted'> {
  if (signal.aborted) return Promise.resolve('aborted');
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve('aborted'), { once: true });
  });
}
