/**
 * The classic bench of a router: the same prompts by the cheap model alone, by the cloud model alone, and routed. Every
 * answer goes the usual way, so money is held, settled and recorded; a cap ends the run.
 */
import type { AnswerResult } from '../core/answer.ts';
import { type Failure, failure } from '../core/errors.ts';
import { endsMeasuring } from '../core/paidAnswer.ts';
import { addUsd, ZERO_USD } from '../core/price.ts';
import type { Router } from '../core/router.ts';
import type { Constraints, NanoUsd, Prompt } from '../core/types.ts';
import { isRight } from './checkableQuestions.ts';
import type { KeyedPrompt } from './keyedPrompts.ts';
import type { ModeAnswer, ModeRow } from './modeFigures.ts';
import { createSandbox } from './sandbox.ts';

export interface BenchDeps {
  readonly router: Pick<Router, 'answer'>;
  readonly newId: () => string;
}

export interface BenchOptions {
  readonly prompts: readonly KeyedPrompt[];
  /** What all answers together may cost. */
  readonly capNanoUsd: NanoUsd;
  /** The limit that routed prompts are given. */
  readonly latencyMs: number | undefined;
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
}

export interface BenchRun {
  /** Prompts that every mode has answered. */
  readonly rows: readonly ModeRow[];
  /** Prompts that a mode could not answer, for a cause of their own. */
  readonly leftOut: number;
  readonly paidNanoUsd: NanoUsd;
  readonly cancelled: boolean;
  /** What ended the run before the last prompt. */
  readonly stopped?: Failure;
}

const MAX_OUTPUT_TOKENS = 256;
/**
 * A prompt is routed so many prompts after it was asked of the cheap model alone: a local model that still holds what it
 * read would answer the second time at once.
 */
const LAG = 3;

type Outcome =
  | { readonly kind: 'answered'; readonly answer: ModeAnswer }
  | { readonly kind: 'failed'; readonly failure: Failure };

export async function benchModes(deps: BenchDeps, options: BenchOptions): Promise<BenchRun> {
  const { prompts, signal, capNanoUsd, latencyMs } = options;
  const runTests = createSandbox(signal);
  const rows: ModeRow[] = [];
  const alone = new Map<number, Pick<ModeRow, 'cheap' | 'cloud'>>();
  let paid = ZERO_USD;
  let leftOut = 0;
  const result = (stopped?: Failure): BenchRun => ({
    rows,
    leftOut,
    paidNanoUsd: paid,
    cancelled: signal.aborted,
    ...(stopped === undefined || signal.aborted ? {} : { stopped }),
  });

  for (let at = 0; at < prompts.length + LAG; at += 1) {
    const [now, before] = [prompts[at], prompts[at - LAG]];
    const firsts = alone.get(at - LAG);
    options.onProgress?.({ done: at, total: prompts.length + LAG });
    if (now !== undefined) {
      const cheap = await ask(now, { forceModel: { tier: 'cheap' } });
      const cloud =
        cheap.kind === 'failed' ? cheap : await ask(now, { forceModel: { tier: 'escalation' } });
      if (cheap.kind === 'answered' && cloud.kind === 'answered') {
        alone.set(at, { cheap: cheap.answer, cloud: cloud.answer });
      } else if (cloud.kind === 'failed') {
        if (signal.aborted || endsMeasuring(cloud.failure)) return result(cloud.failure);
        leftOut += 1;
      }
    }
    if (before !== undefined && firsts !== undefined) {
      const routed = await ask(before, latencyMs === undefined ? {} : { maxLatencyMs: latencyMs });
      if (routed.kind === 'answered') rows.push({ ...firsts, routed: routed.answer });
      else if (signal.aborted || endsMeasuring(routed.failure)) return result(routed.failure);
      else leftOut += 1;
    }
  }
  options.onProgress?.({ done: 1, total: 1 });
  return result();

  async function ask({ text, question }: KeyedPrompt, wants: Constraints): Promise<Outcome> {
    const maxCostNanoUsd = Math.max(0, capNanoUsd - paid) as NanoUsd;
    const prompt: Prompt = {
      id: deps.newId(),
      text,
      context: [],
      history: [],
      constraints: { ...wants, maxCostNanoUsd, maxOutputTokens: MAX_OUTPUT_TOKENS },
      sessionId: 'bench',
      useCache: false,
      isMeasurement: true,
    };
    for await (const event of deps.router.answer(prompt, signal)) {
      if (event.type === 'answer-failed') {
        paid = addUsd(paid, event.costNanoUsd);
        return { kind: 'failed', failure: event.failure };
      }
      if (event.type !== 'answer-end') continue;
      const { result: answered } = event;
      paid = addUsd(paid, answered.costNanoUsd);
      const short = shortOfMoney(answered);
      if (short !== undefined) return { kind: 'failed', failure: short };
      const right = question && (await isRight(answered.text, question, runTests));
      return {
        kind: 'answered',
        answer: {
          right,
          costNanoUsd: answered.costNanoUsd,
          latencyMs: answered.timing.latencyMs,
          served: answered.served,
        },
      };
    }
    throw new Error('expected an answer to end with its result or a failure, got neither');
  }
}

/** An answer that only the lack of money made local says nothing of the routing. */
function shortOfMoney({ reason }: AnswerResult): Failure | undefined {
  if (reason.code === 'cost_limit') {
    return failure('cost_limit', 'the cap does not cover the next answer; raise --max-cost-usd');
  }
  return reason.code === 'budget_exhausted'
    ? failure('budget_exhausted', 'the budget does not cover the next answer; raise it')
    : undefined;
}
