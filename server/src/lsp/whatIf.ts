/** What the past would have cost, for an editor: with progress, and its figures in the editor's language. */
import { basename, isAbsolute } from 'node:path';
import { type App, baselineId, type LookedBack, lookBack } from '../compose.ts';
import { formatUsd, labelOf } from '../core/report.ts';
import type { Translate } from '../core/translate.ts';
import type { ExportPriced, Sum, WhatIf } from '../core/whatIf.ts';
import {
  escalatedText,
  exportHead,
  savedAgainst,
  sumText,
  whatIfHead,
  whatIfNotes,
} from '../core/whatIfText.ts';
import type { WhatIfParams, WhatIfProgress, WhatIfResult, WhatIfWire } from '../protocol.ts';
import type { Language } from './language.ts';

export interface WhatIfOptions {
  readonly language: Language;
  readonly onProgress: (progress: WhatIfProgress) => void;
}

export async function whatIf(
  app: App,
  { requestId, path }: WhatIfParams,
  { language, onProgress }: WhatIfOptions,
  signal: AbortSignal,
): Promise<WhatIfResult> {
  const { t, tag } = language;
  if (!isAbsolute(path)) {
    const message = t('Expected a file or folder by its full path, got {path}.', { path });
    return { kind: 'failed', message };
  }
  const back = await lookBack(app, path, {
    signal,
    onProgress: (share, prompts) =>
      onProgress({
        requestId,
        share,
        message: t('{prompts} prompts routed', { prompts: prompts.toLocaleString(tag) }),
      }),
  });
  if (back.kind === 'cancelled') return { kind: 'cancelled' };
  const source = basename(path);
  if (back.kind === 'priced') {
    return { kind: 'done', whatIf: { source, ...pricedWire(back.priced, app, t) } };
  }
  if (back.kind === 'routed') {
    return { kind: 'done', whatIf: { source, ...routedWire(back.whatIf, back.bad, app, t) } };
  }
  return { kind: 'failed', message: failedText(back, path, t) };
}

type Figures = Omit<WhatIfWire, 'source'>;

function routedWire(result: WhatIf, bad: number, app: App, t: Translate): Figures {
  const names = labelOf(app.catalogue.registry());
  const baseline = names(baselineId(app));
  const cost = (name: string, sum: Sum) => ({
    name,
    // What is known in part would be drawn as if it were all.
    nanoUsd: sum.unknown > 0 ? null : sum.costNanoUsd,
    cost: sumText(sum, t, result.prompts),
  });
  return {
    lines: whatIfHead(result, t),
    escalated: escalatedText(result, t),
    saved: savedAgainst(result, baseline, t),
    costs: [
      cost(t('routed'), result.routed),
      cost(t('all by {model}', { model: baseline }), result.baseline),
      cost(t('paid then'), result.paid),
    ],
    models: result.models.map(({ modelId, prompts, costNanoUsd }) => ({
      name: names(modelId),
      prompts,
      cost: `≈ ${formatUsd(costNanoUsd)}`,
    })),
    notes: [
      ...whatIfNotes(result, t),
      ...(bad > 0 ? [t('Lines that were no prompts: {n}.', { n: bad })] : []),
    ],
  };
}

function pricedWire({ calls, days, models }: ExportPriced, app: App, t: Translate): Figures {
  const names = labelOf(app.catalogue.registry());
  return {
    lines: [exportHead(calls, days, t), t('The same tokens on each model:')],
    escalated: '',
    saved: '',
    costs: models.map(({ modelId, ...sum }) => ({
      name: names(modelId),
      nanoUsd: sum.unknown > 0 ? null : sum.costNanoUsd,
      cost: sumText(sum, t),
    })),
    models: [],
    notes: [
      t('Prices of today.'),
      t(
        'A log of the prompts themselves (one JSON object a line) shows what the router would have done with each.',
      ),
    ],
  };
}

function failedText(
  back: Extract<LookedBack, { readonly kind: 'no_logs' | 'unreadable' | 'costs' | 'nothing' }>,
  path: string,
  t: Translate,
): string {
  switch (back.kind) {
    case 'no_logs':
      return t('Expected a folder with .jsonl files, found none in {path}.', { path });
    case 'unreadable':
      return t('Expected a readable file or folder, got {path} ({code}).', {
        path,
        code: back.code,
      });
    case 'costs':
      return t(
        'Expected an export with tokens (usage/completions), got one with amounts alone; choose the export of the usage.',
      );
    case 'nothing':
      return back.bad === 0
        ? t('Expected prompts or a usage export in {path}, found none.', { path })
        : t(
            'Expected prompts or a usage export in {path}, found none; lines of another form: {n}.',
            {
              path,
              n: back.bad,
            },
          );
  }
}
