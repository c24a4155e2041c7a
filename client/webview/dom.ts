/**
 * Elements from data. Text always becomes a text node and styles are set as properties, so nothing a model or a file says
 * can become markup, and the page's policy can forbid inline styles.
 */

export interface Props {
  readonly class?: string;
  readonly text?: string;
  /** Plain attributes; `undefined` and `false` leave the attribute out, `true` sets it empty. */
  readonly attrs?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly on?: Readonly<Record<string, (event: Event) => void>>;
}

type Child = Node | string | null;

export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  props?: Props,
  children?: readonly Child[],
): HTMLElementTagNameMap[K];
export function el(tag: string, props?: Props, children?: readonly Child[]): HTMLElement;
export function el(tag: string, props: Props = {}, children: readonly Child[] = []): HTMLElement {
  const element = document.createElement(tag);
  if (props.class) element.className = props.class;
  for (const [name, value] of Object.entries(props.attrs ?? {})) {
    if (value === undefined || value === false) continue;
    element.setAttribute(name, value === true ? '' : String(value));
  }
  for (const [name, listener] of Object.entries(props.on ?? {})) {
    element.addEventListener(name, listener);
  }
  if (props.text !== undefined) element.textContent = props.text;
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** A button of the editor's own look. `label` is what a screen reader says where the visible text is too short. */
export function button(
  text: string,
  onClick: () => void,
  options: { readonly primary?: boolean; readonly label?: string; readonly class?: string } = {},
): HTMLElement {
  return el('vscode-button', {
    text,
    ...(options.class === undefined ? {} : { class: options.class }),
    attrs: { secondary: !options.primary, 'aria-label': options.label },
    on: { click: onClick },
  });
}

/** A table with a caption for screen readers; the first cell of each row is its heading. */
export function dataTable(
  caption: string,
  headings: readonly string[],
  rows: readonly (readonly string[])[],
): HTMLElement {
  return el(
    'div',
    { class: 'table-scroll', attrs: { tabindex: 0, role: 'region', 'aria-label': caption } },
    [
      el('table', { class: headings.length > 4 ? 'data many' : 'data' }, [
        el('caption', { class: 'unseen', text: caption }),
        el('thead', {}, [
          el(
            'tr',
            {},
            headings.map((heading) => el('th', { text: heading, attrs: { scope: 'col' } })),
          ),
        ]),
        el(
          'tbody',
          {},
          rows.map((row) =>
            el(
              'tr',
              {},
              row.map((cell, index) =>
                index === 0
                  ? el('th', { ...shortClass(cell), text: cell, attrs: { scope: 'row' } })
                  : el('td', {
                      ...shortClass(cell),
                      text: cell,
                      attrs: { 'data-heading': headings[index] },
                    }),
              ),
            ),
          ),
        ),
      ]),
    ],
  );
}

/** Figures and single words stay on one line; only sentences and long names break. */
function shortClass(cell: string): { readonly class?: string } {
  return cell.length <= 14 ? { class: 'short' } : {};
}
