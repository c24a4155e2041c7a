/** What `@router` says about routes and money, as Markdown made of the server's own texts. Pure. */
import { inertMarkdown } from '../../../server/src/inertMarkdown.ts';
import type {
  AskParams,
  ReportWire,
  RouteRowWire,
  TraceWire,
} from '../../../server/src/protocol.ts';
import { escaped } from '../statusBarView.ts';
import type { Translate } from '../translate.ts';

/** One answer of this chat as it is remembered with its turn. */
export interface KeptAnswer {
  readonly question: string;
  readonly text: string;
}

/** How the last answer of any surface came about. */
export function whyMarkdown(row: RouteRowWire, trace: TraceWire | null, t: Translate): string {
  const money = t('cost {0}, saved {1}, {2}', row.cost, row.saved, row.latency);
  const head = [
    `**${escaped(row.model)}** · ${escaped(money)}`,
    escaped(row.reason),
    `*${escaped(`${row.time} · ${row.title}`)}*`,
  ];
  if (trace === null) return head.join('\n\n');
  const { parts, candidates, wouldFlip, findings, confidence, leftOut, audit } = trace;
  return [
    ...head,
    t('Score {0}, threshold {1}.', trace.score.toFixed(2), trace.threshold.toFixed(2)),
    list(
      t('Parts of the score'),
      parts.map(({ name, added, detail }) => `${added.toFixed(2)} ${name}: ${detail}`),
    ),
    confidence === null
      ? ''
      : t(
          'Confidence in the local answer: {0} of {1} needed.',
          confidence.value.toFixed(2),
          confidence.needed.toFixed(2),
        ),
    audit === '' ? '' : escaped(t('Audit: {0}', audit)),
    list(
      t('Plans that were weighed'),
      candidates.map((plan) => planText(plan, t)),
    ),
    list(t('It would have gone elsewhere if'), wouldFlip),
    list(t('Found in the prompt'), findings),
    list(t('Left out to fit'), leftOut),
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

export function spendMarkdown(
  report: ReportWire,
  budgets: readonly string[],
  t: Translate,
): string {
  const { month, spent, saved, baseline, answers, shares, projection, byModel } = report;
  const percent = (share: number) => `${Math.round(share * 100)} %`;
  return [
    `**${escaped(t('{0}: {1} spent, {2} saved against {3}', month, spent.text, saved, baseline))}**`,
    ...budgets.map(escaped),
    projection === '' ? '' : escaped(projection),
    t(
      '{0} answers: {1} local, {2} cloud, {3} from the cache.',
      answers,
      percent(shares.local),
      percent(shares.cloud),
      percent(shares.cache),
    ),
    table(
      [t('model'), t('answers'), t('spent'), t('saved')],
      byModel.map((group) => [group.name, `${group.answers}`, group.spent, group.saved]),
    ),
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

/** The same question answered by both tiers. */
export function comparedMarkdown(title: string, text: string, line: string): string {
  return `### ${escaped(title)}\n\n${inertMarkdown(text)}\n\n*${escaped(line)}*\n\n`;
}

/** Answers of this chat as the conversation so far; commands that only report are no part of it. */
export function historyOf(answers: readonly KeptAnswer[]): AskParams['history'] {
  return answers.flatMap(({ question, text }) => [
    { role: 'user' as const, text: question },
    { role: 'assistant' as const, text },
  ]);
}

/** What a turn's result remembers, if it is one of ours and was an answer. */
export function keptAnswer(metadata: unknown): KeptAnswer | null {
  if (typeof metadata !== 'object' || metadata === null) return null;
  const { question, text } = metadata as Record<string, unknown>;
  return typeof question === 'string' && typeof text === 'string' ? { question, text } : null;
}

/** A chat is too narrow for a table of them. */
function planText(plan: TraceWire['candidates'][number], t: Translate): string {
  const { label, cost, latency, quality, whyNot, chosen } = plan;
  const time = latency === t('unknown') ? t('time unknown') : latency;
  const figures = [cost, time, t('quality {0}', quality.toFixed(2))].join(' · ');
  return `${chosen ? '→ ' : ''}${label}: ${figures}${whyNot === '' ? '' : `. ${whyNot}`}`;
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return '';
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join(' | ')} |`;
  return [line(heads), line(heads.map(() => '---')), ...rows.map(line)].join('\n');
}

function cell(text: string): string {
  return text === '---' ? text : escaped(text).replaceAll('\n', ' ');
}

function list(title: string, items: readonly string[]): string {
  if (items.length === 0) return '';
  return `${escaped(title)}:\n${items.map((item) => `- ${escaped(item)}`).join('\n')}`;
}
