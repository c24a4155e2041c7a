/**
 * Learns a unigram vocabulary: begins with many frequent stretches of words, fits their probabilities by expectation
 * maximisation, and takes away those that are missed least, until the vocabulary is as small as wanted.
 * After Kudo 2018, "Subword Regularization", https://arxiv.org/abs/1804.10959
 */
import { setImmediate as breathe } from 'node:timers/promises';
import { type LearningOptions, LONGEST_PIECE } from './trainBpe.ts';

export interface ScoredText {
  readonly text: string;
  /** Natural logarithm of its probability. */
  readonly score: number;
}

const SEEDS_PER_PIECE = 8;
const ROUNDS_OF_FITTING = 2;
/** Of what is kept in each round of taking away. */
const KEPT_SHARE = 0.75;
/** A piece that is expected less often than this is not worth a place. */
const LEAST_EXPECTED = 0.5;

type Scores = Map<string, number>;

/** @returns at most `wanted` pieces, every character of the alphabet among them */
export async function learnUnigram(
  counts: ReadonlyMap<string, number>,
  alphabet: ReadonlySet<string>,
  { wanted, onProgress, signal }: LearningOptions,
): Promise<readonly ScoredText[]> {
  const words = [...counts].flatMap(([word, times]) =>
    splitByAlphabet(word, alphabet).map((part) => [[...part], times] as const),
  );
  let scores = seeds(words, alphabet, wanted * SEEDS_PER_PIECE);
  const began = scores.size;
  for (;;) {
    for (let round = 0; round < ROUNDS_OF_FITTING; round++) {
      scores = fitted(words, scores, alphabet);
      await breathe();
      signal.throwIfAborted();
    }
    if (scores.size <= wanted) break;
    onProgress((began - scores.size) / Math.max(1, began - wanted));
    scores = takeAway(words, scores, alphabet, Math.max(wanted, scores.size * KEPT_SHARE));
  }
  return [...scores]
    .map(([text, score]) => ({ text, score: Math.fround(score) }))
    .toSorted((a, b) => b.score - a.score || (a.text < b.text ? -1 : 1));
}

type Words = readonly (readonly [readonly string[], number])[];

function splitByAlphabet(word: string, alphabet: ReadonlySet<string>): readonly string[] {
  const parts = [''];
  for (const one of word) {
    if (alphabet.has(one)) parts[parts.length - 1] += one;
    else parts.push('');
  }
  return parts.filter((part) => part !== '');
}

function seeds(words: Words, alphabet: ReadonlySet<string>, most: number): Scores {
  const times = new Map<string, number>();
  for (const [letters, count] of words) {
    for (let start = 0; start < letters.length; start++) {
      let text = '';
      for (let end = start; end < Math.min(letters.length, start + LONGEST_PIECE); end++) {
        text += letters[end];
        times.set(text, (times.get(text) ?? 0) + count);
      }
    }
  }
  const single = (text: string) => alphabet.has(text);
  const longer = [...times]
    .filter(([text, count]) => !single(text) && count > 1)
    .toSorted(([a, m], [b, n]) => n * b.length - m * a.length || (a < b ? -1 : 1))
    .slice(0, most);
  const chosen = [...[...times].filter(([text]) => single(text)), ...longer];
  const total = chosen.reduce((sum, [text, count]) => sum + count * text.length, 0);
  return new Map(chosen.map(([text, count]) => [text, Math.log((count * text.length) / total)]));
}

/** One round: how often each piece is expected over all ways to cut each word, and from that its probability. */
function fitted(words: Words, scores: Scores, alphabet: ReadonlySet<string>): Scores {
  const expected = new Map<string, number>();
  for (const [letters, times] of words) expect(letters, times, scores, expected);
  const kept = [...scores.keys()].filter(
    (text) => alphabet.has(text) || (expected.get(text) ?? 0) >= LEAST_EXPECTED,
  );
  const amount = (text: string) => Math.max(expected.get(text) ?? 0, LEAST_EXPECTED / 10);
  const total = kept.reduce((sum, text) => sum + amount(text), 0);
  return new Map(kept.map((text) => [text, Math.log(amount(text) / total)]));
}

