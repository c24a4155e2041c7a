/** Counters for Prometheus, of what this process has done since it started, and the budget as the ledger has it. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { EndedPrompt, Observer } from '../core/observer.ts';
import type { BudgetState } from '../core/ports.ts';
import type { NanoUsd } from '../core/types.ts';

const NANO = 1e9;
/** From a cached answer to a long one of a slow local model. */
const SECONDS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];

export interface Metrics {
  readonly observe: Observer;
  readonly contentType: string;
  /** The text that Prometheus scrapes. */
  text(): Promise<string>;
}

export function createMetrics(budget: () => Promise<BudgetState>): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const counter = <Label extends string>(
    name: string,
    help: string,
    labelNames: readonly Label[] = [],
  ) => new Counter({ name: `cost_aware_router_${name}`, help, labelNames, registers });
  const seconds = (name: string, help: string) =>
    new Histogram({
      name: `cost_aware_router_${name}_seconds`,
      help,
      labelNames: ['served'] as const,
      buckets: SECONDS,
      registers,
    });

  const prompts = counter('prompts_total', 'Prompts that ended, answered or not.', [
    'status',
    'served',
    'tier',
    'model',
    'reason',
  ]);
  const attempts = counter('attempts_total', 'Calls of models, retries included.', [
    'model',
    'outcome',
  ]);
  const tokens = counter('tokens_total', 'Tokens that models told, of all attempts.', [
    'model',
    'type',
  ]);
  const cost = counter('cost_usd_total', 'What attempts were booked at, in US dollars.', ['model']);
  const saved = counter(
    'saved_usd_total',
    'Where the baseline would have cost more: by how much, in US dollars.',
  );
  const lost = counter(
    'lost_usd_total',
    'Where the baseline would have cost less: by how much, in US dollars.',
  );
  const unknown = counter('savings_unknown_total', 'Prompts whose savings can not be known.');
  const latency = seconds('answer', 'From a prompt to the end of its answer.');
  const firstToken = seconds('first_token', 'From a prompt to the first text of its answer.');
  new Gauge({
    name: 'cost_aware_router_budget_usd',
    help: "This month's budget in US dollars: its limit (absent where there is none), what is spent and what is held.",
    labelNames: ['kind'] as const,
    registers,
    async collect() {
      const { limitNanoUsd, spentNanoUsd, heldNanoUsd } = await budget();
      this.reset();
      if (limitNanoUsd !== undefined) this.set({ kind: 'limit' }, dollars(limitNanoUsd));
      this.set({ kind: 'spent' }, dollars(spentNanoUsd));
      this.set({ kind: 'held' }, dollars(heldNanoUsd));
    },
  });

  function countAttempts({ attempts: all }: EndedPrompt): void {
    for (const { modelId: model, outcome, usage, costNanoUsd } of all) {
      attempts.inc({ model, outcome });
      cost.inc({ model }, dollars(costNanoUsd));
      const { inputTokens, cachedInputTokens, outputTokens, reasoningTokens } = usage;
      const told = {
        input: inputTokens,
        cached_input: cachedInputTokens,
        output: outputTokens,
        reasoning: reasoningTokens,
      };
      for (const [type, count] of Object.entries(told)) {
        if (count !== undefined) tokens.inc({ model, type }, count);
      }
    }
  }

  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    observe(prompt) {
      const { status, served, tier = 'none', modelId, reasonCode, savings, timing } = prompt;
      prompts.inc({ status, served, tier, model: modelId ?? 'none', reason: reasonCode });
      countAttempts(prompt);
      if (savings.kind === 'unknown') unknown.inc();
      else if (savings.savedNanoUsd >= 0) saved.inc(dollars(savings.savedNanoUsd));
      else lost.inc(-dollars(savings.savedNanoUsd));
      latency.observe({ served }, timing.latencyMs / 1000);
      if (timing.firstTokenMs !== undefined) {
        firstToken.observe({ served }, timing.firstTokenMs / 1000);
      }
    },
  };
}

/** Metrics are floats by Prometheus' nature; the ledger has the exact sums. */
function dollars(nanoUsd: NanoUsd | number): number {
  return nanoUsd / NANO;
}
