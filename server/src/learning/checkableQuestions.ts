/**
 * Short prompts of our own whose answers can be checked without a judge (`models/checkable.jsonl`, MIT like the project):
 * a word has to occur, a letter to be chosen, a text to fit, or a function to pass its tests.
 */
import { z } from 'zod';
import { readJsonLines } from './outcomes.ts';

const asked = { kind: z.string(), question: z.string() };

const textRule = z.strictObject({
  /** All of these occur, with their case. */
  include: z.array(z.string()).optional(),
  /** None of these occurs, with its case. */
  exclude: z.array(z.string()).optional(),
  /** The whole answer is one of these, quotes and a full stop aside. */
  equals: z.array(z.string()).optional(),
  /** A regular expression, without regard to case. */
  matches: z.string().optional(),
  maxWords: z.int().positive().optional(),
});

export const questionSchema = z.union([
  z.strictObject({
    ...asked,
    /** Any of these; one with a capital letter must match it. */
    accept: z.array(z.string()).min(1),
    /** Wrong choices that the question names itself: one before the right word makes the answer bad. */
    unlessFirst: z.array(z.string()).optional(),
  }),
  z.strictObject({ ...asked, choice: z.enum(['A', 'B', 'C', 'D']), option: z.string().optional() }),
  z.strictObject({ ...asked, text: textRule }),
  z.strictObject({
    ...asked,
    /** JavaScript expressions over what the answer defines; each has to be `true`. */
    tests: z.array(z.string()).min(1),
  }),
]);

export type CheckableQuestion = z.infer<typeof questionSchema>;

/** Runs the code of an answer against its tests; `undefined` where there is no safe way to run it. */
export type RunTests = (code: string, tests: readonly string[]) => Promise<boolean | undefined>;

/** Further on, a rambling answer would contain almost anything. */
const LOOK_WITHIN = 200;

export function readCheckableQuestions(path: string | URL): CheckableQuestion[] {
  return readJsonLines(path, questionSchema);
}

/** Whether the answer is right; `undefined` where that can't be told. */
export async function isRight(
  answer: string,
  question: CheckableQuestion,
  runTests: RunTests,
): Promise<boolean | undefined> {
  if ('tests' in question) return await runTests(codeIn(answer), question.tests);
  if ('choice' in question) return choiceIn(answer, question.question) === question.choice;
  if ('text' in question) return textFits(answer, question.text);
  const opening = answer.slice(0, LOOK_WITHIN);
  const found = firstOf(opening, question.accept);
  return found >= 0 && !(firstOf(opening.slice(0, found), question.unlessFirst ?? []) >= 0);
}

/** The first fenced block, or the whole answer where nothing is fenced. */
function codeIn(answer: string): string {
  const [, block] = answer.split('```');
  if (block === undefined) return answer;
  const lineEnd = block.indexOf('\n');
  return lineEnd < 0 ? block : block.slice(lineEnd + 1);
}

/** The letter at the beginning, or else of the option whose text is named first. */
function choiceIn(answer: string, question: string): string | undefined {
  const opening = answer.slice(0, LOOK_WITHIN);
  const said = /^\W*(?:(?:the )?(?:correct )?(?:answer|option)(?: is)?\W*)?([A-D])(?:[).:,\n*]|$)/i;
  const letter = said.exec(opening.trim())?.[1];
  if (letter !== undefined) return letter.toUpperCase();
  const options = [...question.matchAll(/^([A-D])\) (.+)$/gm)].map(([, name = '', text = '']) => ({
    name,
    at: firstOf(opening, [text.toLowerCase()]),
  }));
  return options.filter(({ at }) => at >= 0).toSorted((a, b) => a.at - b.at)[0]?.name;
}

function textFits(answer: string, rule: z.infer<typeof textRule>): boolean {
  const text = answer.trim();
  const bare = text.replace(/^["'`]|["'`.]+$/g, '');
  const words = text.split(/\s+/).length;
  return (
    text !== '' &&
    (rule.include ?? []).every((part) => text.includes(part)) &&
    !(rule.exclude ?? []).some((part) => text.includes(part)) &&
    (rule.equals === undefined || rule.equals.includes(bare)) &&
    (rule.matches === undefined || new RegExp(rule.matches, 'i').test(text)) &&
    (rule.maxWords === undefined || words <= rule.maxWords)
  );
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
