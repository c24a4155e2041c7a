/**
 * Two tools for agents over the Model Context Protocol: what a prompt would cost and where it would go, and what is left of
 * the budgets. Both only read: nothing is generated, sent or spent.
 */
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js';
import { z } from 'zod';
import { remaining, resetDate, tightest } from '../core/budget.ts';
import type { BudgetScope, BudgetState, RouterPorts } from '../core/ports.ts';
import { reasonText } from '../core/reason.ts';
import { dryRunOf, roundedMs, sentenceOf, usdOf } from '../core/reply.ts';
import type { Router } from '../core/router.ts';
import { dollarAmount, MAX_PROMPT_CHARS } from '../core/schema.ts';
import type { Prompt } from '../core/types.ts';

export interface McpDeps {
  readonly router: Router;
  readonly ports: Pick<RouterPorts, 'catalogue' | 'newId'>;
  readonly budget: (scope?: BudgetScope) => Promise<BudgetState>;
  readonly version: string;
}

const READS_ONLY = { readOnlyHint: true, destructiveHint: false, openWorldHint: false } as const;

const estimateInput = {
  prompt: z.string().min(1).max(MAX_PROMPT_CHARS).describe('What would be asked.'),
  context: z
    .string()
    .max(MAX_PROMPT_CHARS)
    .optional()
    .describe('Code or text that would travel with it.'),
  max_output_tokens: z
    .number()
    .int()
    .positive()
    .max(1_000_000)
    .optional()
    .describe('Tokens that the answer may have at most.'),
  max_cost_usd: dollarAmount.optional().describe('The most that the answer may cost.'),
  privacy: z
    .enum(['any', 'local-only'])
    .optional()
    .describe('`local-only`: nothing may leave the machine.'),
};

const usd = z.number().nullable();

const estimateOutput = {
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
};

const budgetOutput = {
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
};

export function createMcpServer(deps: McpDeps): McpServer {
  const { router, ports } = deps;
  const server = new McpServer(
    { name: 'cost-aware-router', version: deps.version },
    {
      instructions:
        'Use estimate_cost before asking for something dear, and get_budget to plan within what is left. Neither spends anything.',
    },
  );

  server.registerTool(
    'estimate_cost',
    {
      title: 'Estimate the cost of a prompt',
      description:
        'Where a prompt would be answered, for how much at most, and why. Spends nothing.',
      inputSchema: estimateInput,
      outputSchema: estimateOutput,
      annotations: READS_ONLY,
    },
    async ({ prompt: text, context, max_output_tokens, max_cost_usd, privacy }) => {
      const prompt: Prompt = {
        id: ports.newId(),
        text,
        context: context === undefined ? [] : [{ kind: 'text', text: context }],
        history: [],
        constraints: {
          maxOutputTokens: max_output_tokens,
          maxCostNanoUsd: max_cost_usd,
          privacy,
        },
      };
      const decision = await router.decide(prompt);
      const registry = ports.catalogue.registry();
      if (decision.kind === 'refused') {
        const { failure, reason, candidates } = decision;
        return structured({
          chosen_model: null,
          estimated_cost_usd: null,
          cost_bound_usd: null,
          reason: failure.message,
          route_reason: reason === undefined ? failure.code : reasonText(reason),
          alternatives: candidates.map(alternativeOf),
        });
      }
      const { route } = decision;
      const dry = dryRunOf(route, registry);
      return structured({
        chosen_model: dry.chosen_model,
        estimated_cost_usd: dry.estimated_cost_usd,
        cost_bound_usd: dry.cost_bound_usd,
        reason: sentenceOf(route.reason, registry),
        route_reason: dry.route_reason,
        alternatives: route.trace.candidates.map(alternativeOf),
      });
    },
  );

  server.registerTool(
    'get_budget',
    {
      title: 'What is left of the budget',
      description: "This month's limit, spend, holds and what is left. Spends nothing.",
      inputSchema: {},
      outputSchema: budgetOutput,
      annotations: READS_ONLY,
    },
    async () => {
      const budget = await deps.budget();
      return structured({
        month: budget.month,
        resets_on: resetDate(budget.month),
        limit_usd: usdOf(budget.limitNanoUsd),
        spent_usd: usdOf(budget.spentNanoUsd),
        held_usd: usdOf(budget.heldNanoUsd),
        remaining_usd: usdOf(remaining(budget)),
        binding_period: tightest(budget)?.period ?? null,
      });
    },
  );
  return server;
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

/** The same as data and, for clients that read text only, as text. */
function structured(content: Record<string, unknown>): CallToolResult {
  return {
    content: [{ type: 'text', text: JSON.stringify(content, undefined, 2) }],
    structuredContent: content,
  };
}
