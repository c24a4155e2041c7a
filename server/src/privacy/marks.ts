/**
 * Marks: pieces of text of which a secret of some kind holds at least one. A text without them needs no pattern, and looking
 * for all marks at once takes far less than trying each pattern at every place.
 */
export interface Marks {
  /** As they are written. */
  readonly exact?: readonly string[];
  /** Letters of ASCII in lower case; found in any case. */
  readonly anyCase?: readonly string[];
}

interface Marked {
  /** What has none looks at every text. */
  readonly marks: Marks | undefined;
}

/** Those that may find something in a text, in their order: the ones of whose marks it holds one, and all without marks. */
export function createSieve<T extends Marked>(all: readonly T[]): (text: string) => readonly T[] {
  const unmarked = all.filter(({ marks }) => marks === undefined);
  const exactIn = createFinder(all.flatMap(({ marks }) => marks?.exact ?? []));
  const anyCaseIn = createFinder(all.flatMap(({ marks }) => marks?.anyCase ?? []));
  return (text) => {
    const exact = exactIn?.(text) ?? NO_MARKS;
    const anyCase = anyCaseIn?.(text.toLowerCase()) ?? NO_MARKS;
    if (exact.size === 0 && anyCase.size === 0) return unmarked;
    return all.filter(
      ({ marks }) =>
        marks === undefined ||
        marks.exact?.some((mark) => exact.has(mark)) ||
        marks.anyCase?.some((mark) => anyCase.has(mark)),
    );
  };
}

const NO_MARKS: ReadonlySet<string> = new Set();

/** Tells which of these marks a text holds, in one pass; where it holds several that overlap, all of them. */
function createFinder(
  marks: readonly string[],
): ((text: string) => ReadonlySet<string>) | undefined {
  if (marks.length === 0) return undefined;
  const quoted = [...new Set(marks)].map((mark) => mark.replace(/[$(-+./?[-^{|}-]/g, '\\$&'));
  const any = new RegExp(quoted.join('|'), 'g');
  const byFirst = Map.groupBy(new Set(marks), (mark) => mark.charAt(0));
  return (text) => {
    any.lastIndex = 0;
    let match = any.exec(text);
    if (match === null) return NO_MARKS;
    const found = new Set<string>();
    for (; match !== null; match = any.exec(text)) {
      for (const mark of byFirst.get(text.charAt(match.index)) ?? []) {
        if (text.startsWith(mark, match.index)) found.add(mark);
      }
      any.lastIndex = match.index + 1;
    }
    return found;
  };
}
