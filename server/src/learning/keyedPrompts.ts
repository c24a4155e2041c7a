/**
 * Prompts with an answer key, as `eval cascade` and `bench modes` read them. A line is what `models/checkable.jsonl` holds
 * (`prompt` may stand for `question`, `task` for `kind`), and may add what a cloud model made of it earlier:
 *   "cloud": {"text": its answer, "cost_usd": what it cost}   checked by the same key
 *   "strong_NAME": 0..1                                       judged already
 */
import { z } from 'zod';
import { nanoUsdFromDollars } from '../core/price.ts';
import { MAX_PROMPT_CHARS } from '../core/schema.ts';
import type { NanoUsd } from '../core/types.ts';
import { type CheckableQuestion, questionSchema } from './checkableQuestions.ts';

/** A cloud model's answer from before: its text, or how good it was found. */
export interface RecordedCloud {
  readonly text?: string;
  readonly quality?: number;
  readonly costNanoUsd?: NanoUsd;
}

export interface KeyedPrompt {
  readonly text: string;
  /** `undefined` where the line has no key, so that no answer can be judged. */
  readonly question: CheckableQuestion | undefined;
  readonly cloud: RecordedCloud | undefined;
}

const lineSchema = z.looseObject({
  prompt: z.string().max(MAX_PROMPT_CHARS).optional(),
  question: z.string().max(MAX_PROMPT_CHARS).optional(),
  kind: z.string().optional(),
  task: z.string().optional(),
  cloud: z
    .strictObject({ text: z.string(), cost_usd: z.number().min(0).max(1_000_000).optional() })
    .optional(),
});

const KEYS = ['accept', 'unlessFirst', 'choice', 'option', 'text', 'tests'] as const;
const KEYS_TEXT = 'accept, choice, text or tests';

/** The prompt of a line, or what is wrong with it. */
export function keyedPromptOf(value: Readonly<Record<string, unknown>>): KeyedPrompt | string {
  const parsed = lineSchema.safeParse(value);
  if (!parsed.success) return issueText(parsed.error);
  const { prompt, question: asked, kind, task, cloud, ...rest } = parsed.data;
  const text = prompt ?? asked;
  if (text === undefined || text.trim() === '') {
    return 'expected a text in the field prompt (or question), got none';
  }
  const strong = Object.entries(rest).find(([name]) => name.startsWith('strong_'))?.[1];
  if (strong !== undefined && !(typeof strong === 'number' && strong >= 0 && strong <= 1)) {
    return 'expected strong_NAME to be a number in [0,1], got something else';
  }
  const recorded = recordedOf(cloud, strong);
  const key = Object.fromEntries(
    KEYS.flatMap((name) => (name in rest ? [[name, rest[name]]] : [])),
  );
  if (Object.keys(key).length === 0) return { text, question: undefined, cloud: recorded };
  const question = questionSchema.safeParse({
    kind: kind ?? task ?? 'all',
    question: text,
    ...key,
  });
  if (!question.success) {
    return `expected an answer key that can be checked (${KEYS_TEXT}; see docs/ROUTING.md), got one of another shape`;
  }
  const { data } = question;
  if ('text' in data && data.text.matches !== undefined && !isPattern(data.text.matches)) {
    return 'expected text.matches to be a regular expression, got one that does not parse';
  }
  return { text, question: data, cloud: recorded };
}

function recordedOf(
  cloud: z.infer<typeof lineSchema>['cloud'],
  strong: number | undefined,
): RecordedCloud | undefined {
  if (cloud === undefined && strong === undefined) return undefined;
  return {
    ...(cloud === undefined ? {} : { text: cloud.text }),
    ...(strong === undefined ? {} : { quality: strong }),
    ...(cloud?.cost_usd === undefined ? {} : { costNanoUsd: nanoUsdFromDollars(cloud.cost_usd) }),
  };
}

function isPattern(text: string): boolean {
  try {
    return new RegExp(text, 'i') instanceof RegExp;
  } catch {
    return false;
  }
}

function issueText({ issues }: z.ZodError): string {
  const [issue] = issues;
  return `expected a prompt with its answer key: ${issue?.path.join('.') ?? 'the line'}: ${issue?.message ?? 'not as expected'}`;
}
