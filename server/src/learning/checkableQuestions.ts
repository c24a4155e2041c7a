/** Short questions of our own whose answers can be checked without a judge: one of a few strings has to occur. */
import { z } from 'zod';
import { readJsonLines } from './outcomes.ts';

const questionSchema = z.strictObject({
  kind: z.string(),
  question: z.string(),
  /** Any of these; one with a capital letter must match it. */
  accept: z.array(z.string()).min(1),
  /** Wrong choices that the question names itself: one before the right word makes the answer bad. */
  unlessFirst: z.array(z.string()).optional(),
});

export type CheckableQuestion = z.infer<typeof questionSchema>;

/** Further on, a rambling answer would contain almost anything. */
const LOOK_WITHIN = 200;

export function readCheckableQuestions(): CheckableQuestion[] {
  return readJsonLines(new URL('./checkableQuestions.jsonl', import.meta.url), questionSchema);
}

export function isAccepted(answer: string, question: CheckableQuestion): boolean {
  const opening = answer.slice(0, LOOK_WITHIN);
  const found = firstOf(opening, question.accept);
  return found >= 0 && !(firstOf(opening.slice(0, found), question.unlessFirst ?? []) >= 0);
}

/** Where the first of the words stands, or -1. */
function firstOf(text: string, words: readonly string[]): number {
  const lower = text.toLowerCase();
  const places = words
    .map((word) => placeOf(word === word.toLowerCase() ? lower : text, word))
    .filter((place) => place >= 0);
  return places.length === 0 ? -1 : Math.min(...places);
}

/** As a word of its own: 9 is not in 19, and t is not in don't. */
function placeOf(text: string, word: string): number {
  for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + 1)) {
    const after = at + word.length;
    const isDecimal = text[after] === '.' && /\d/.test(text[after + 1] ?? '');
    if (!isWordLike(text[at - 1]) && !isWordLike(text[after]) && !isDecimal) return at;
  }
  return -1;
}

function isWordLike(character: string | undefined): boolean {
  return character !== undefined && /[\p{L}\p{N}'’]/u.test(character);
}
