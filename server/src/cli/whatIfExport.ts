/** `whatif` on a usage export: its tokens at the price of every cloud model. */
import type { App } from '../compose.ts';
import { costOf, dollars } from '../core/price.ts';
import { formatUsd } from '../core/report.ts';
import type { PriceRow } from '../core/types.ts';
import type { UsageExport } from '../core/usageExport.ts';
import { exitCodes } from './exitCodes.ts';
import { type CliIo, printable, writeLine } from './io.ts';
import { badInput } from './session.ts';
import { table } from './table.ts';

/** An export has tokens and no prompts, so nothing can be routed: the same tokens at every model's price is all that is known. */
export async function showExport(
  io: CliIo,
  app: App,
  usage: UsageExport,
  asJson: boolean,
): Promise<number> {
  if (usage.holds === 'costs') {
    return await badInput(
      io,
      'expected an export with tokens (usage/completions), got one of costs; for how it compares use ledger compare',
    );
  }
  const rows = app.catalogue
    .registry()
    .models.filter((model) => model.enabled && model.provider !== 'local')
    .flatMap((model) => {
      const price = app.catalogue.price(model.id, app.ports.clock.now());
      return price === undefined ? [] : [{ id: model.id, label: model.label, price }];
    })
    .map(({ id, label, price }) => ({ id, label, ...exportCost(usage, price) }));
  const calls = usage.rows.reduce((all, row) => all + (row.calls ?? 0), 0);
  if (asJson) {
    const models = rows.map(({ id, costNanoUsd, unknown }) => ({
      model: id,
      cost_usd: dollars(costNanoUsd),
      unknown_rows: unknown,
    }));
    await writeLine(io.stdout, JSON.stringify({ calls, routed: null, models }));
    return exitCodes.ok;
  }
  const text = [
    `${calls} calls on ${usage.days.size} days. The export has tokens and no prompts, so where they would have gone is unknown.`,
    'The same tokens on each model, at the prices of today:',
    '',
    table(
      ['model', 'cost', ''],
      rows.map(({ label, costNanoUsd, unknown }) => [
        label,
        `≈ ${formatUsd(costNanoUsd)}`,
        unknown === 0 ? '' : `${unknown} rows unknown`,
      ]),
    ),
    '',
    'A log of the prompts themselves (one JSON object a line) shows what the router would have done with each.',
  ];
  await writeLine(io.stdout, printable(text.join('\n')));
  return exitCodes.ok;
}

/** A row sums many calls, so a price by context length can't be told from it; the base rates are taken. */
function exportCost(usage: UsageExport, price: PriceRow) {
  let costNanoUsd = 0;
  let unknown = 0;
  for (const { inputTokens, cachedInputTokens, outputTokens } of usage.rows) {
    const cost = costOf(
      { ...price, tiers: [] },
      {
        inputTokens,
        outputTokens,
        cachedInputTokens,
        cacheWriteTokens: undefined,
        reasoningTokens: undefined,
      },
    );
    if (cost === undefined) unknown += 1;
    else costNanoUsd += cost;
  }
  return { costNanoUsd, unknown };
}
