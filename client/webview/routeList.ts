/**
 * The routes, newest first: filters above, rows fetched in pages of a hundred as they come into sight, each row opening
 * to its trace. Pages out of sight are forgotten, so memory stays bounded however long the ledger is.
 */
import type { RouteRowWire, RoutesParams } from '../../server/src/protocol.ts';
import { ROUTES_PAGE as PAGE } from '../src/firstQuestions.ts';
import { el } from './dom.ts';
import type { Questions } from './host.ts';
import { createRouteFilters, type RouteFilters } from './routeFilters.ts';
import { fixed, servedWord, t } from './strings.ts';
import { traceView } from './traceView.ts';
import { createVirtualList } from './virtualList.ts';

const KEPT_PAGES = 12;
const NARROW = 560;
/** Places that a person only scrolls past are not fetched. */
const PAUSE_MS = 40;
/** But whoever scrolls on and on sees rows, too. */
const LONGEST_PAUSE_MS = 120;
/** Fetched beyond those in sight, so that rows are there when they come into it. */
const ROWS_AHEAD = 50;

export interface RouteList {
  readonly element: HTMLElement;
  /**
   * Asks for the first page before the month's report is there, and resolves when it has come or can't. `null` is the current
   * month, whichever that is.
   */
  begin(month: string | null): Promise<void>;
  /** Shows a month; of the month that stands already, what is in sight is fetched again, keeping the place. */
  show(month: string, models: readonly { readonly id: string; readonly label: string }[]): void;
  /** Opens one of the newest routes with its trace, as soon as the month that is shown has it. */
  open(promptId: string): void;
}

/** @param onDrawn called whenever rows, or why there are none, were drawn */
export function createRouteList(questions: Questions, onDrawn: () => void): RouteList {
  /** `null` is the current month; `undefined` as long as nothing is to be shown. */
  let month: string | null | undefined;
  /** The first page was asked for by `begin`, and the report that says which month it is has not come. */
  let begun = false;
  let total = 0;
  let totalText = '';
  let generation = 0;
  let wanted: string | null = null;
  let inSight = { first: 0, last: 0 };
  let pause: ReturnType<typeof setTimeout> | undefined;
  let pausedSinceMs: number | undefined;
  const pages = new Map<number, readonly RouteRowWire[]>();
  const asked = new Set<number>();

  const count = el('p', { class: 'count', attrs: { role: 'status', 'aria-live': 'polite' } });
  const filters = createRouteFilters(() => restart());
  const list = createVirtualList({
    label: t('Routes'),
    draw: (index, row) => drawRow(row, rowOf(index)),
    detail: (index) => traceDetail(rowOf(index)),
    onWindow: (first, last) => {
      inSight = { first, last };
      clearTimeout(pause);
      const nowMs = performance.now();
      pausedSinceMs ??= nowMs;
      const longestMs = pausedSinceMs + LONGEST_PAUSE_MS - nowMs;
      pause = setTimeout(loadInSight, Math.max(0, Math.min(PAUSE_MS, longestMs)));
    },
  });
  const head = headings();
  const grid = el(
    'div',
    { class: 'grid', attrs: { role: 'treegrid', 'aria-label': t('Routes, newest first') } },
    [head, list.element],
  );
  const element = el('section', { class: 'routes', attrs: { 'aria-labelledby': 'routes-title' } }, [
    el('div', { class: 'section-head' }, [
      el('h2', { text: t('Routes'), attrs: { id: 'routes-title' } }),
      count,
    ]),
    filters.element,
    grid,
  ]);
  function setWidth(pixels: number): void {
    const narrow = pixels < NARROW;
    grid.classList.toggle('narrow', narrow);
    list.setRowHeight(narrow ? 48 : 30);
  }
  // A good guess, so that the first rows are drawn once.
  setWidth(window.innerWidth);
  const sizes = new ResizeObserver((entries) => {
    for (const { target, contentRect } of entries) {
      if (contentRect.width === 0) continue;
      if (target === grid) setWidth(contentRect.width);
      // Columns stand under their headings whether or not the scrollbar takes room.
      else head.style.width = `${contentRect.width}px`;
    }
  });
  sizes.observe(grid);
  sizes.observe(list.element);

  function rowOf(index: number): RouteRowWire | undefined {
    return pages.get(pageOf(index))?.[index % PAGE];
  }

  function params(page: number, values: RouteFilters): RoutesParams {
    return { ...values, ...(month ? { month } : {}), offset: page * PAGE, limit: PAGE };
  }

  async function load(page: number, again = false): Promise<void> {
    if (month === undefined || (!again && (pages.has(page) || asked.has(page)))) return;
    const mine = generation;
    asked.add(page);
    try {
      const { page: found } = await questions.ask({
        type: 'routes',
        params: params(page, filters.values()),
      });
      if (mine !== generation) return;
      const added = found.total - total;
      const moved = again || added !== 0;
      // Rows moved: whatever was fetched before stands at other places now.
      if (again && added !== 0) pages.clear();
      pages.set(page, found.rows);
      forgetFarPages();
      total = found.total;
      totalText = found.totalText;
      showCount();
      grid.setAttribute('aria-rowcount', String(total + 1));
      list.setTotal(total);
      if (again && added > 0) list.shift(added);
      if (moved) list.redraw();
      else list.redraw(page * PAGE, (page + 1) * PAGE - 1);
      if (!begun) shown(page);
    } catch (error) {
      if (mine !== generation) return;
      count.textContent = sentence(error);
      // Then `show` asks again.
      if (begun) month = undefined;
      begun = false;
      onDrawn();
    } finally {
      asked.delete(page);
    }
  }

  /** Rows stand where a person sees them. */
  function shown(page: number): void {
    onDrawn();
    if (page === 0) openWanted();
  }

  function openWanted(): void {
    const index = pages.get(0)?.findIndex(({ promptId }) => promptId === wanted) ?? -1;
    if (index < 0) return;
    wanted = null;
    list.reveal(index);
    element.scrollIntoView();
  }

  function loadInSight(): void {
    pausedSinceMs = undefined;
    const last = Math.min(total - 1, inSight.last + ROWS_AHEAD);
    for (let page = pageOf(inSight.first - ROWS_AHEAD); page <= pageOf(last); page += 1) {
      void load(page);
    }
  }

  function forgetFarPages(): void {
    const middle = pageOf(Math.round((inSight.first + inSight.last) / 2));
    const byDistance = [...pages.keys()].sort(
      (a, b) => Math.abs(a - middle) - Math.abs(b - middle),
    );
    for (const page of byDistance.slice(KEPT_PAGES)) pages.delete(page);
  }

  function showCount(): void {
    const filtered = filters.active();
    grid.hidden = total === 0;
    if (total === 1) count.textContent = t('1 route');
    else if (total > 0) count.textContent = t('{0} routes', totalText);
    else if (filtered) count.textContent = t('No route matches these filters.');
    else count.textContent = t('No routes in this month yet.');
  }

  function restart(): void {
    generation += 1;
    pages.clear();
    asked.clear();
    total = 0;
    list.reset();
    void load(0);
  }

  function traceDetail(row: RouteRowWire | undefined): HTMLElement {
    const holder = el('div', { class: 'trace-holder' });
    if (!row) {
      holder.textContent = t('Loading…');
      return holder;
    }
    holder.append(
      el('p', { class: 'trace-title', text: row.title }),
      el('p', {
        class: 'trace-facts',
        text: [
          row.time,
          servedWord(row.served),
          row.model,
          row.cost,
          row.latency,
          `${t('Saved')}: ${row.saved}`,
        ]
          .filter(Boolean)
          .join(' · '),
      }),
      el('p', { class: 'trace-reason', text: row.reason }),
    );
    const waiting = el('p', { text: t('Loading…') });
    holder.append(waiting);
    questions.ask({ type: 'trace', promptId: row.promptId }).then(
      ({ trace }) =>
        waiting.replaceWith(
          trace ? traceView(trace) : el('p', { text: t('No trace was kept for this route.') }),
        ),
      (error: unknown) => {
        waiting.textContent = sentence(error);
      },
    );
    return holder;
  }

  return {
    element,
    begin: (first) => {
      month = first;
      begun = true;
      return load(0);
    },
    show: (next, models) => {
      filters.setModels(models);
      const isBegun = begun && (month === null || month === next);
      begun = false;
      if (isBegun) {
        month = next;
        if (!pages.has(0)) return;
        // Until now the page had no place for rows.
        list.setTotal(total);
        shown(0);
        return;
      }
      if (next === month) {
        void load(0, true);
        return;
      }
      month = next;
      restart();
    },
    open: (promptId) => {
      wanted = promptId;
      if (!filters.active()) return;
      filters.clear();
      restart();
    },
  };
}