function expect(
  letters: readonly string[],
  times: number,
  scores: Scores,
  expected: Map<string, number>,
): void {
  const edges = edgesOf(letters, scores);
  const forward = new Float64Array(letters.length + 1).fill(Number.NEGATIVE_INFINITY);
  const backward = new Float64Array(letters.length + 1).fill(Number.NEGATIVE_INFINITY);
  forward[0] = 0;
  backward[letters.length] = 0;
  for (const { start, end, score } of edges) {
    forward[end] = logAdd(forward[end] ?? 0, (forward[start] ?? 0) + score);
  }
  for (const { start, end, score } of edges.toReversed()) {
    backward[start] = logAdd(backward[start] ?? 0, (backward[end] ?? 0) + score);
  }
  const all = forward[letters.length] ?? 0;
  for (const { text, start, end, score } of edges) {
    const share = Math.exp((forward[start] ?? 0) + score + (backward[end] ?? 0) - all);
    expected.set(text, (expected.get(text) ?? 0) + times * share);
  }
}

interface Edge {
  readonly text: string;
  readonly start: number;
  readonly end: number;
  readonly score: number;
}

/** Every piece at every place of a word, by its start. */
function edgesOf(letters: readonly string[], scores: Scores): readonly Edge[] {
  const edges: Edge[] = [];
  for (let start = 0; start < letters.length; start++) {
    let text = '';
    for (let end = start + 1; end <= Math.min(letters.length, start + LONGEST_PIECE); end++) {
      text += letters[end - 1];
      const score = scores.get(text);
      if (score !== undefined) edges.push({ text, start, end, score });
    }
  }
  return edges;
}

function logAdd(a: number, b: number): number {
  if (a === Number.NEGATIVE_INFINITY) return b;
  const [more, less] = a > b ? [a, b] : [b, a];
  return more + Math.log1p(Math.exp(less - more));
}

/** Keeps the pieces without which the words would become the least likely. */
function takeAway(
  words: Words,
  scores: Scores,
  alphabet: ReadonlySet<string>,
  keep: number,
): Scores {
  const used = new Map<string, number>();
  for (const [letters, times] of words) {
    for (const { text } of bestCut(letters, scores)) {
      used.set(text, (used.get(text) ?? 0) + times);
    }
  }
  const longer = [...scores].filter(([text]) => !alphabet.has(text));
  const worth = longer.map(([text, score]) => {
    const without = bestCut([...text], scores, text).reduce((sum, edge) => sum + edge.score, 0);
    return { text, score, loss: (used.get(text) ?? 0) * (score - without) };
  });
  const kept = worth
    .toSorted((a, b) => b.loss - a.loss || (a.text < b.text ? -1 : 1))
    .slice(0, Math.max(0, Math.floor(keep) - (scores.size - longer.length)));
  return new Map([
    ...[...scores].filter(([text]) => alphabet.has(text)),
    ...kept.map(({ text, score }) => [text, score] as const),
  ]);
}

function bestCut(letters: readonly string[], scores: Scores, without?: string): readonly Edge[] {
  const best = new Float64Array(letters.length + 1).fill(Number.NEGATIVE_INFINITY);
  const last: Edge[] = [];
  best[0] = 0;
  for (const edge of edgesOf(letters, scores)) {
    if (edge.text === without) continue;
    const total = (best[edge.start] ?? 0) + edge.score;
    if (total <= (best[edge.end] ?? 0)) continue;
    best[edge.end] = total;
    last[edge.end] = edge;
  }
  const cut: Edge[] = [];
  for (let edge = last[letters.length]; edge !== undefined; edge = last[edge.start]) cut.push(edge);
  return cut;
}
