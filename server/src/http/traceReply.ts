/** The trace on the wire: everything behind a reason, with dollars for money and null for what is unknown. */
import { z } from '@hono/zod-openapi';

const usdOrNull = z.number().nullable();
const msOrNull = z.number().nullable();
const tokensOrNull = z.number().int().nullable();

const part = z
  .strictObject({
    name: z.string().describe('The feature or signal.'),
    added: z.number().describe('What it added to the value.'),
    detail: z.string().describe('What was seen.'),
  })
  .openapi('Part');

export const confidenceReply = z
  .strictObject({
    value: z.number().describe('Confidence of the gate in the local answer, in [0,1].'),
    needed: z.number().describe('Below this the answer is deferred.'),
    parts: z.array(part).describe('The signals and what each added.'),
    notes: z.array(z.string()).describe('Why another confidence was needed than usual.'),
  })
  .openapi('Confidence');

const candidate = z
  .strictObject({
    model: z.string().describe('The model that answers first.'),
    if_unsure: z.string().nullable().describe('The model that takes over an unsure answer.'),
    further: z.array(z.string()).describe('Who takes over after `if_unsure`, in this order.'),
    quality: z.number().describe('Estimated chance of an acceptable answer.'),
    deferral_share: z.number().describe('Estimated chance that `if_unsure` has to answer.'),
    expected_cost_usd: usdOrNull.describe('Estimated cost; null without a price.'),
    cost_bound_usd: usdOrNull.describe('The most that the plan can cost; null without a price.'),
    expected_latency_ms: msOrNull.describe('From measured speeds; null until measured.'),
    output_caps: z
      .record(z.string(), z.number().int())
      .describe('Tokens that each model of the plan may answer with.'),
    excluded_by: z
      .array(z.string())
      .describe('Reasons that stand against the plan; empty for none.'),
  })
  .openapi('Candidate');

const attempt = z
  .strictObject({
    model: z.string().describe('The model that was called.'),
    outcome: z
      .enum(['answered', 'deferred', 'failed', 'cancelled'])
      .describe('How the call ended.'),
    failure: z.string().nullable().describe('Code of the failure, or null.'),
    tokens_in: tokensOrNull.describe('Input tokens; null when nobody told.'),
    tokens_out: tokensOrNull.describe('Output tokens; null when nobody told.'),
    cost_usd: z.number().describe('What was booked for this call.'),
    cost_is_bound: z.boolean().describe('The bill is unknown; its upper bound was booked.'),
    price_row: z.string().nullable().describe('The row of pricing.yaml; null for a local model.'),
    latency_ms: z.number().describe('From the call to its end.'),
    first_token_ms: msOrNull.describe('From the call to the first token; null when none came.'),
  })
  .openapi('Attempt');

export const traceReply = z
  .strictObject({
    task: z.string().describe('The kind of task that was recognised.'),
    score: z
      .number()
      .describe(
        'What escalating is worth, in [0,1]; with `min_quality`, the chance of a bad cheap answer.',
      ),
    threshold: z.number().describe('The score above which the escalation tier answers at once.'),
    parts: z.array(part).describe('The features of the score and what each added.'),
    wanted_model: z.string().describe('The model that would have answered without limits.'),
    if_unsure: z.string().nullable().describe('The model that takes over an unsure local answer.'),
    below_wanted: z.boolean().describe('The plan is the best allowed one, but not good enough.'),
    qualities: z.record(z.string(), z.number()).describe('Estimated quality by model id.'),
    candidates: z.array(candidate).describe('Every plan that was weighed.'),
    would_flip: z.array(z.string()).describe('What would have changed the choice.'),
    findings: z
      .array(
        z.strictObject({
          rule: z.string().describe('The rule that found something.'),
          where: z.string().describe('In which part it was found.'),
        }),
      )
      .describe('What looks like a secret. Never the secret itself.'),
    left_out: z.array(z.string()).describe('What did not fit and was left out, as sentences.'),
    decision_ms: z.number().describe('Time that deciding took.'),
    // In the OpenAPI document `.nullable()` would change the named shape itself, for all who use it; a union does not.
    confidence: z
      .union([confidenceReply, z.null()])
      .describe('The verdict on the local answer; null when no local answer was judged.'),
    attempts: z.array(attempt).describe('Every call of a model, failed ones included.'),
  })
  .openapi('Trace');
