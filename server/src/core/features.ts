/**
 * What can be told from a prompt in microseconds: hashes of its words, sizes, and a few counts of its shape.
 * Pure, and bounded: a text is read up to `READ_HEAD` + `READ_TAIL` characters, however long it is.
 */
import type { Prompt } from './types.ts';

/** `follow-up`: too short to stand alone, so it is judged by the work that it follows. */
export type Asked = 'question' | 'instruction' | 'follow-up' | 'nothing';

/** Counts over the part of the text that was read. */
export interface Shape {
  readonly words: number;
  /** Words of nine letters and more: rarer words, mostly. */
  readonly longWords: number;
  readonly numbers: number;
  readonly symbols: number;
  readonly lines: number;
  /** Words that relate steps or amounts: if, each, twice, remaining, then, … A problem of many steps has many. */
  readonly relations: number;
  /** Different words that name code, mathematics or reasoning: what small models are furthest behind in. */
  readonly demands: number;
}

export interface Features {
  /** Signed 32-bit hashes of the distinct 1- and 2-grams and of the marks of structure. A scorer folds them into its buckets. */
  readonly grams: Int32Array;
  /**
   * Tokens by the rule of four characters each; good for comparing, not for money.
   * Of a follow-up, the work that it follows is counted too.
   */
  readonly textTokens: number;
  readonly contextTokens: number;
  readonly historyTokens: number;
  /** Of the attached code, or of the first fenced block in the text; lower case. */
  readonly codeLanguage: string | undefined;
  /** Attached code, and code in fences of the text. */
  readonly codeTokens: number;
  readonly asked: Asked;
  readonly shape: Shape;
}

const HASH_SEED = 0x811c9dc5 | 0;
const READ_HEAD = 6_000;
const READ_TAIL = 2_000;
const CHARACTERS_PER_TOKEN = 4;
const STEM_LETTERS = 5;
/** A text with fewer words is no task of its own when a conversation precedes it. */
const FOLLOW_UP_WORDS = 6;
/** Up to here it is none either when it points back: "do the same for the second one, but without it". */
const POINTING_BACK_WORDS = 20;
const POINTING_WORDS: ReadonlySet<number> = wordHashes(
  'it its them they those same again instead continue proceed ones shorter longer previous',
);
/** Thanks are no work, whatever work they follow. */
const CLOSING_WORDS: ReadonlySet<number> = wordHashes('thanks thank thx bye danke merci gracias');
const RELATION_WORDS: ReadonlySet<number> = wordHashes(
  'if then each every all some more less fewer than twice half times before after between only remaining remains rest total altogether and also finally first second next unless until',
);
/** Our own choice, from what the fields are called; singular and plural where both are usual. */
const DEMAND_WORDS: ReadonlySet<number> = wordHashes(
  'function functions method methods class classes variable variables array arrays string strings integer integers loop loops recursion recursive code coding program programs script python javascript typescript java rust golang cpp sql html css react regex api json query database schema compile compiler parser algorithm algorithms implement implementation refactor debug bug exception async thread threads concurrency mutex pointer server endpoint docker git unit test tests def return import const var int bool void struct ' +
    'prove proof derive equation equations theorem integral derivative matrix vector probability polynomial divisible prime remainder square triangle angle radius area volume calculate compute solve factor logarithm ' +
    'analyze analyse evaluate compare contrast justify optimise optimize strategy architecture design deduce infer logical puzzle step steps reasoning hypothesis critique',
);
const QUESTION_WORDS = new Set(
  'what why how when where which who whose is are does do did can could should would will'.split(
    ' ',
  ),
);

export function featuresOf(prompt: Pick<Prompt, 'text' | 'context' | 'history'>): Features {
  const mostRead = READ_HEAD + READ_TAIL;
  const grams = createGrams(
    Math.min(prompt.text.length, mostRead) + (prompt.history.length === 0 ? 0 : mostRead),
  );
  const shape = readText(prompt.text, grams);
  const isFollowUp = prompt.history.length > 0 && followsUp(prompt, shape);
  const work = isFollowUp
    ? prompt.history.findLast((turn) => turn.role === 'user' && isWork(turn.text))
    : undefined;
  // The words of the work count as if it had been asked again.
  if (work !== undefined) {
    const followed = readText(work.text, grams);
    shape.relations += followed.relations;
    shape.demands += followed.demands;
  }
  const contextTokens = sum(prompt.context.map((part) => tokens(part.text)));
  const codeLanguage = languageOf(prompt);
  for (const part of prompt.context) grams.add(hashOf(`context:${part.kind}`));
  if (codeLanguage !== undefined) {
    grams.add(hashOf('code'));
    grams.add(hashOf(`code:${codeLanguage}`));
  }
  const textTokens = tokens(prompt.text) + tokens(work?.text ?? '');
  grams.add(hashOf(`text-size:${magnitude(textTokens)}`));
  const asked = askedBy(prompt.text, shape, isFollowUp);
  grams.add(hashOf(`asked:${asked}`));
  return {
    grams: grams.take(),
    textTokens,
    contextTokens,
    historyTokens: sum(prompt.history.map((turn) => tokens(turn.text))),
    codeLanguage,
    codeTokens: codeTokensOf(prompt),
    asked,
    shape,
  };
}

