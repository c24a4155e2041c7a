/** What programs that watch this one may know of a prompt: models, counts, money and times; of its text nothing, not even a hash. */
import type { Attempt } from './answer.ts';
import type { AnswerRecord } from './ports.ts';
import type { Tier } from './types.ts';

export interface EndedPrompt
  extends Pick<
    AnswerRecord,
    | 'promptId'
    | 'atMs'
    | 'modelId'
    | 'served'
    | 'status'
    | 'usage'
    | 'costNanoUsd'
    | 'savings'
    | 'timing'
    | 'score'
    | 'confidence'
  > {
  /** A reason's code, or a failure's where nothing answered. */
  readonly reasonCode: string;
  /** Of the model that answered. */
  readonly tier: Tier | undefined;
  readonly attempts: readonly Attempt[];
}

/** Told of every prompt when it has ended. What it throws costs nobody an answer. */
export type Observer = (prompt: EndedPrompt) => void;

export function endedPrompt(
  record: AnswerRecord,
  attempts: readonly Attempt[],
  tier: Tier | undefined,
): EndedPrompt {
  const { promptId, atMs, modelId, served, status, usage, costNanoUsd, savings } = record;
  const { timing, score, confidence } = record;
  const [reasonCode = ''] = record.reason.split('(');
  const money = { costNanoUsd, savings };
  const said = { promptId, atMs, modelId, served, status, usage, timing, score, confidence };
  return { ...said, ...money, reasonCode, tier, attempts };
}
