/**
 * A list of any length in a bounded number of elements: rows of one height, of which one may stand open with a detail of
 * its own height below it. Only the rows in sight exist, plus the one that holds the focus, so that scrolling never
 * loses it; a row that leaves one edge comes in at the other. Sizes are told by observers and never asked for while it is
 * scrolled or drawn, since asking lays out the page in between. Keys follow the tree grid pattern: arrows, page, home and end move; enter, space, right and left open and close.
 */

export interface VirtualListOptions {
  readonly label: string;
  /** Fills a row, which may still show another's data; called again whenever the row's data may have changed. */
  readonly draw: (index: number, row: HTMLElement) => void;
  /** The opened row's detail. */
  readonly detail: (index: number) => HTMLElement;
  /** Tells which rows are in sight, so that their data can be fetched. */
  readonly onWindow: (first: number, last: number) => void;
  /** @default 4 rows beyond the edges */
  readonly overscan?: number;
}

export interface VirtualList {
  readonly element: HTMLElement;
  setTotal(total: number): void;
  setRowHeight(pixels: number): void;
  /** Draws rows anew, keeping position and focus. @default all that exist */
  redraw(first?: number, last?: number): void;
  /** Rows were added above: everything the person looks at stays where it is. */
  shift(rows: number): void;
  /** Opens a row and moves to it. */
  reveal(index: number): void;
  /** Back to the top with nothing open. */
  reset(): void;
}

interface Layout {
  readonly rowHeight: number;
  readonly opened: number | null;
  readonly detailHeight: number;
}

/** As the style sheet has it, until the first layout tells. */
function likelyHeight(): number {
  return Math.max(180, Math.min(window.innerHeight * 0.56, 520));
}

function newRow(): HTMLElement {
  const row = document.createElement('div');
  row.className = 'row';
  row.setAttribute('role', 'row');
  row.setAttribute('aria-level', '1');
  return row;
}

function rowTop(index: number, layout: Layout): number {
  const below = layout.opened !== null && index > layout.opened;
  return index * layout.rowHeight + (below ? layout.detailHeight : 0);
}

function rowAt(offset: number, layout: Layout): number {
  const plain = Math.floor(offset / layout.rowHeight);
  if (layout.opened === null || plain <= layout.opened) return plain;
  return Math.max(layout.opened, Math.floor((offset - layout.detailHeight) / layout.rowHeight));
}

