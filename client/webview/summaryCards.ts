/** The month in four cards: spent, saved, where answers came from, and the quality kept. Every figure is the server's text. */
import type { ReportWire, StatusWire } from '../../server/src/protocol.ts';
import { el } from './dom.ts';
import { percent, t } from './strings.ts';

export function summaryCards(report: ReportWire, status: StatusWire | null): HTMLElement {
  return el('section', { class: 'cards', attrs: { 'aria-label': t('This month') } }, [
    spentCard(report, status),
    savedCard(report),
    sharesCard(report),
    card('quality', t('Quality kept'), report.quality, report.qualityLines),
  ]);
}

function card(
  name: string,
  title: string,
  figure: string,
  lines: readonly (HTMLElement | string | null)[],
): HTMLElement {
  return el('article', { class: `card card-${name}` }, [
    el('h3', { text: title }),
    el('p', { class: 'figure', text: figure }),
    ...lines.map((line) =>
      typeof line === 'string' ? el('p', { class: 'line', text: line }) : line,
    ),
  ]);
}

function spentCard(report: ReportWire, status: StatusWire | null): HTMLElement {
  const { budget, usedShare } = report;
  const lines: (HTMLElement | string | null)[] = [
    budget ? t('of {0} this month', budget.text) : t('no monthly budget'),
    budget && usedShare !== null ? budgetBar(usedShare, report, status) : null,
  ];
  if (status?.level === 'pacing') lines.push(t('Pacing: hard questions stay local more often.'));
  if (status?.level === 'exhausted') lines.push(t('Used up: {0}', status.usedUp));
  if (report.projection !== '') lines.push(report.projection);
  return card('spent', t('Spent'), report.spent.text, lines);
}

function budgetBar(share: number, report: ReportWire, status: StatusWire | null): HTMLElement {
  const fill = el('span', { class: 'budget-fill' });
  fill.style.width = `${Math.min(1, share) * 100}%`;
  return el('div', { class: 'budget-line' }, [
    el(
      'div',
      {
        class: `budget-bar level-${status?.level ?? 'normal'}`,
        attrs: {
          role: 'progressbar',
          'aria-label': t('Budget used'),
          'aria-valuemin': 0,
          'aria-valuemax': 100,
          'aria-valuenow': Math.round(share * 100),
          'aria-valuetext': t(
            '{0} of {1}, {2}',
            report.spent.text,
            report.budget?.text ?? '',
            percent(share),
          ),
        },
      },
      [fill],
    ),
    el('span', { class: 'budget-share', text: percent(share) }),
  ]);
}

function savedCard(report: ReportWire): HTMLElement {
  return card('saved', t('Saved'), report.saved, [
    report.baseline === '' ? null : t('against {0} for everything', report.baseline),
    unknownLine(report.unknownSavings),
  ]);
}

function unknownLine(answers: number): string | null {
  if (answers === 0) return null;
  return answers === 1 ? t('1 answer unknown') : t('{0} answers unknown', answers);
}

function sharesCard(report: ReportWire): HTMLElement {
  const { local, cloud, cache } = report.shares;
  const parts = [
    { name: 'local', share: local, words: t('local') },
    { name: 'cloud', share: cloud, words: t('cloud') },
    { name: 'cache', share: cache, words: t('cached') },
  ];
  const spoken = parts.map((part) => `${percent(part.share)} ${part.words}`).join(', ');
  const bar = el('div', { class: 'shares-bar', attrs: { role: 'img', 'aria-label': spoken } });
  for (const part of parts) {
    const piece = el('span', { class: `share-${part.name}` });
    piece.style.flexGrow = String(part.share);
    bar.append(piece);
  }
  if (report.answers === 0) return card('shares', t('Answers'), t('none yet'), []);
  return card('shares', t('Answers'), report.answersText, [
    bar,
    el(
      'ul',
      { class: 'shares' },
      parts.map((part) =>
        el('li', {}, [
          el('span', { class: `swatch share-${part.name}`, attrs: { 'aria-hidden': 'true' } }),
          `${percent(part.share)} ${part.words}`,
        ]),
      ),
    ),
  ]);
}
