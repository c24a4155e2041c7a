/**
 * Two tools for agents that plan their spending: what a prompt would cost and where it would go, and what is left of the
 * budgets. Both only read: nothing is generated, sent or spent. Each edge that has tools hands out these.
 */
import { z } from 'zod';
import { remaining, resetDate, tightest } from './budget.ts';
import type { BudgetState } from './ports.ts';
import { dollars } from './price.ts';
import { reasonText } from './reason.ts';
import { dryRunOf, roundedMs, sentenceOf, usdOf } from './reply.ts';
import type { Router } from './router.ts';
import { dollarAmount, MAX_PROMPT_CHARS, outputTokens } from './schema.ts';
import type { Prompt, Registry } from './types.ts';

export const agentToolsHint =
  'Use estimate_cost before asking for something dear, and get_budget to plan within what is left. Neither spends anything.';

const usd = z.number().nullable();

export const estimateCost = {
  name: 'estimate_cost',
  title: 'Estimate the cost of a prompt',
  description: 'Where a prompt would be answered, for how much at most, and why. Spends nothing.',
  input: z.object({
    prompt: z.string().min(1).max(MAX_PROMPT_CHARS).describe('What would be asked.'),
    context: z
      .string()
      .max(MAX_PROMPT_CHARS)
      .optional()
      .describe('Code or text that would travel with it.'),
    max_output_tokens: outputTokens.optional().describe('Tokens that the answer may have at most.'),
    max_cost_usd: dollarAmount.optional().describe('The most that the answer may cost.'),
    privacy: z
      .enum(['any', 'local-only'])
      .optional()
      .describe('`local-only`: nothing may leave the machine.'),
  }),
  output: z.object({
    chosen_model: z
      .string()
      .nullable()
      .describe('The model that would answer first; null: none may.'),
    estimated_cost_usd: usd.describe('≈ what it would cost; null when it can not be known.'),
    cost_bound_usd: usd.describe('The most that it can cost; null when it can not be known.'),
    reason: z.string().describe('Why, as a sentence.'),
    route_reason: z.string().describe('The reason with its facts.'),
    alternatives: z
      .array(
        z.object({
          model: z.string(),
          if_unsure: z.string().nullable().describe('The model that takes over an unsure answer.'),
          estimated_cost_usd: usd,
          cost_bound_usd: usd,
          estimated_latency_ms: usd,
          quality: z.number().describe('Estimated chance of an acceptable answer.'),
          excluded_by: z.array(z.string()).describe('What stands against it; empty: nothing.'),
        }),
      )
      .describe('Every plan that was weighed.'),
  }),
} as const;

export const getBudget = {
  name: 'get_budget',
  title: 'What is left of the budget',
  description: "This month's limit, spend, holds and what is left. Spends nothing.",
  input: z.object({}),
  output: z.object({
    month: z.string(),
    resets_on: z.string().describe('UTC date.'),
    limit_usd: usd.describe('Null: no limit.'),
    spent_usd: z.number(),
    held_usd: z.number().describe('Upper bounds of calls that are not settled yet.'),
    remaining_usd: usd.describe('Of the budget that binds first; null: no limit.'),
    binding_period: z
      .enum(['month', 'day', 'session', 'workspace'])
      .nullable()
      .describe('The budget with the least left.'),
  }),
} as const;

/** Whose prompt it would be: its budgets and its trust are those that the estimate heeds. */
export type Asker = Pick<Prompt, 'id' | 'sessionId' | 'workspaceId'> & {
  readonly trusted: boolean;
};

export async function estimate(
  input: z.output<typeof estimateCost.input>,
  { id, sessionId, workspaceId, trusted }: Asker,
  router: Router,
  registry: Registry,
): Promise<z.input<typeof estimateCost.output>> {
  const decision = await router.decide({
    id,
    text: input.prompt,
    context: input.context === undefined ? [] : [{ kind: 'text', text: input.context }],
    history: [],
    constraints: {
      maxOutputTokens: input.max_output_tokens,
      maxCostNanoUsd: input.max_cost_usd,
      privacy: trusted ? input.privacy : 'untrusted-workspace',
    },
    ...(sessionId === undefined ? {} : { sessionId }),
    ...(workspaceId === undefined ? {} : { workspaceId }),
  });
  if (decision.kind === 'refused') {
    const { failure, reason, candidates } = decision;
    return {
      chosen_model: null,
      estimated_cost_usd: null,
      cost_bound_usd: null,
      reason: failure.message,
      route_reason: reason === undefined ? failure.code : reasonText(reason),
      alternatives: candidates.map(alternativeOf),
    };
  }
  const { route } = decision;
  const dry = dryRunOf(route, registry);
  return {
    chosen_model: dry.chosen_model,
    estimated_cost_usd: dry.estimated_cost_usd,
    cost_bound_usd: dry.cost_bound_usd,
    reason: sentenceOf(route.reason, registry),
    route_reason: dry.route_reason,
    alternatives: route.trace.candidates.map(alternativeOf),
  };
}

export function budgetLeft(budget: BudgetState): z.input<typeof getBudget.output> {
  return {
    month: budget.month,
    resets_on: resetDate(budget.month),
    limit_usd: usdOf(budget.limitNanoUsd),
    spent_usd: dollars(budget.spentNanoUsd),
    held_usd: dollars(budget.heldNanoUsd),
    remaining_usd: usdOf(remaining(budget)),
    binding_period: tightest(budget)?.period ?? null,
  };
}

type Plan = Parameters<typeof dryRunOf>[0]['trace']['candidates'][number];

function alternativeOf(plan: Plan) {
  return {
    model: plan.first,
    if_unsure: plan.ifUnsure ?? null,
    estimated_cost_usd: usdOf(plan.expectedCostNanoUsd),
    cost_bound_usd: usdOf(plan.boundNanoUsd),
    estimated_latency_ms: roundedMs(plan.expectedLatencyMs),
    quality: plan.quality,
    excluded_by: Object.values(plan.exclusions).map(reasonText),
  };
}
