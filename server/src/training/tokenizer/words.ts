/** Counts the words of a corpus in a stream: what training a tokenizer learns from. */
import { blocksOf, type TextFile } from '../textFiles.ts';
import { TrainingError } from '../trainingError.ts';
import { SPACE } from './pieces.ts';

export interface WordCounts {
  readonly words: ReadonlyMap<string, number>;
  readonly characters: ReadonlyMap<string, number>;
}

/** Spaces go with what follows them; letters, digits and the rest are learned apart, lines are never joined with words. */
const WORD = new RegExp(
  `${SPACE}*[\\p{L}\\p{M}]+|${SPACE}*\\p{N}+|${SPACE}*[^${SPACE}\\n\\p{L}\\p{M}\\p{N}]+|${SPACE}+|\\n+`,
  'gu',
);
/** A longer one (a data URI, a minified file) teaches nothing. */
const LONGEST_WORD = 64;

export async function countWords(
  files: readonly TextFile[],
  onProgress: (share: number) => void,
  signal: AbortSignal,
): Promise<WordCounts> {
  const words = new Map<string, number>();
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  let read = 0;
  for (const file of files) {
    let rest = '';
    let first = true;
    for await (const block of blocksOf(file, (bytes) => (read += bytes), signal)) {
      const text: string = (first ? ' ' : '') + rest + block.replaceAll('\r\n', '\n');
      first = false;
      const cut = Math.max(text.lastIndexOf(' '), text.lastIndexOf('\n'));
      count(words, text.slice(0, Math.max(cut, 0)));
      rest = text.slice(Math.max(cut, 0));
      onProgress(read / total);
    }
    count(words, rest);
  }
  const characters = new Map<string, number>();
  for (const [word, times] of words) {
    for (const character of word) {
      characters.set(character, (characters.get(character) ?? 0) + times);
    }
  }
  if (characters.size === 0) throw new TrainingError('expected words in the corpus, got none');
  return { words, characters };
}

function count(words: Map<string, number>, text: string): void {
  for (const [word] of text.replaceAll(' ', SPACE).matchAll(WORD)) {
    if (word.length > LONGEST_WORD) continue;
    words.set(word, (words.get(word) ?? 0) + 1);
  }
}

/** The most frequent characters that together are this share of the text; what is rarer is written in bytes. */
export function coveredCharacters(
  characters: ReadonlyMap<string, number>,
  share: number,
): readonly (readonly [string, number])[] {
  const sorted = [...characters].toSorted((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  const total = sorted.reduce((sum, [, times]) => sum + times, 0);
  let covered = 0;
  return sorted.filter(([character, times]) => {
    // Without a piece for the space, no word could begin with one.
    const wanted = covered < total * share || character === SPACE || character === '\n';
    covered += times;
    return wanted;
  });
}
