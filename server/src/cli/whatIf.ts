/** `whatif`: past prompts through the router without spending, or the tokens of a usage export at the prices of every model. */
import { resolve } from 'node:path';
import { type App, baselineId, lookBack } from '../compose.ts';
import { dollars } from '../core/price.ts';
import { labelOf } from '../core/report.ts';
import { english } from '../core/translate.ts';
import type { ExportPriced, Sum, WhatIf } from '../core/whatIf.ts';
import {
  escalatedText,
  exportHead,
  savedAgainst,
  sumText,
  whatIfHead,
  whatIfNotes,
} from '../core/whatIfText.ts';
import { exitCodes } from './exitCodes.ts';
import { printable, writeLine } from './io.ts';
import { badInput, type Session, withApp } from './session.ts';
import { table } from './table.ts';

export interface WhatIfFlags {
  readonly json?: boolean;
}

export async function whatIf(session: Session, given: string, flags: WhatIfFlags): Promise<number> {
  const { io } = session;
  return await withApp(session, async (app) => {
    const back = await lookBack(app, resolve(io.cwd, given), {
      signal: io.signal,
      onBad: (file, line, why) => writeLine(io.stderr, printable(`${file}:${line}: ${why}`)),
    });
    const show = async (json: unknown, text: string) =>
      await writeLine(io.stdout, flags.json === true ? JSON.stringify(json) : printable(text));
    switch (back.kind) {
      case 'cancelled':
        return exitCodes.cancelled;
      case 'no_logs':
      case 'unreadable':
        return await badInput(
          io,
          `expected a readable file or folder of .jsonl files, got ${given} (${back.kind === 'no_logs' ? 'no .jsonl file in it' : back.code})`,
        );
      case 'costs':
        return await badInput(
          io,
          'expected an export with tokens (usage/completions), got one of costs; for how it compares use ledger compare',
        );
      case 'nothing':
        return await badInput(
          io,
          `expected prompts or a usage export in ${given}, found none${back.bad > 0 ? `; ${back.bad} lines were no prompts` : ''}`,
        );
      case 'priced':
        await show(exportJson(back.priced), exportText(back.priced, app));
        return exitCodes.ok;
      case 'routed': {
        const { whatIf: result, bad } = back;
        await show(whatIfJson(result, baselineId(app), bad), whatIfText(result, app, bad));
        return bad === 0 ? exitCodes.ok : exitCodes.usage;
      }
    }
  });
}

function whatIfText(result: WhatIf, app: App, bad: number): string {
  const labels = labelOf(app.catalogue.registry());
  const baseline = labels(baselineId(app));
  const sum = (of: Sum) => sumText(of, english, result.prompts);
  return [
    ...whatIfHead(result, english),
    escalatedText(result, english),
    '',
    table(
      ['', 'cost'],
      [
        ['routed', sum(result.routed)],
        [`all by ${baseline}`, sum(result.baseline)],
        ['paid then', sum(result.paid)],
      ],
    ),
    savedAgainst(result, baseline, english),
    '',
    table(
      ['would have answered', 'prompts', 'cost'],
      result.models.map(({ modelId, prompts, costNanoUsd }) => [
        labels(modelId),
        String(prompts),
        sumText({ costNanoUsd, unknown: 0 }, english),
      ]),
    ),
    '',
    whatIfNotes(result, english).join(' '),
    ...(bad > 0 ? [`${bad} lines were no prompts; see above.`] : []),
  ].join('\n');
}

function whatIfJson(result: WhatIf, baseline: string, bad: number) {
  const sum = ({ costNanoUsd, unknown }: Sum) => ({ cost_usd: dollars(costNanoUsd), unknown });
  const known = result.baseline.unknown === 0 && result.routed.unknown === 0;
  return {
    prompts: result.prompts,
    local: result.local,
    cloud: result.cloud,
    refused: result.refused,
    kept_private: result.keptPrivate,
    expected_deferrals: result.expectedDeferrals,
    estimated_usage: result.estimatedUsage,
    routed: sum(result.routed),
    baseline: { model: baseline, ...sum(result.baseline) },
    paid: sum(result.paid),
    saved_usd: known ? dollars(result.baseline.costNanoUsd - result.routed.costNanoUsd) : null,
    models: result.models.map(({ modelId, prompts, costNanoUsd }) => ({
      model: modelId,
      prompts,
      cost_usd: dollars(costNanoUsd),
    })),
    bad_lines: bad,
  };
}

function exportText({ calls, days, models }: ExportPriced, app: App): string {
  const labels = labelOf(app.catalogue.registry());
  return [
    exportHead(calls, days, english),
    'The same tokens on each model, at the prices of today:',
    '',
    table(
      ['model', 'cost'],
      models.map(({ modelId, ...sum }) => [labels(modelId), sumText(sum, english)]),
    ),
    '',
    'A log of the prompts themselves (one JSON object a line) shows what the router would have done with each.',
  ].join('\n');
}

function exportJson({ calls, models }: ExportPriced) {
  return {
    calls,
    routed: null,
    models: models.map(({ modelId, costNanoUsd, unknown }) => ({
      model: modelId,
      cost_usd: dollars(costNanoUsd),
      unknown_rows: unknown,
    })),
  };
}
