/**
 * The frame of a chart: its title, the choice between chart and table, and drawing anew when the width or the theme changes.
 * Every chart has its table, for those who can't see it. What draws charts is loaded after the page's first rows; until then
 * the chart's place is kept free.
 */
import type uPlot from 'uplot';
import { button, el } from './dom.ts';
import { chartLibrary } from './laterParts.ts';
import { t } from './strings.ts';

export type ChartView = 'chart' | 'table';

export interface ChartContent {
  /** What the chart shows, in a sentence for who can't see it. */
  readonly summary: string;
  readonly table: () => HTMLElement;
  readonly plot: (Plot: typeof uPlot, box: HTMLElement) => uPlot;
}

export interface ChartFrame {
  readonly element: HTMLElement;
  draw(): void;
}

export interface ChartFrameOptions {
  /** Its class and the id of its title. */
  readonly name: string;
  readonly title: string;
  readonly heightPx: number;
  readonly view: ChartView;
  readonly onView: (view: ChartView) => void;
  /** `null` while there is nothing to draw. */
  readonly content: () => ChartContent | null;
}

const LEGEND_PX = 28;

export function createChartFrame(options: ChartFrameOptions): ChartFrame {
  const { name, title, heightPx, onView, content } = options;
  let chosen = options.view;
  let plot: uPlot | null = null;
  const holder = el('div', { class: 'chart-holder' });
  const choice = (view: ChartView, text: string): HTMLElement =>
    button(text, () => {
      chosen = view;
      onView(view);
      draw();
    });
  const chartButton = choice('chart', t('Chart'));
  const tableButton = choice('table', t('Table'));
  const element = el('section', { class: name, attrs: { 'aria-labelledby': `${name}-title` } }, [
    el('div', { class: 'section-head' }, [
      el('h2', { text: title, attrs: { id: `${name}-title` } }),
      el('div', { class: 'toggle', attrs: { role: 'group', 'aria-label': t('Show as') } }, [
        tableButton,
        chartButton,
      ]),
    ]),
    holder,
  ]);

  function draw(): void {
    chartButton.setAttribute('aria-pressed', String(chosen === 'chart'));
    tableButton.setAttribute('aria-pressed', String(chosen === 'table'));
    plot?.destroy();
    plot = null;
    const now = content();
    if (now === null) {
      holder.replaceChildren(el('p', { class: 'quiet', text: t('Nothing to draw yet.') }));
      return;
    }
    if (chosen === 'table') {
      holder.replaceChildren(now.table());
      return;
    }
    const box = el('div', { class: 'chart', attrs: { role: 'img', 'aria-label': now.summary } });
    // As high as the chart with its legend, so that nothing below moves when it comes.
    box.style.minHeight = `${heightPx + LEGEND_PX}px`;
    holder.replaceChildren(box);
    void chartLibrary().then(({ default: Plot }) => {
      // Drawn anew or gone meanwhile.
      if (box.parentElement === holder) plot = now.plot(Plot, box);
    });
  }

  new ResizeObserver(([entry]) => {
    const width = entry?.contentRect.width ?? 0;
    if (plot && width > 0 && width !== plot.width) plot.setSize({ width, height: heightPx });
  }).observe(holder);
  // The editor changes the theme by changing the body's class and the root's variables; the canvas must be drawn anew.
  new MutationObserver(draw).observe(document.body, {
    attributes: true,
    attributeFilter: ['class', 'data-vscode-theme-id'],
  });

  return { element, draw };
}

/** A colour of the theme by its variable, or the first fallback that it has. */
export function themeColour(
  theme: CSSStyleDeclaration,
): (name: string, fallback: string) => string {
  return (name, fallback) =>
    theme.getPropertyValue(name).trim() || theme.getPropertyValue(fallback).trim() || theme.color;
}
