/** What money and models look like on the wire: the month's spend, and the registry with prices and speeds. */
import { z } from '@hono/zod-openapi';
import { portOf } from '../core/portOf.ts';
import type { RouterPorts } from '../core/ports.ts';
import type { MeasuredSpeed, Model, PriceRow, Rates, Registry } from '../core/types.ts';

export const spendReply = z
  .strictObject({
    month: z.string().describe('The UTC month, as `2026-11`.'),
    resets_on: z.string().describe('The UTC date on which the next month begins.'),
    budget_usd: z.number().nullable().describe('The limit of the month; null for none.'),
    spent_usd: z.number().describe('Settled bills.'),
    held_usd: z.number().describe('Upper bounds of calls that are not settled yet.'),
    remaining_usd: z.number().nullable().describe('What may still be held; null without a limit.'),
    answers: z
      .number()
      .int()
      .nullable()
      .describe(
        'Prompts of this month; null, as all that follows, while the ledger can not be read.',
      ),
    baseline: z.string().describe('The model that savings are against.'),
    saved_usd: z.number().nullable().describe('Sum of the savings that are known.'),
    unknown_savings: z.number().int().nullable().describe('Answers whose savings are unknown.'),
    quality_kept: z
      .strictObject({
        share: z
          .number()
          .nullable()
          .describe(
            'Share of audited local answers at least as good as the baseline; null until known.',
          ),
        low: z.number().nullable().describe('Lower end of its 95 % interval.'),
        high: z.number().nullable().describe('Upper end of its 95 % interval.'),
        audits: z
          .number()
          .int()
          .describe('Audits with a verdict, of this month and the two before.'),
        needed: z.number().int().describe('Audits that it takes until the share is known.'),
      })
      .describe('Quality as it was measured by asking the baseline, too.'),
    audits: z.number().int().nullable().describe('Local answers of this month that were audited.'),
    audits_usd: z.number().nullable().describe('What those audits cost; part of what was spent.'),
    rows: z
      .array(
        z.strictObject({
          model: z.string().describe('The model; `none` where no model answered.'),
          served: z.enum(['local', 'cloud', 'cache', 'none']).describe('Where answers came from.'),
          answers: z.number().int().describe('How many.'),
          cost_usd: z.number().describe('What they cost.'),
        }),
      )
      .describe('The month by model; none while the ledger can not be read.'),
  })
  .openapi('Spend');

const perMillion = z.number().describe('USD per million tokens.');

const rates = z
  .strictObject({
    input_usd_per_million: perMillion,
    cached_input_usd_per_million: perMillion.nullable().describe('Null: no discount.'),
    cache_write_usd_per_million: perMillion.nullable().describe('Null: no surcharge.'),
    output_usd_per_million: perMillion,
  })
  .openapi('Rates');

const price = z
  .strictObject({
    row: z.string().describe('The row of pricing.yaml that is in force.'),
    effective_from: z.string().describe('Date from which it holds.'),
    checked_at: z.string().describe('Date on which it was last compared with its source.'),
    source: z.string().describe('Where it comes from.'),
    base: rates,
    tiers: z
      .array(
        z.strictObject({
          above_input_tokens: z
            .number()
            .int()
            .describe('A longer input moves the whole request here.'),
          rates,
        }),
      )
      .describe('Dearer rates of long requests.'),
  })
  .openapi('Price');

const speed = z
  .strictObject({
    prompt_tokens_per_second: z.number().describe('Reading.'),
    output_tokens_per_second: z.number().describe('Writing.'),
    time_to_first_token_ms: z.number().describe('From the request to the first token.'),
    samples: z.number().int().describe('Answers behind these medians.'),
  })
  .openapi('Speed');

