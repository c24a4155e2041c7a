/**
 * Signs that an answer failed, read off the answer itself, and what each is worth in logits. The weights are a judgement:
 * short test answers hardly ever show these signs. Pure.
 */
import { z } from 'zod';
import { codeIsBalanced } from './codeBalance.ts';
import type { CodeCheck } from './ports.ts';
import type { FinishReason } from './types.ts';

export const signWeightsSchema = z.strictObject({
  empty: z.number(),
  refused: z.number(),
  /** For an answer that is nothing but repetition; in proportion below that. */
  repeated: z.number(),
  truncated: z.number(),
  /** Brackets left open, where nothing parsed the code. */
  unbalanced: z.number(),
  /** For an answer none of whose code parses; in proportion to the blocks that do not. */
  broken: z.number().default(-1.5),
});

export type SignWeights = z.infer<typeof signWeightsSchema>;

/** What the signs are read off. */
export interface SignedAnswer {
  readonly text: string;
  readonly finish: FinishReason;
  /** Absent where nothing parsed the code in the answer. */
  readonly code?: CodeCheck | undefined;
  /** The answer is still growing: what a finished one lacks is no sign yet. @default false */
  readonly growing?: boolean | undefined;
}

export interface SignStep {
  readonly name: string;
  readonly logits: number;
  readonly detail: string;
}

/** What the signs of failure alone say, in logits; the fit takes them as given. */
export function signLogits(answer: SignedAnswer, weights: SignWeights): number {
  return signSteps(answer, weights).reduce((sum, step) => sum + step.logits, 0);
}

export function signSteps(answer: SignedAnswer, weights: SignWeights): SignStep[] {
  const signs = signsOf(answer);
  const steps: SignStep[] = [];
  if (signs.empty) steps.push({ name: 'empty', logits: weights.empty, detail: 'no text' });
  if (signs.refused) {
    steps.push({ name: 'refused', logits: weights.refused, detail: 'declines to answer' });
  }
  if (signs.repeated > 0) {
    steps.push({
      name: 'repeated',
      logits: weights.repeated * signs.repeated,
      detail: `${Math.round(signs.repeated * 100)} % repeats itself`,
    });
  }
  if (signs.truncated) {
    steps.push({ name: 'truncated', logits: weights.truncated, detail: 'cut by the output cap' });
  }
  if (signs.broken > 0) {
    steps.push({
      name: 'broken',
      logits: weights.broken * signs.broken,
      detail: `${Math.round(signs.broken * 100)} % of its code does not parse`,
    });
  }
  if (signs.unbalanced) {
    steps.push({ name: 'unbalanced', logits: weights.unbalanced, detail: 'brackets left open' });
  }
  return steps;
}

interface Signs {
  readonly empty: boolean;
  readonly refused: boolean;
  /** Share of the answer that repeats itself, in [0,1]. */
  readonly repeated: number;
  readonly truncated: boolean;
  /** Share of the blocks of code that do not parse. */
  readonly broken: number;
  readonly unbalanced: boolean;
}

function signsOf({ text, finish, code, growing = false }: SignedAnswer): Signs {
  const parsed = code !== undefined && code.blocks > 0;
  return {
    empty: !growing && text.trim() === '',
    refused: finish === 'refusal' || opensWithRefusal(text),
    repeated: repeatedShare(text),
    truncated: !growing && finish === 'length',
    broken: parsed ? code.broken / code.blocks : 0,
    unbalanced: !growing && !parsed && !codeIsBalanced(text),
  };
}

const REFUSALS = [
  "i can't help",
  "i can't assist",
  "i can't provide",
  'i cannot help',
  'i cannot assist',
  'i cannot provide',
  "i'm sorry",
  'i am sorry',
  "i'm unable",
  'i am unable',
  "i'm not able",
  'i am not able',
  'as an ai',
  "i don't have access",
  'i do not have access',
  "i don't know",
  'i do not know',
];
/** Refusals come at once; later the same words are content. */
const REFUSAL_WITHIN = 120;

function opensWithRefusal(text: string): boolean {
  const opening = text.slice(0, REFUSAL_WITHIN).toLowerCase().replaceAll('’', "'");
  return REFUSALS.some((phrase) => opening.includes(phrase));
}

const RUN_OF_WORDS = 4;
/** Text and tables repeat a little without fault. */
const HARMLESS_REPETITION = 0.2;
const MOST_WORDS = 4_000;

/** Share of the runs of four words that came before. */
function repeatedShare(text: string): number {
  const words = text.split(/\s+/, MOST_WORDS).filter((word) => word !== '');
  const runs = words.length - RUN_OF_WORDS + 1;
  if (runs < 2 * RUN_OF_WORDS) return 0;
  const seen = new Set<string>();
  for (let at = 0; at < runs; at += 1) seen.add(words.slice(at, at + RUN_OF_WORDS).join(' '));
  const repeated = 1 - seen.size / runs;
  return repeated <= HARMLESS_REPETITION ? 0 : repeated;
}
