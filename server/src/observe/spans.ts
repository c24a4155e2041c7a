/**
 * Spans for OpenTelemetry, by the conventions for generative AI: one for a prompt and one for each call of a model in it.
 * They go where the standard variables say (`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`).
 */
import { type Attributes, context, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { ExportResultCode } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, type SpanExporter, TracerProvider } from '@opentelemetry/sdk-trace';
import {
  ATTR_ERROR_TYPE,
  ATTR_SERVICE_NAME,
  ATTR_SERVICE_VERSION,
} from '@opentelemetry/semantic-conventions';
import {
  ATTR_GEN_AI_OPERATION_NAME,
  ATTR_GEN_AI_PROVIDER_NAME,
  ATTR_GEN_AI_REQUEST_MODEL,
  ATTR_GEN_AI_RESPONSE_MODEL,
  ATTR_GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK,
  ATTR_GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS,
  ATTR_GEN_AI_USAGE_INPUT_TOKENS,
  ATTR_GEN_AI_USAGE_OUTPUT_TOKENS,
  ATTR_GEN_AI_USAGE_REASONING_OUTPUT_TOKENS,
} from '@opentelemetry/semantic-conventions/incubating';
import type { Attempt } from '../core/answer.ts';
import type { EndedPrompt, Observer } from '../core/observer.ts';
import type { Model } from '../core/types.ts';

const NAME = 'cost-aware-router';

export interface Spans {
  readonly observe: Observer;
  /** Sends what waits to be sent. */
  close(): Promise<void>;
}

export interface SpansOptions {
  readonly version: string;
  readonly models: () => readonly Model[];
  /** Told once, until it works again, that spans could not be sent. */
  readonly onProblem: (message: string) => void;
}

export function createSpans({ version, models, onProblem }: SpansOptions): Spans {
  const own = resourceFromAttributes({
    [ATTR_SERVICE_NAME]: NAME,
    [ATTR_SERVICE_VERSION]: version,
  });
  const provider = new TracerProvider({
    resource: own.merge(detectResources({ detectors: [envDetector] })),
    spanProcessors: [
      new BatchSpanProcessor({ exporter: telling(new OTLPTraceExporter(), onProblem) }),
    ],
  });
  const tracer = provider.getTracer(NAME, version);

  return {
    observe(prompt) {
      const endTime = prompt.atMs;
      const startTime = endTime - prompt.timing.latencyMs;
      const span = tracer.startSpan('route prompt', {
        kind: SpanKind.INTERNAL,
        startTime,
        attributes: attributesOf(prompt),
        root: true,
      });
      const inside = trace.setSpan(context.active(), span);
      for (const attempt of prompt.attempts) {
        const ended = attempt.endedAtMs ?? endTime;
        const { failure } = attempt;
        const call = tracer.startSpan(
          `chat ${attempt.modelId}`,
          {
            kind: SpanKind.CLIENT,
            startTime: ended - attempt.timing.latencyMs,
            attributes: attributesOfCall(attempt, models()),
          },
          inside,
        );
        if (failure !== undefined) call.setStatus({ code: SpanStatusCode.ERROR });
        call.end(ended);
      }
      if (prompt.status === 'failed') span.setStatus({ code: SpanStatusCode.ERROR });
      span.end(endTime);
    },
    close: () => provider.shutdown(),
  };
}

function telling(exporter: SpanExporter, onProblem: (message: string) => void): SpanExporter {
  let works = true;
  return {
    export(spans, done) {
      exporter.export(spans, (result) => {
        const sent = result.code === ExportResultCode.SUCCESS;
        if (!sent && works) {
          const why = result.error?.message ?? 'no cause was told';
          onProblem(`Traces could not be sent: ${why}. OTEL_EXPORTER_OTLP_ENDPOINT says where to.`);
        }
        works = sent;
        done(result);
      });
    },
    shutdown: () => exporter.shutdown(),
    forceFlush: async () => await exporter.forceFlush?.(),
  };
}

function attributesOf(prompt: EndedPrompt): Attributes {
  const { modelId, savings, reasonCode, confidence } = prompt;
  return {
    'cost_aware_router.reason': reasonCode,
    'cost_aware_router.served': prompt.served,
    'cost_aware_router.score': prompt.score,
    // A thousand-millionth of a dollar, as the ledger counts.
    'cost_aware_router.cost_nano_usd': prompt.costNanoUsd,
    ...(savings.kind === 'known' && { 'cost_aware_router.saved_nano_usd': savings.savedNanoUsd }),
    ...(confidence !== undefined && { 'cost_aware_router.confidence': confidence }),
    ...(modelId === null
      ? { [ATTR_ERROR_TYPE]: reasonCode }
      : { [ATTR_GEN_AI_RESPONSE_MODEL]: modelId }),
  };
}

function attributesOfCall(attempt: Attempt, models: readonly Model[]): Attributes {
  const { modelId, usage, failure, timing, outcome, costNanoUsd } = attempt;
  const model = models.find(({ id }) => id === modelId);
  const counts = {
    [ATTR_GEN_AI_USAGE_INPUT_TOKENS]: usage.inputTokens,
    [ATTR_GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS]: usage.cachedInputTokens,
    [ATTR_GEN_AI_USAGE_OUTPUT_TOKENS]: usage.outputTokens,
    [ATTR_GEN_AI_USAGE_REASONING_OUTPUT_TOKENS]: usage.reasoningTokens,
    [ATTR_GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK]:
      timing.firstTokenMs === undefined ? undefined : timing.firstTokenMs / 1000,
  };
  return {
    [ATTR_GEN_AI_OPERATION_NAME]: 'chat',
    // The conventions name providers of services; for what runs on this machine they leave the name to us.
    [ATTR_GEN_AI_PROVIDER_NAME]: model?.provider ?? 'unknown',
    [ATTR_GEN_AI_REQUEST_MODEL]:
      model === undefined || model.provider === 'local' ? modelId : model.apiModel,
    'cost_aware_router.outcome': outcome,
    'cost_aware_router.cost_nano_usd': costNanoUsd,
    ...counts,
    ...(failure !== undefined && { [ATTR_ERROR_TYPE]: failure.code }),
  };
}
