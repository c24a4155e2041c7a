/** Short questions of our own whose answers can be checked without a judge: one of a few strings has to occur. */
import { z } from 'zod';
import { readJsonLines } from './outcomes.ts';

const questionSchema = z.strictObject({
  kind: z.string(),
  question: z.string(),
  /** Any of these; one with a capital letter must match it. */
  accept: z.array(z.string()).min(1),
});

export type CheckableQuestion = z.infer<typeof questionSchema>;

/** Further on, a rambling answer would contain almost anything. */
const LOOK_WITHIN = 200;

export function readCheckableQuestions(): CheckableQuestion[] {
  return readJsonLines(new URL('./checkableQuestions.jsonl', import.meta.url), questionSchema);
}

export function isAccepted(answer: string, accept: readonly string[]): boolean {
  const opening = answer.slice(0, LOOK_WITHIN);
  const lower = opening.toLowerCase();
  return accept.some((wanted) =>
    containsWhole(wanted === wanted.toLowerCase() ? lower : opening, wanted),
  );
}

/** As a word of its own: 9 is not in 19, and t is not in don't. */
function containsWhole(text: string, wanted: string): boolean {
  for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + 1)) {
    const [before, after] = [text[at - 1] ?? ' ', text[at + wanted.length] ?? ' '];
    const isDecimal = after === '.' && /\d/.test(text[at + wanted.length + 1] ?? '');
    if (!isWordLike(before) && !isWordLike(after) && !isDecimal) return true;
  }
  return false;
}

function isWordLike(character: string): boolean {
  return /[\p{L}\p{N}'’]/u.test(character);
}
