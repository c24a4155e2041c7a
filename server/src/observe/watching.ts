/** What watches a server that asked to be watched. Each part is loaded only then. */
import type { EndedPrompt, Observer } from '../core/observer.ts';
import type { BudgetState } from '../core/ports.ts';
import type { Model } from '../core/types.ts';
import type { Metrics } from './metrics.ts';
import type { Spans } from './spans.ts';

export interface WatchOptions {
  /** Counters for Prometheus. */
  readonly metrics: boolean;
  /** Spans for OpenTelemetry. */
  readonly traces: boolean;
  readonly version: string;
  /** Told once, until it works again, that spans could not be sent. */
  readonly onProblem: (message: string) => void;
}

/** What the watchers ask of the program that they watch. */
export interface Watched {
  budget(): Promise<BudgetState>;
  models(): readonly Model[];
}

export interface Watch {
  readonly observer: Observer;
  readonly metrics: Metrics | undefined;
  close(): Promise<void>;
}

/** @param watched asked only after the program is open */
export async function openWatch(options: WatchOptions, watched: () => Watched): Promise<Watch> {
  const metrics = options.metrics
    ? (await import('./metrics.ts')).createMetrics(() => watched().budget())
    : undefined;
  const spans: Spans | undefined = options.traces
    ? (await import('./spans.ts')).createSpans({
        version: options.version,
        models: () => watched().models(),
        onProblem: options.onProblem,
      })
    : undefined;
  return {
    metrics,
    observer(prompt: EndedPrompt) {
      metrics?.observe(prompt);
      spans?.observe(prompt);
    },
    close: async () => await spans?.close(),
  };
}
