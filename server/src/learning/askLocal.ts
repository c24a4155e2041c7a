/** Asks a local model one checkable question and checks what it answers. */
import { agreementWith } from '../core/agreement.ts';
import type { Failure } from '../core/errors.ts';
import type { CheckCode, Clock, ModelPort } from '../core/ports.ts';
import { generationRequest } from '../core/request.ts';
import type { LocalModel } from '../core/types.ts';
import { type CheckableQuestion, isRight, type RunTests } from './checkableQuestions.ts';
import type { RecordedAnswer } from './recordedAnswers.ts';

export interface AskLocalDeps {
  readonly local: ModelPort;
  readonly clock: Clock;
  readonly checkCode: CheckCode;
}

const MAX_OUTPUT_TOKENS = 160;

export type Asked =
  | { readonly kind: 'answered'; readonly answer: RecordedAnswer }
  | { readonly kind: 'unchecked' }
  | { readonly kind: 'failed'; readonly failure: Failure };

export async function askLocal(
  { local, checkCode, clock }: AskLocalDeps,
  model: LocalModel,
  identity: string,
  question: CheckableQuestion,
  runTests: RunTests,
  signal: AbortSignal,
): Promise<Asked> {
  const prompt = { text: question.question, context: [], history: [] };
  const request = generationRequest(prompt, model, MAX_OUTPUT_TOKENS);
  let startedMs = clock.monotonicMs();
  let text = '';
  for await (const event of local.generate(model, request, signal)) {
    // Loading the file is no part of what an answer takes.
    if (event.type === 'progress' && text === '') startedMs = clock.monotonicMs();
    if (event.type === 'text-delta') text += event.text;
    if (event.type === 'failed') return { kind: 'failed', failure: event.failure };
    if (event.type !== 'end') continue;
    const latencyMs = Math.round(clock.monotonicMs() - startedMs);
    const good = await isRight(text, question, runTests);
    if (good === undefined) return { kind: 'unchecked' };
    const code = await checkCode(text);
    const agreement = await agreementWith(text, local, model, request, signal);
    const { finish, logProbs = [] } = event;
    return {
      kind: 'answered',
      answer: {
        identity,
        kind: question.kind,
        question: question.question,
        text,
        // Nothing was offered to be called.
        finish: finish === 'tool-calls' ? 'stop' : finish,
        logProbs: logProbs.map(({ logProb }) => Number(logProb.toFixed(4))),
        ...(code === undefined ? {} : { code }),
        ...(agreement === undefined ? {} : { agreement }),
        good,
        latencyMs,
      },
    };
  }
  throw new Error('expected the answer to end, got an end of the stream');
}
