/** Settings and requests as they come from outside, checked once. Edges map their own field names onto these. */
import { z } from 'zod';
import { nanoUsd, nanoUsdFromDollars } from './price.ts';

const share = z.number().min(0).max(1);

/** Dollars on the outside, nano-USD inside. */
export const dollarAmount = z
  .number()
  .finite()
  .min(0)
  .max(1_000_000)
  .transform((amount) => nanoUsdFromDollars(amount));

/** Tokens that one answer may be asked to have at most. */
export const outputTokens = z.number().int().positive().max(1_000_000);

/** Characters of a prompt with all its context; more than any model of the registry can read. */
export const MAX_PROMPT_CHARS = 4_000_000;

export const settingsSchema = z.strictObject({
  /** `undefined` is no limit. @default 20 USD */
  monthlyBudgetNanoUsd: z.number().transform(nanoUsd).optional(),
  /** Budgets beside the month's, each `undefined` for no limit. Days are UTC. */
  dailyBudgetNanoUsd: z.number().transform(nanoUsd).optional(),
  sessionBudgetNanoUsd: z.number().transform(nanoUsd).optional(),
  /** What a workspace may spend in a month, by its id. */
  workspaceBudgetsNanoUsd: z.record(z.string(), z.number().transform(nanoUsd)).default({}),
  /** No request may be able to cost more, whatever its own limit says. */
  perRequestNanoUsd: z.number().transform(nanoUsd).optional(),
  /**
   * What happens to a prompt whose model the budget no longer covers: `local` lets the best plan that may be paid
   * answer, `ask` and `stop` refuse it as `budget_exhausted`; for `ask` the edge then asks the person.
   */
  atLimit: z.enum(['local', 'ask', 'stop']).default('local'),
  /** Nothing may leave the machine, whatever a request says. Set by an administrator's policy. */
  localOnly: z.boolean().default(false),
  /** Patterns as in `.gitignore` of files that never leave the machine. */
  excludedFiles: z.array(z.string()).default([]),
  /** Stand where a request says nothing itself. */
  minQuality: share.optional(),
  maxLatencyMs: z.number().positive().optional(),
  /** Share of the reference prompts that should escalate; the threshold of each local model follows from it. */
  escalateShare: share.default(0.5),
  /** Share of local answers that the baseline is asked, too, so that the quality kept is measured; 0 is none. */
  auditShare: share.default(0),
  /** Share of a budget from which the threshold rises whatever the calendar says; see `pacing.ts`. */
  pacingFrom: share.default(0.8),
  /** Overrides the registry's defaults. */
  cheap: z.string().optional(),
  escalation: z.string().optional(),
  baseline: z.string().optional(),
  /** The models that may answer, in place of the pair; see `ladder.ts`. */
  ladder: z.union([z.literal('auto'), z.array(z.string()).min(1)]).optional(),
  /** A planning figure for costs and times before an answer exists. */
  expectedOutputTokens: z.number().int().positive().default(256),
  maxOutputTokens: z.number().int().positive().default(1024),
  minUsefulOutputTokens: z.number().int().positive().default(64),
  /** Further attempts after a failure that may pass, each with its own reservation. */
  maxRetries: z.number().int().min(0).max(5).default(2),
  /** A provider that asks to wait longer than this has not answered. */
  maxRetryWaitMs: z.number().int().min(0).default(10_000),
});

export type Settings = z.output<typeof settingsSchema>;

export const DEFAULT_MONTHLY_BUDGET_NANO_USD = nanoUsd(20_000_000_000);