export function createVirtualList(options: VirtualListOptions): VirtualList {
  const overscan = options.overscan ?? 4;
  const scroller = document.createElement('div');
  scroller.className = 'rows-scroll';
  const body = document.createElement('div');
  body.className = 'rows';
  body.setAttribute('role', 'rowgroup');
  body.setAttribute('aria-label', options.label);
  scroller.append(body);

  let total = 0;
  let rowHeight = 30;
  let opened: number | null = null;
  let detailHeight = 0;
  let active = 0;
  let scheduled = false;
  let detail: { readonly index: number; readonly element: HTMLElement } | null = null;
  /** Of the part in sight; unknown as long as nothing is laid out. */
  let viewHeight = 0;
  let scrollTop = 0;
  /** What the places of rows depend on, as they were placed last. */
  let placed = '';
  const rows = new Map<number, HTMLElement>();
  /** Rows that went out of sight and are filled anew. */
  const spare: HTMLElement[] = [];

  const layout = (): Layout => ({ rowHeight, opened, detailHeight });
  const resized = new ResizeObserver(() => {
    const height = detail?.element.offsetHeight ?? 0;
    if (height === detailHeight) return;
    detailHeight = height;
    render();
  });

  function schedule(): void {
    if (scheduled) return;
    scheduled = true;
    requestAnimationFrame(() => {
      scheduled = false;
      scrollTop = scroller.scrollTop;
      render();
    });
  }

  function scrollTo(offset: number): void {
    scroller.scrollTop = offset;
    scrollTop = scroller.scrollTop;
  }

  function render(): void {
    const now = layout();
    const height = `${rowTop(total, now)}px`;
    if (body.style.height !== height) body.style.height = height;
    const first = Math.max(0, rowAt(scrollTop, now) - overscan);
    const bottom = scrollTop + (viewHeight || likelyHeight());
    const last = Math.min(total - 1, rowAt(bottom, now) + overscan);
    // The active row is the list's one tab stop, so it always exists.
    const beside = [active, opened].filter(
      (index): index is number =>
        index !== null && index < total && (index < first || index > last),
    );
    const wanted = new Set(beside);
    for (let index = first; index <= last; index += 1) wanted.add(index);
    for (const [index, row] of rows) {
      if (!wanted.has(index)) release(index, row);
    }
    const placing = `${rowHeight} ${opened} ${detailHeight} ${active}`;
    const moved = placing !== placed;
    placed = placing;
    const order: HTMLElement[] = [];
    for (const index of [...wanted].sort((a, b) => a - b)) {
      const known = rows.get(index);
      const row = known ?? take(index);
      if (known === undefined || moved) place(row, index, now);
      order.push(row);
      if (index === opened && detail) order.push(detail.element);
    }
    keepOrder(order);
    spare.length = 0;
    if (total > 0) options.onWindow(first, last);
  }

  function release(index: number, row: HTMLElement): void {
    row.remove();
    rows.delete(index);
    spare.push(row);
  }

  function take(index: number): HTMLElement {
    const row = spare.pop() ?? newRow();
    row.dataset['index'] = String(index);
    rows.set(index, row);
    options.draw(index, row);
    return row;
  }

  function place(row: HTMLElement, index: number, now: Layout): void {
    row.style.top = `${rowTop(index, now)}px`;
    row.style.height = `${rowHeight}px`;
    row.tabIndex = index === active ? 0 : -1;
    row.setAttribute('aria-rowindex', String(index + 2));
    row.setAttribute('aria-expanded', String(index === opened));
    if (index === opened && detail) {
      detail.element.style.top = `${rowTop(index, now) + rowHeight}px`;
    }
  }

  /** Moves only what is out of place: moving the focused row would lose its focus. */
  function keepOrder(order: readonly HTMLElement[]): void {
    let cursor = body.firstChild;
    for (const element of order) {
      if (element === cursor) cursor = cursor.nextSibling;
      else body.insertBefore(element, cursor);
    }
  }

  function open(index: number | null): void {
    resized.disconnect();
    detail?.element.remove();
    detail = null;
    opened = index;
    scroller.classList.toggle('opened', index !== null);
    detailHeight = 0;
    if (index !== null) {
      const element = document.createElement('div');
      element.className = 'row-detail';
      element.setAttribute('role', 'row');
      const cell = document.createElement('div');
      cell.setAttribute('role', 'gridcell');
      cell.append(options.detail(index));
      element.append(cell);
      detail = { index, element };
      resized.observe(element);
    }
    render();
    if (index !== null) showDetail(index);
  }

  /** A row opened near the bottom moves up, so that its detail is seen without scrolling for it. */
  function showDetail(index: number): void {
    const top = rowTop(index, layout());
    const low = top - scrollTop > scroller.clientHeight / 3;
    if (low) scrollTo(top - rowHeight);
  }

  function activate(index: number): void {
    active = Math.min(Math.max(0, index), Math.max(0, total - 1));
    const top = rowTop(active, layout());
    if (top < scroller.scrollTop) scrollTo(top);
    const bottom = top + rowHeight;
    if (bottom > scroller.scrollTop + scroller.clientHeight)
      scrollTo(bottom - scroller.clientHeight);
    render();
    rows.get(active)?.focus({ preventScroll: true });
  }

  function onKey(event: KeyboardEvent): void {
    const row = event.target instanceof HTMLElement ? event.target : null;
    if (!row?.classList.contains('row')) return;
    const page = Math.max(1, Math.floor(scroller.clientHeight / rowHeight) - 1);
    const moves: Record<string, number> = {
      ArrowDown: active + 1,
      ArrowUp: active - 1,
      PageDown: active + page,
      PageUp: active - page,
      Home: 0,
      End: total - 1,
    };
    const target = moves[event.key];
    if (target !== undefined) activate(target);
    else if (event.key === 'Enter' || event.key === ' ') toggle(active);
    else if (event.key === 'ArrowRight' && opened !== active) open(active);
    else if (event.key === 'ArrowLeft' && opened === active) open(null);
    else return;
    event.preventDefault();
  }

  function toggle(index: number): void {
    active = index;
    open(opened === index ? null : index);
  }

  scroller.addEventListener('scroll', schedule, { passive: true });
  scroller.addEventListener('keydown', onKey);
  body.addEventListener('click', (event) => {
    const row = event.target instanceof Element ? event.target.closest<HTMLElement>('.row') : null;
    if (!row) return;
    toggle(Number(row.dataset['index']));
    row.focus({ preventScroll: true });
  });
  new ResizeObserver(([entry]) => {
    const height = Math.round(entry?.contentRect.height ?? 0);
    if (height === viewHeight) return;
    viewHeight = height;
    render();
  }).observe(scroller);

  function redraw(first = 0, last = Number.POSITIVE_INFINITY): void {
    for (const [index, row] of rows) {
      if (index >= first && index <= last) options.draw(index, row);
    }
    render();
  }

  return {
    element: scroller,
    setTotal: (next) => {
      total = next;
      if (opened !== null && opened >= total) open(null);
      active = Math.min(active, Math.max(0, total - 1));
      render();
    },
    setRowHeight: (pixels) => {
      if (pixels === rowHeight) return;
      const offset = (scrollTop / rowHeight) * pixels;
      rowHeight = pixels;
      render();
      scrollTo(offset);
      redraw();
    },
    redraw,
    shift: (count) => {
      const atTop = scrollTop < rowHeight;
      const focused = body.contains(document.activeElement);
      const kept = detail;
      if (atTop && !focused && opened === null) {
        redraw();
        return;
      }
      active += count;
      if (opened !== null && kept) {
        opened += count;
        detail = { index: opened, element: kept.element };
      }
      for (const [index, row] of rows) release(index, row);
      render();
      if (!atTop) scrollTo(scrollTop + count * rowHeight);
      render();
      if (focused) rows.get(active)?.focus({ preventScroll: true });
    },
    reveal: (index) => {
      activate(index);
      open(active);
    },
    reset: () => {
      scrollTo(0);
      active = 0;
      open(null);
      redraw();
    },
  };
}