/** The hash under which a lower-case word stands in `Features.grams`. */
export function wordHash(word: string): number {
  return hashOf(word);
}

interface Grams {
  /** Whether it is a new one. */
  add(hash: number): boolean;
  take(): Int32Array;
}

/** Kinds of characters for the one pass over the text. */
const SPACE = 0;
const LETTER = 1;
const DIGIT = 2;
const SYMBOL = 3;
/** Scripts without spaces between words: every character is a word. */
const IDEOGRAPH = 4;

/** Hashes the words of a text into `grams` and counts its shape. */
function readText(text: string, grams: Grams): { -readonly [count in keyof Shape]: Shape[count] } {
  const shape = {
    words: 0,
    longWords: 0,
    numbers: 0,
    symbols: 0,
    lines: 1,
    relations: 0,
    demands: 0,
  };
  const skipFrom = text.length > READ_HEAD + READ_TAIL ? READ_HEAD : text.length;
  const skipTo = text.length > READ_HEAD + READ_TAIL ? text.length - READ_TAIL : text.length;
  let previous = FIRST;
  let at = 0;
  while (at < text.length) {
    if (at >= skipFrom && at < skipTo) {
      at = skipTo;
      previous = FIRST;
    }
    const start = at;
    const kind = kindOf(text.charCodeAt(at));
    let hash = HASH_SEED;
    if (kind === SPACE) {
      if (text.charCodeAt(at) === NEWLINE) shape.lines += 1;
      at += 1;
      continue;
    }
    if (kind === LETTER) {
      let stem = 0;
      while (at < text.length && kindOf(text.charCodeAt(at)) === LETTER) {
        hash = mix(hash, lowerCase(text.charCodeAt(at)));
        at += 1;
        if (at - start === STEM_LETTERS) stem = hash;
      }
      // Summary, summarise and summing-up begin alike.
      if (at - start > STEM_LETTERS) grams.add(mix(stem, STEM_MARK));
      shape.words += 1;
      if (RELATION_WORDS.has(hash)) shape.relations += 1;
      if (at - start >= 9) shape.longWords += 1;
    } else if (kind === DIGIT) {
      while (at < text.length && kindOf(text.charCodeAt(at)) === DIGIT) at += 1;
      // The size of a number says something of the task, its digits do not.
      hash = mix(mix(hash, DIGIT_MARK), Math.min(at - start, 4));
      shape.numbers += 1;
    } else if (kind === SYMBOL) {
      const symbol = text.charCodeAt(at);
      // A rule of dashes is one symbol, not eighty.
      while (at < text.length && text.charCodeAt(at) === symbol) at += 1;
      hash = mix(hash, symbol);
      shape.symbols += 1;
    } else {
      hash = mix(hash, text.charCodeAt(at));
      at += 1;
      shape.words += 1;
    }
    if (grams.add(hash) && DEMAND_WORDS.has(hash)) shape.demands += 1;
    grams.add(mix(mix(previous, PAIR_MARK), hash));
    previous = hash;
  }
  if (previous !== FIRST) grams.add(mix(mix(previous, PAIR_MARK), LAST));
  return shape;
}

function kindOf(code: number): number {
  if (code < 128) {
    const lower = code | 32;
    if (lower >= 97 && lower <= 122) return LETTER;
    if (code >= 48 && code <= 57) return DIGIT;
    return code <= 32 || code === 127 ? SPACE : SYMBOL;
  }
  if (code < 0xc0) return code === 0xa0 ? SPACE : SYMBOL;
  if (code >= 0x2000 && code < 0x2e80) return code < 0x200c || code === 0x2028 ? SPACE : SYMBOL;
  return code >= 0x2e80 && code < 0xd800 ? IDEOGRAPH : LETTER;
}

function lowerCase(code: number): number {
  if (code < 128) return code >= 65 && code <= 90 ? code + 32 : code;
  // Latin-1, Greek and Cyrillic capitals; other scripts with case are rare enough to be two words.
  if ((code >= 0xc0 && code <= 0xde) || (code >= 0x391 && code <= 0x3a9)) return code + 32;
  if (code >= 0x410 && code <= 0x42f) return code + 32;
  return code;
}

const NEWLINE = 10;
const DIGIT_MARK = 0x10000;
const PAIR_MARK = 0x10001;
const STEM_MARK = 0x10002;
/** Stands before the first and after the last word, so that how a text begins and ends counts too. */
const FIRST = 0x2f6b3a91;
const LAST = 0x51ab77e3;

