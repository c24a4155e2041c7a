/**
 * The rules that a fitted score has to beat: luck, length, and a list of words. They know nothing of models or tasks,
 * and are kept selectable so that every claim can be checked against them.
 */
import { type Features, wordHash } from './features.ts';

export type BaselineStrategy = 'random' | 'length' | 'keywords';

/** In [0,1]; higher asks for the escalation tier. */
export function baselineScore(strategy: BaselineStrategy, features: Features): number {
  switch (strategy) {
    case 'random':
      return randomOf(features);
    case 'length':
      return lengthScore(features.textTokens + features.contextTokens);
    case 'keywords':
      return keywordScore(features);
  }
}

/** ln(1 + tokens) of a prompt of about 8,000 tokens. */
const LONGEST = 9;

export function lengthScore(tokens: number): number {
  return Math.min(1, Math.log(1 + tokens) / LONGEST);
}

/** The kind of words that rule-based routers look for, in our own choice. */
const HARD_WORDS = wordsOf(
  'analyze analyse architecture algorithm design debug derive implement optimize optimise plan proof prove refactor strategy trade compare evaluate integral equation theorem complexity concurrency migration step reasoning calculate probability function code',
);
const EASY_WORDS = wordsOf(
  'summarize summarise rewrite rephrase translate hello hi thanks shorten spelling grammar list define name email',
);

function wordsOf(words: string): ReadonlySet<number> {
  return new Set(words.split(' ').map(wordHash));
}

function keywordScore(features: Features): number {
  let balance = 0;
  for (const gram of features.grams) {
    if (HARD_WORDS.has(gram)) balance += 1;
    else if (EASY_WORDS.has(gram)) balance -= 1;
  }
  return 1 / (1 + Math.exp(-balance));
}

/** Luck, but the same luck for the same prompt, so that a replay decides alike. */
function randomOf(features: Features): number {
  let state = features.textTokens;
  for (const gram of features.grams) state = Math.imul(state ^ gram, 0x5bd1e995);
  state ^= state >>> 15;
  state = Math.imul(state, 0x2c1b3c6d);
  return ((state ^ (state >>> 12)) >>> 0) / 2 ** 32;
}
