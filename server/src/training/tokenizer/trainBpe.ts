/** Learns which neighbours to merge: always the most frequent pair of all words, until the vocabulary is full. */
import { setImmediate as breathe } from 'node:timers/promises';
import { popHeap, pushHeap } from '../priorityHeap.ts';

export interface LearningOptions {
  readonly wanted: number;
  readonly onProgress: (share: number) => void;
  readonly signal: AbortSignal;
}

interface Word {
  symbols: number[];
  readonly times: number;
}

/** As SentencePiece has it. */
export const LONGEST_PIECE = 16;
const BREATHE_EVERY = 64;
/** @returns the merged texts in the order in which they were learned; fewer than wanted when the words give no more */
export async function learnMerges(
  counts: ReadonlyMap<string, number>,
  alphabet: ReadonlySet<string>,
  { wanted, onProgress, signal }: LearningOptions,
): Promise<readonly string[]> {
  const texts: string[] = [];
  const ids = new Map<string, number>();
  const symbolOf = (text: string): number => {
    const known = ids.get(text);
    if (known !== undefined) return known;
    ids.set(text, texts.length);
    return texts.push(text) - 1;
  };
  const words: Word[] = [];
  for (const [word, times] of counts) {
    // What has no piece breaks a word; -1 pairs with nothing.
    const symbols = [...word].map((one) => (alphabet.has(one) ? symbolOf(one) : -1));
    words.push({ symbols, times });
  }
  // A pair is one number, kept as small as may be: maps of small whole numbers are several times as fast.
  const pairs = new PairCounts(texts, alphabet.size + wanted + 1);
  for (const [index, word] of words.entries()) pairs.add(word, index, 1);
  pairs.offerChanged();

  const learned: string[] = [];
  while (learned.length < wanted) {
    const best = pairs.takeBest();
    if (best === undefined) break;
    const [left, right] = best.symbols;
    const text = `${texts[left]}${texts[right]}`;
    const isNew = !ids.has(text);
    const merged = symbolOf(text);
    for (const index of best.words) {
      const word = words[index];
      if (word === undefined) continue;
      pairs.add(word, index, -1);
      word.symbols = merge(word.symbols, left, right, merged);
      pairs.add(word, index, 1);
    }
    pairs.offerChanged();
    if (!isNew) continue;
    learned.push(text);
    if (learned.length % BREATHE_EVERY === 0) {
      onProgress(learned.length / wanted);
      await breathe();
      signal.throwIfAborted();
    }
  }
  return learned;
}

function merge(symbols: readonly number[], left: number, right: number, merged: number): number[] {
  const out: number[] = [];
  for (let at = 0; at < symbols.length; at++) {
    if (symbols[at] === left && symbols[at + 1] === right) {
      out.push(merged);
      at += 1;
    } else out.push(symbols[at] ?? -1);
  }
  return out;
}

interface Offer {
  readonly pair: number;
  readonly times: number;
}

/** How often each pair stands side by side, and which one the most; counts change, so old offers are looked at again. */
class PairCounts {
  readonly #texts: readonly string[];
  readonly #stride: number;
  readonly #times = new Map<number, number>();
  readonly #words = new Map<number, Set<number>>();
  readonly #changed = new Set<number>();
  readonly #offers: Offer[] = [];

  constructor(texts: readonly string[], stride: number) {
    this.#texts = texts;
    this.#stride = stride;
  }

  add({ symbols, times }: Word, index: number, sign: 1 | -1): void {
    for (let at = 0; at + 1 < symbols.length; at++) {
      const [left = -1, right = -1] = [symbols[at], symbols[at + 1]];
      if (left < 0 || right < 0) continue;
      const length = (this.#texts[left]?.length ?? 0) + (this.#texts[right]?.length ?? 0);
      if (length > LONGEST_PIECE) continue;
      const pair = left * this.#stride + right;
      this.#times.set(pair, (this.#times.get(pair) ?? 0) + sign * times);
      if (sign > 0) {
        const holders = this.#words.get(pair);
        if (holders === undefined) this.#words.set(pair, new Set([index]));
        else holders.add(index);
      }
      this.#changed.add(pair);
    }
  }

  offerChanged(): void {
    for (const pair of this.#changed) {
      const times = this.#times.get(pair) ?? 0;
      if (times > 0) pushHeap(this.#offers, { pair, times }, this.#before);
      else {
        this.#times.delete(pair);
        this.#words.delete(pair);
      }
    }
    this.#changed.clear();
  }

  takeBest():
    | { readonly symbols: readonly [number, number]; readonly words: ReadonlySet<number> }
    | undefined {
    for (;;) {
      const offer = popHeap(this.#offers, this.#before);
      if (offer === undefined) return undefined;
      if (this.#times.get(offer.pair) !== offer.times) continue;
      const words = new Set(this.#words.get(offer.pair));
      return { symbols: [Math.floor(offer.pair / this.#stride), offer.pair % this.#stride], words };
    }
  }

  /** The more frequent first; of equal ones the shorter, then the one seen first, so that a corpus gives one vocabulary. */
  readonly #before = (a: Offer, b: Offer): boolean => {
    if (a.times !== b.times) return a.times > b.times;
    const [x, y] = [this.#length(a.pair), this.#length(b.pair)];
    return x === y ? a.pair < b.pair : x < y;
  };

  #length(pair: number): number {
    const left = this.#texts[Math.floor(pair / this.#stride)];
    return (left?.length ?? 0) + (this.#texts[pair % this.#stride]?.length ?? 0);
  }
}
