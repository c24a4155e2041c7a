/** Answers of one model to checkable questions, as they are kept while a calibration runs and read again by a fit. */
import { z } from 'zod';
import { readJsonLines } from './outcomes.ts';

export const recordedAnswer = z.strictObject({
  /** Of the model that answered. */
  identity: z.string(),
  kind: z.string(),
  question: z.string(),
  text: z.string(),
  finish: z.enum(['stop', 'length', 'refusal']),
  /** Natural logarithms, one a token; empty for a model that tells none. */
  logProbs: z.array(z.number()),
  /** How much of its code parses, where there is code that can be parsed. */
  code: z.strictObject({ blocks: z.int(), broken: z.int() }).optional(),
  /** Of further samples with it; where the model's entry asks for some. */
  agreement: z.number().min(0).max(1).optional(),
  good: z.boolean(),
  /** The cloud model's answer to the same question, where it was measured. */
  cloudGood: z.boolean().optional(),
  latencyMs: z.number().optional(),
});

export type RecordedAnswer = z.infer<typeof recordedAnswer>;

/** The newest answer of a model to each question: a journal holds one again when the cloud's was measured, or two ran at once. */
export function readRecordedAnswers(path: string): RecordedAnswer[] {
  const newest = new Map<string, RecordedAnswer>();
  for (const answer of readJsonLines(path, recordedAnswer)) {
    newest.set(JSON.stringify([answer.identity, answer.question]), answer);
  }
  return [...newest.values()];
}
