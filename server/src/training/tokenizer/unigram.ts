/** The unigram model of SentencePiece: of all ways to cut a text the likeliest, found by Viterbi's algorithm. */
import type { Segmenter } from './encode.ts';
import type { Vocabulary } from './pieces.ts';

/** How much below the least likely piece a character is that is none; from `unigram_model.cc`. */
const UNKNOWN_PENALTY = 10;

/** @param unknownIds the ids of one character that is no piece */
export function createUnigram(
  { pieces }: Vocabulary,
  unknownIds: (character: string) => readonly number[],
): Segmenter {
  const ids = new Map<string, number>();
  const normal = pieces.filter(({ kind }) => kind === 'normal').map(({ score }) => score);
  const least = normal.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const most = normal.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const unknownScore = Math.fround(least - UNKNOWN_PENALTY);
  let longest = 1;
  const scores = pieces.map(({ text, kind, score }, id) => {
    if (kind !== 'normal' && kind !== 'user-defined') return 0;
    ids.set(text, id);
    longest = Math.max(longest, text.length);
    return kind === 'user-defined' ? Buffer.byteLength(text) * most - 0.1 : score;
  });

  return (text) => {
    const best = new Float64Array(text.length + 1).fill(Number.NEGATIVE_INFINITY);
    const from = new Int32Array(text.length + 1).fill(-1);
    const chosen = new Int32Array(text.length + 1).fill(-1);
    best[0] = 0;
    for (let start = 0; start < text.length; ) {
      const one = (text.codePointAt(start) ?? 0) > 0xffff ? 2 : 1;
      const soFar = best[start] ?? 0;
      let single = false;
      const reach = (end: number, id: number, score: number) => {
        // SentencePiece compares in 64 bits with what it keeps in 32; ties fall as that rounding falls.
        const total = soFar + score;
        if (from[end] !== -1 && total <= (best[end] ?? 0)) return;
        best[end] = Math.fround(total);
        from[end] = start;
        chosen[end] = id;
      };
      const most = Math.min(text.length, start + longest);
      for (let end = start + one; end <= most; end++) {
        const id = ids.get(text.slice(start, end));
        if (id === undefined) continue;
        reach(end, id, scores[id] ?? 0);
        if (end === start + one) single = true;
      }
      if (!single) reach(start + one, -1, unknownScore);
      start += one;
    }
    const out: number[][] = [];
    for (let end = text.length; end > 0; end = from[end] ?? 0) {
      const id = chosen[end] ?? -1;
      out.push(id >= 0 ? [id] : [...unknownIds(text.slice(from[end], end))]);
    }
    return out.reverse().flat();
  };
}