export const modelsReply = z
  .strictObject({
    models: z
      .array(
        z
          .strictObject({
            id: z.string().describe('Its name in the registry; `force_model` takes it.'),
            label: z.string().describe('Its name for people.'),
            tier: z.enum(['cheap', 'escalation']).describe('The role it plays.'),
            provider: z.enum(['local', 'openai', 'openai-compatible']).describe('Who runs it.'),
            enabled: z.boolean().describe('Whether it may answer.'),
            availability: z
              .enum(['ready', 'no_api_key', 'model_missing', 'unavailable', 'frozen'])
              .describe('Whether it could answer now. `frozen`: a bill once passed its bound.'),
            unavailable_because: z.string().optional().describe('The cause, where one is known.'),
            context_window: z.number().int().describe('Tokens that it can read and write.'),
            max_output_tokens: z.number().int().describe('Tokens that one answer may have.'),
            price: z
              .union([price, z.null()])
              .describe('Null: a local model is free, a cloud one is refused.'),
            speed: z
              .union([speed, z.null()])
              .describe('Measured on this machine; null until measured.'),
          })
          .openapi('Model'),
      )
      .describe('The models in the order of the registry.'),
    roles: z
      .strictObject({
        cheap: z.string().describe('The model that answers first.'),
        escalation: z.string().describe('The model that answers what the cheap one can not.'),
        baseline: z.string().describe('The model that savings are against.'),
      })
      .describe('Who plays which role by default.'),
  })
  .openapi('Models');

type ModelPorts = Pick<
  RouterPorts,
  'catalogue' | 'local' | 'cloud' | 'speeds' | 'ledger' | 'clock'
>;
export type Roles = Registry['defaults'];

export async function modelsOf(
  ports: ModelPorts,
  roles: Roles,
): Promise<z.infer<typeof modelsReply>> {
  const frozen = await ports.ledger.frozenModels();
  return {
    models: ports.catalogue
      .registry()
      .models.map((model) => modelOf(model, ports, frozen.has(model.id))),
    roles: { ...roles },
  };
}

function modelOf(model: Model, ports: ModelPorts, isFrozen: boolean) {
  const port = portOf(model, ports);
  const frozen = model.provider !== 'local' && isFrozen;
  const availability = port.availability(model);
  const row = ports.catalogue.price(model.id, ports.clock.now());
  const measured = ports.speeds.get(port.identity(model));
  return {
    id: model.id,
    label: model.label,
    tier: model.tier,
    provider: model.provider,
    enabled: model.enabled,
    availability: frozen ? ('frozen' as const) : availability.kind,
    ...(availability.kind === 'unavailable' ? { unavailable_because: availability.why } : {}),
    context_window: model.contextWindow,
    max_output_tokens: model.maxOutputTokens,
    price: row === undefined ? null : priceOf(row),
    speed: measured === undefined ? null : speedOf(measured),
  };
}

function priceOf(row: PriceRow): z.infer<typeof price> {
  return {
    row: row.id,
    effective_from: row.effectiveFrom,
    checked_at: row.checkedAt,
    source: row.source,
    base: ratesOf(row.base),
    tiers: row.tiers.map((tier) => ({
      above_input_tokens: tier.aboveInputTokens,
      rates: ratesOf(tier.rates),
    })),
  };
}

function ratesOf(some: Rates): z.infer<typeof rates> {
  return {
    input_usd_per_million: usdPerMillion(some.inputPicoUsd),
    cached_input_usd_per_million: orNull(some.cachedInputPicoUsd),
    cache_write_usd_per_million: orNull(some.cacheWritePicoUsd),
    output_usd_per_million: usdPerMillion(some.outputPicoUsd),
  };
}

function orNull(picoUsd: number | undefined): number | null {
  return picoUsd === undefined ? null : usdPerMillion(picoUsd);
}

function usdPerMillion(picoUsdPerToken: number): number {
  return picoUsdPerToken / 1e6;
}

function speedOf(measured: MeasuredSpeed): z.infer<typeof speed> {
  return {
    prompt_tokens_per_second: measured.promptTokensPerSecond,
    output_tokens_per_second: measured.outputTokensPerSecond,
    time_to_first_token_ms: measured.timeToFirstTokenMs,
    samples: measured.samples,
  };
}
