/** What past prompts would have cost: bars that can be compared, who would have answered, and what is only estimated. */
import type { WhatIfWire } from '../../server/src/protocol.ts';
import { button, dataTable, el } from './dom.ts';
import { t } from './strings.ts';

export interface WhatIfView {
  readonly element: HTMLElement;
  /** `null` puts it away. */
  show(figures: WhatIfWire | null): void;
}

export function createWhatIfView(onClose: () => void): WhatIfView {
  const parts = el('div', { class: 'what-if-parts' });
  const element = el(
    'section',
    { class: 'what-if', attrs: { 'aria-labelledby': 'what-if-title' } },
    [
      el('div', { class: 'section-head' }, [
        el('h2', { text: t('What it would have cost'), attrs: { id: 'what-if-title' } }),
        button(t('Close'), onClose, { label: t('Close what it would have cost') }),
      ]),
      parts,
    ],
  );
  element.hidden = true;
  return {
    element,
    show(figures) {
      element.hidden = figures === null;
      parts.replaceChildren(...(figures === null ? [] : partsOf(figures)));
      if (figures !== null) element.scrollIntoView({ block: 'nearest' });
    },
  };
}

function partsOf(figures: WhatIfWire): readonly HTMLElement[] {
  const { source, lines, escalated, saved, costs, models, notes } = figures;
  const headline = [saved, escalated].filter((one) => one !== '').join(' · ');
  return [
    el('p', { class: 'what-if-source', text: source }),
    ...(headline === ''
      ? []
      : [el('p', { class: 'figure', text: headline, attrs: { role: 'status' } })]),
    ...lines.map((text) => el('p', { class: 'line', text })),
    bars(costs),
    ...(models.length === 0
      ? []
      : [
          dataTable(
            t('Who would have answered'),
            [t('Would have answered'), t('Prompts'), t('Cost')],
            models.map(({ name, prompts, cost }) => [name, prompts.toLocaleString(), cost]),
          ),
        ]),
    ...notes.map((text) => el('p', { class: 'line', text })),
  ];
}

/** Every bar has its cost beside it; one that is not wholly known has no bar. */
function bars(costs: WhatIfWire['costs']): HTMLElement {
  const most = Math.max(1, ...costs.map(({ nanoUsd }) => nanoUsd ?? 0));
  return el(
    'dl',
    { class: 'what-if-bars' },
    costs.flatMap(({ name, nanoUsd, cost }) => {
      const fill = el('span', { class: 'budget-fill' });
      fill.style.width = `${((nanoUsd ?? 0) / most) * 100}%`;
      const bar = el('div', { class: 'budget-bar', attrs: { 'aria-hidden': 'true' } }, [fill]);
      return [
        el('dt', { text: name }),
        el('dd', {}, [nanoUsd === null ? null : bar, el('span', { class: 'cost', text: cost })]),
      ];
    }),
  );
}