/** One step of FNV-1a, on 32 bits. */
function mix(hash: number, value: number): number {
  return Math.imul(hash ^ value, 0x01000193);
}

function wordHashes(words: string): ReadonlySet<number> {
  return new Set(words.split(' ').map(hashOf));
}

function hashOf(text: string): number {
  let hash = HASH_SEED;
  for (let at = 0; at < text.length; at += 1) hash = mix(hash, text.charCodeAt(at));
  return hash;
}

/**
 * Collects distinct hashes. The table is shared by all calls (they never overlap, as nothing here waits) and is
 * emptied by moving to a new stamp, which is what keeps a decision in microseconds.
 */
const TABLE_SIZE = 1 << 16;
/** For marks of structure, which are no characters. */
const SPARE_SLOTS = 64;
const tableHashes = new Int32Array(TABLE_SIZE);
const tableStamps = new Int32Array(TABLE_SIZE);
const found = new Int32Array(TABLE_SIZE);
let stamp = 0;

/** @param characters the most that will be read; a short text gets a beginning of the table, which stays in the cache */
function createGrams(characters: number): Grams {
  // A character adds two hashes at most, so that half of the slots stay free.
  const slots = Math.min(TABLE_SIZE, 2 ** Math.ceil(Math.log2(4 * characters + SPARE_SLOTS)));
  const mask = slots - 1;
  stamp = (stamp + 1) | 0;
  const mine = stamp;
  let count = 0;
  return {
    add(hash) {
      // Both ends of the 32 bits take part, as the low bits alone cluster.
      let slot = (hash ^ (hash >>> 15)) & mask;
      while (tableStamps[slot] === mine) {
        if (tableHashes[slot] === hash) return false;
        slot = (slot + 1) & mask;
      }
      tableStamps[slot] = mine;
      tableHashes[slot] = hash;
      found[count] = hash;
      count += 1;
      return true;
    },
    take: () => found.slice(0, count),
  };
}

function askedBy(text: string, shape: Shape, isFollowUp: boolean): Asked {
  if (isFollowUp) return 'follow-up';
  if (shape.words + shape.numbers + shape.symbols === 0) return 'nothing';
  if (text.trimEnd().endsWith('?')) return 'question';
  const first = text.trimStart().slice(0, 8).toLowerCase().split(' ', 1)[0] ?? '';
  return QUESTION_WORDS.has(first) ? 'question' : 'instruction';
}

function followsUp({ text, context }: Pick<Prompt, 'text' | 'context'>, shape: Shape): boolean {
  if (shape.words >= POINTING_BACK_WORDS) return false;
  const words = (text.toLowerCase().match(/\p{L}+/gu) ?? []).map(hashOf);
  if (words.some((word) => CLOSING_WORDS.has(word))) return false;
  if (shape.words < FOLLOW_UP_WORDS) return true;
  // What points at attached code points there, not back.
  return context.length === 0 && words.some((word) => POINTING_WORDS.has(word));
}

function codeTokensOf({ text, context }: Pick<Prompt, 'text' | 'context'>): number {
  const attached = context.map((part) => (part.language === undefined ? 0 : tokens(part.text)));
  return sum(attached) + tokens(fencedCode(text));
}

function fencedCode(text: string): string {
  if (!text.includes('```')) return '';
  // Every second piece between fences is code.
  return text
    .split('```')
    .filter((_, at) => at % 2 === 1)
    .join('');
}

function isWork(text: string): boolean {
  let words = 0;
  for (let at = 0; at < text.length && words < FOLLOW_UP_WORDS; at += 1) {
    const startsWord = at === 0 || kindOf(text.charCodeAt(at - 1)) !== LETTER;
    const kind = kindOf(text.charCodeAt(at));
    if (kind === IDEOGRAPH || (kind === LETTER && startsWord)) words += 1;
  }
  return words >= FOLLOW_UP_WORDS;
}

function languageOf(prompt: Pick<Prompt, 'text' | 'context'>): string | undefined {
  const attached = prompt.context.find((part) => part.language !== undefined)?.language;
  if (attached !== undefined) return attached.toLowerCase();
  const fence = prompt.text.slice(0, READ_HEAD).indexOf('```');
  if (fence < 0) return undefined;
  const line = prompt.text.slice(fence + 3, fence + 23).split('\n', 1)[0] ?? '';
  const name = line.trim().toLowerCase();
  return name === '' || name.includes(' ') ? 'unknown' : name;
}

/** Halvings of a size: prompts of 100 and of 120 tokens are alike, of 10 and of 30 are not. */
function magnitude(count: number): number {
  return Math.round(Math.log2(1 + count));
}

function tokens(text: string): number {
  return Math.ceil(text.length / CHARACTERS_PER_TOKEN);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