function headings(): HTMLElement {
  const names = [t('Time'), t('What'), t('Where'), t('Cost'), t('Score'), t('Why')];
  return el('div', { class: 'row-head', attrs: { role: 'rowgroup' } }, [
    el(
      'div',
      { class: 'cells', attrs: { role: 'row', 'aria-rowindex': 1 } },
      names.map((name) => el('span', { text: name, attrs: { role: 'columnheader' } })),
    ),
  ]);
}

function drawRow(row: HTMLElement, route: RouteRowWire | undefined): void {
  if (!route) {
    delete row.dataset['prompt'];
    row.replaceChildren(el('span', { text: t('Loading…'), attrs: { role: 'gridcell' } }));
    return;
  }
  const where = [servedWord(route.served), route.model].filter(Boolean).join(' · ');
  const texts = [route.time, route.title, where, route.cost, fixed(route.score), route.reason];
  row.dataset['prompt'] = route.promptId;
  const cells = row.firstElementChild;
  if (cells === null || cells.className !== 'cells') row.replaceChildren(newCells(texts));
  else for (const [index, text] of texts.entries()) fill(cells.children[index], text);
}

const CELLS = ['time', 'title', 'where', 'cost', 'score', 'why'] as const;

function newCells(texts: readonly string[]): HTMLElement {
  return el(
    'div',
    { class: 'cells', attrs: { role: 'presentation' } },
    CELLS.map((name, index) => {
      const text = texts[index] ?? '';
      const cell = el('span', { class: `cell-${name}`, attrs: { role: 'gridcell', title: text } });
      // Always a node of its own, so that filling it anew changes its text and nothing else.
      cell.append(document.createTextNode(text));
      return cell;
    }),
  );
}

function fill(cell: Element | undefined, text: string): void {
  const shown = cell?.firstChild;
  if (!shown || shown.nodeValue === text) return;
  shown.nodeValue = text;
  cell.setAttribute('title', text);
}

function pageOf(index: number): number {
  return Math.max(0, Math.floor(index / PAGE));
}

function sentence(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
