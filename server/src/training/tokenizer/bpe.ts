/** The BPE of SentencePiece: of all neighbours that together are a piece, those with the highest score merge first. */
import { popHeap, pushHeap } from '../priorityHeap.ts';
import type { Segmenter } from './encode.ts';
import type { Vocabulary } from './pieces.ts';

interface Pair {
  readonly left: number;
  readonly right: number;
  readonly id: number;
  readonly score: number;
  /** Of both texts when the pair was seen; another length since then means that one of them has merged. */
  readonly length: number;
}

/**
 * @param userDefined longest first; each stays whole and never merges
 * @param unknownIds the ids of one character that is no piece
 */
export function createBpe(
  { pieces }: Vocabulary,
  userDefined: readonly string[],
  unknownIds: (character: string) => readonly number[],
): Segmenter {
  const ids = new Map<string, number>();
  const unused = new Set<number>();
  for (const [id, { text, kind }] of pieces.entries()) {
    if (kind === 'normal' || kind === 'user-defined' || kind === 'unused') ids.set(text, id);
    if (kind === 'unused') unused.add(id);
  }

  return (text) => {
    const symbols = splitSymbols(text, userDefined);
    const texts = symbols.map((symbol) => symbol.text);
    const next = texts.map((_, index) => (index + 1 < texts.length ? index + 1 : -1));
    const before = texts.map((_, index) => index - 1);
    const parts = new Map<string, readonly [string, string]>();
    const agenda: Pair[] = [];

    function look(left: number, right: number): void {
      if (left < 0 || right < 0 || symbols[left]?.whole || symbols[right]?.whole) return;
      const joined = `${texts[left]}${texts[right]}`;
      const id = ids.get(joined);
      if (id === undefined) return;
      pushHeap(
        agenda,
        { left, right, id, score: pieces[id]?.score ?? 0, length: joined.length },
        precedes,
      );
      // A piece out of use may be passed through on the way to a longer one, but may not be the end.
      if (unused.has(id)) parts.set(joined, [texts[left] ?? '', texts[right] ?? '']);
    }

    for (let index = 0; index + 1 < texts.length; index++) look(index, index + 1);
    for (
      let pair = popHeap(agenda, precedes);
      pair !== undefined;
      pair = popHeap(agenda, precedes)
    ) {
      const { left, right } = pair;
      const [a = '', b = ''] = [texts[left], texts[right]];
      if (a === '' || b === '' || a.length + b.length !== pair.length) continue;
      texts[left] = a + b;
      texts[right] = '';
      const after = next[right] ?? -1;
      next[left] = after;
      if (after >= 0) before[after] = left;
      look(before[left] ?? -1, left);
      look(left, after);
    }

    const out: number[] = [];
    const emit = (piece: string): void => {
      const id = ids.get(piece);
      const split = id !== undefined && unused.has(id) ? parts.get(piece) : undefined;
      if (split !== undefined) for (const part of split) emit(part);
      else if (id === undefined || unused.has(id)) out.push(...unknownIds(piece));
      else out.push(id);
    };
    for (let index = 0; index >= 0 && index < texts.length; index = next[index] ?? -1) {
      emit(texts[index] ?? '');
    }
    return out;
  };
}

function splitSymbols(
  text: string,
  userDefined: readonly string[],
): { readonly text: string; readonly whole: boolean }[] {
  if (userDefined.length === 0) return [...text].map((one) => ({ text: one, whole: false }));
  const symbols = [];
  let at = 0;
  while (at < text.length) {
    const found = userDefined.find((symbol) => text.startsWith(symbol, at));
    const one = found ?? String.fromCodePoint(text.codePointAt(at) ?? 0);
    symbols.push({ text: one, whole: found !== undefined });
    at += one.length;
  }
  return symbols;
}

/** The higher score first; of equal ones the leftmost. */
function precedes(a: Pair, b: Pair): boolean {
  return a.score > b.score || (a.score === b.score && a.left < b.left);
}
