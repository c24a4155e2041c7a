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
  const exact = anyOf(all.flatMap(({ marks }) => marks?.exact ?? []));
  const anyCase = anyOf(all.flatMap(({ marks }) => marks?.anyCase ?? []));
  return (text) => {
    const lower = anyCase === undefined ? '' : text.toLowerCase();
    const hasExact = exact?.test(text) === true;
    const hasAnyCase = anyCase?.test(lower) === true;
    if (!hasExact && !hasAnyCase) return unmarked;
    return all.filter(
      ({ marks }) =>
        marks === undefined ||
        (hasExact && holds(text, marks.exact)) ||
        (hasAnyCase && holds(lower, marks.anyCase)),
    );
  };
}

function holds(text: string, marks: readonly string[] | undefined): boolean {
  return marks?.some((mark) => text.includes(mark)) === true;
}

function anyOf(marks: readonly string[]): RegExp | undefined {
  if (marks.length === 0) return undefined;
  const quoted = [...new Set(marks)].map((mark) => mark.replace(/[$(-+./?[-^{|}-]/g, '\\$&'));
  return new RegExp(quoted.join('|'));
}
