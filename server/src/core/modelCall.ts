/** One prompt to one model: what a call yields, how it ends, and the calls that cost nothing. */
import type { Attempt } from './answer.ts';
import type { ToolCall } from './callerWishes.ts';
import { type Failure, failure } from './errors.ts';
import type {
  GenerationRequest,
  ModelEvent,
  RouterPorts,
  SpeedSample,
  TokenLogProb,
} from './ports.ts';
import { ZERO_USD } from './price.ts';
import type { Reason } from './reason.ts';
import type { FinishReason, MeasuredSpeed, Model, Timing, Usage } from './types.ts';

export const UNKNOWN_USAGE: Usage = {
  inputTokens: undefined,
  cachedInputTokens: undefined,
  cacheWriteTokens: undefined,
  outputTokens: undefined,
  reasoningTokens: undefined,
};

/** What a reader sees while a call runs. */
export type CallEvent = Extract<ModelEvent, { type: 'progress' | 'text-delta' }>;

export type FinalEvent = Extract<ModelEvent, { type: 'end' | 'failed' }>;

export type CallOutcome =
  | {
      readonly kind: 'answered';
      readonly text: string;
      readonly finish: FinishReason;
      readonly usage: Usage;
      readonly toolCalls: readonly ToolCall[];
      readonly logProbs: readonly TokenLogProb[] | undefined;
      /** It was stopped while it grew, because it was as good as sure to be deferred. */
      readonly cutShort?: boolean;
      readonly attempts: readonly Attempt[];
    }
  | {
      readonly kind: 'failed';
      readonly failure: Failure;
      /** Set where a limit, not the model, stopped the call. */
      readonly reason: Reason | undefined;
      readonly attempts: readonly Attempt[];
    };

/** Text and times of a stream as it goes by. */
export interface Transcript {
  text: string;
  firstTokenMs: number | undefined;
}

export function take(transcript: Transcript, event: ModelEvent, elapsedMs: number): void {
  if (event.type !== 'text-delta') return;
  transcript.text += event.text;
  transcript.firstTokenMs ??= elapsedMs;
}

export function timingOf(transcript: Transcript, latencyMs: number): Timing {
  const { firstTokenMs } = transcript;
  return firstTokenMs === undefined ? { latencyMs } : { latencyMs, firstTokenMs };
}

export function cancelled(): Failure {
  return failure('cancelled', 'the request was cancelled');
}

/** A stream that stops without its final event is a defect of the adapter; what was billed is then unknown. */
export function streamCut(): FinalEvent {
  return {
    type: 'failed',
    failure: failure('stream_cut', 'the answer stopped before its end; ask again', {
      retryable: true,
      billing: 'unknown',
    }),
  };
}

/** Looks at a growing answer; true stops it. */
export type Watch = (growing: {
  readonly text: string;
  readonly logProbs: readonly TokenLogProb[];
}) => boolean;

/** A local answer: no reservation, no retry, and the sequence is freed when the reader leaves. */
export async function* callLocal(
  model: Model,
  request: GenerationRequest,
  ports: RouterPorts,
  signal: AbortSignal,
  watch?: Watch,
): AsyncGenerator<CallEvent, CallOutcome> {
  const startedMs = ports.clock.monotonicMs();
  const left = new AbortController();
  const transcript: Transcript = { text: '', firstTokenMs: undefined };
  let final: FinalEvent = streamCut();
  const grown: TokenLogProb[] = [];
  let cutShort = false;
  // Loading the file and waiting for a sequence say nothing about the model's speed.
  let waitedMs: number | undefined;
  try {
    const stream = ports.local.generate(model, request, AbortSignal.any([signal, left.signal]));
    for await (const event of stream) {
      const elapsedMs = ports.clock.monotonicMs() - startedMs;
      take(transcript, event, elapsedMs);
      if (event.type === 'progress' && event.stage === 'reading') waitedMs ??= elapsedMs;
      if (event.type === 'end' || event.type === 'failed') final = event;
      else if (event.type === 'progress') yield event;
      else {
        grown.push(...(event.logProbs ?? []));
        yield { type: 'text-delta', text: event.text };
        if (watch?.({ text: transcript.text, logProbs: grown })) {
          cutShort = true;
          break;
        }
      }
    }
  } finally {
    left.abort();
  }
  if (cutShort) {
    const usage = { ...UNKNOWN_USAGE, outputTokens: grown.length };
    final = { type: 'end', finish: 'stop', usage, logProbs: grown };
  }
  const timing = timingOf(transcript, ports.clock.monotonicMs() - startedMs);
  const attempt: Attempt = {
    modelId: model.id,
    outcome: final.type === 'end' ? 'answered' : outcomeOf(final.failure),
    failure: final.type === 'failed' ? final.failure : undefined,
    usage: final.type === 'end' ? final.usage : UNKNOWN_USAGE,
    costNanoUsd: ZERO_USD,
    costIsBound: false,
    priceRowId: undefined,
    timing,
    endedAtMs: ports.clock.now(),
  };
  if (final.type === 'failed') {
    return { kind: 'failed', failure: final.failure, reason: undefined, attempts: [attempt] };
  }
  noteSpeed(ports, model, final.usage, timing, waitedMs);
  const { finish, usage, toolCalls = [], logProbs } = final;
  return {
    kind: 'answered',
    text: transcript.text,
    finish,
    usage,
    toolCalls,
    logProbs,
    ...(cutShort && { cutShort }),
    attempts: [attempt],
  };
}

export function outcomeOf(failed: Failure): Attempt['outcome'] {
  return failed.code === 'cancelled' ? 'cancelled' : 'failed';
}

/** Every finished answer is a measurement of this machine and this model. */
export function noteSpeed(
  ports: RouterPorts,
  model: Model,
  usage: Usage,
  timing: Timing,
  waitedMs = 0,
): void {
  const { inputTokens, cachedInputTokens, outputTokens } = usage;
  const { firstTokenMs, latencyMs } = timing;
  if (inputTokens === undefined || outputTokens === undefined || firstTokenMs === undefined) return;
  const local = model.provider === 'local';
  const port = local ? ports.local : ports.cloud;
  // A local model takes no time for what it reuses. In the cloud the way there takes most of the time, cached or not.
  const reused = local ? (cachedInputTokens ?? 0) : 0;
  ports.speeds.record(port.identity(model), {
    inputTokens: inputTokens - reused,
    outputTokens,
    firstTokenMs: firstTokenMs - waitedMs,
    latencyMs: latencyMs - waitedMs,
  });
}

/** Speeds are kept as samples, so the measured rates are written as an answer that has them. */
export function sampleOfSpeed(speed: MeasuredSpeed): SpeedSample {
  const outputTokens = 100;
  const { timeToFirstTokenMs: firstTokenMs } = speed;
  return {
    inputTokens: Math.round((speed.promptTokensPerSecond * firstTokenMs) / 1000),
    outputTokens,
    firstTokenMs,
    latencyMs: firstTokenMs + ((outputTokens - 1) / speed.outputTokensPerSecond) * 1000,
  };
}
