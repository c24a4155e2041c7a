/**
 * One generation on one sequence: reads the prompt in slices short enough to look at the abort between them, its shared beginning
 * perhaps from another sequence's work, then writes token by token, greedily unless a sample is to be drawn, keeping the log-probability of each. Whatever happens, the sequence is usable afterwards.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { LlamaContextSequence, LlamaModel, Token } from 'node-llama-cpp';
import type { GenerationRequest, TokenLogProb } from '../core/ports.ts';
import { hasStop } from '../core/stopSequences.ts';
import type { FinishReason } from '../core/types.ts';
import { createAnswerText } from './answerText.ts';
import type { ChatPrompt, ChatPrompts } from './chatPrompt.ts';
import type { SharedPrefixes } from './generationPrefix.ts';
import type { GenerationStats } from './hostProtocol.ts';
import { isLooping } from './repetition.ts';
import { createTokenChoice } from './tokenChoice.ts';
import type { Choice, TokenChoice } from './twoLooks.ts';

export interface GenerationTask {
  readonly model: LlamaModel;
  readonly sequence: LlamaContextSequence;
  readonly prefixes: SharedPrefixes;
  readonly pace: ReadingPace;
  readonly chat: ChatPrompts;
  readonly prompt: ChatPrompt;
  readonly maxOutputTokens: number;
  readonly thoughtTokens: number;
  readonly drawn?: GenerationRequest['drawn'];
  readonly stop?: GenerationRequest['stop'];
  readonly signal: AbortSignal;
  readonly onReading: (share: number) => void;
  readonly onText: (text: string, logProbs: readonly TokenLogProb[]) => void;
}

/** A prompt, or the beginning of one, that a sequence is to have read. */
type Reading = Pick<GenerationTask, 'sequence' | 'prefixes' | 'pace' | 'signal' | 'onReading'> & {
  readonly tokens: readonly Token[];
  /** How many of the first ones do not depend on what was asked. */
  readonly sharedTokens: number;
  /** The last slice may be left, to be evaluated along with the choice of the first token. */
  readonly leavesLast: boolean;
};

/** How many tokens one slice of a prompt may have; learned from slice to slice, and kept with the loaded model. */
export interface ReadingPace {
  sliceTokens: number;
}

export interface GenerationOutcome {
  readonly finish: FinishReason;
  readonly stats: GenerationStats;
  readonly thoughtTokens: number;
  readonly logProbs: readonly TokenLogProb[];
}

/** What one slice of the prompt should take: an abort waits for the slice at hand. */
const SLICE_MS = 100;
/** Small, for a large model may take that long for them. */
export const FIRST_SLICE_TOKENS = 8;
const LONGEST_SLICE_TOKENS = 256;
/** A character of UTF-8 spans at most four bytes, hence four tokens; more means that the model wrote rubbish. */
const LONGEST_CHARACTER_TOKENS = 4;

/** Resolves to `undefined` when the signal aborted. */
export async function generate(task: GenerationTask): Promise<GenerationOutcome | undefined> {
  const begun = performance.now();
  const { tokens, sharedTokens } = task.prompt;
  // The last token is evaluated by the choice that follows it.
  const reading = { ...task, tokens: tokens.slice(0, -1), sharedTokens, leavesLast: true };
  const reusedTokens = await readTokens(reading);
  if (reusedTokens === undefined) return undefined;
  const choosing = createTokenChoice(task.model, task.sequence, task.drawn);
  const written = await writeAnswer(task, choosing).finally(choosing.dispose);
  if (written === undefined) return undefined;
  const { outputTokens, firstTokenAt, ...outcome } = written;
  const stats = {
    promptTokens: task.prompt.tokens.length,
    reusedTokens,
    outputTokens,
    readingMs: firstTokenAt - begun,
    writingMs: performance.now() - firstTokenAt,
  };
  return { ...outcome, stats };
}

/** Returns how many tokens need no evaluation, because theirs was there; `undefined` when the signal aborted. */
export async function readTokens(task: Reading): Promise<number | undefined> {
  const { sequence, tokens, sharedTokens, leavesLast, signal, pace } = task;
  const shared = tokens.slice(0, sharedTokens);
  const onRead = (count: number) => task.onReading(Math.min(1, count / tokens.length));
  let evaluated = 0;

  async function evaluate(until: number, onSlice: (count: number) => void): Promise<void> {
    for (let at = sequence.nextTokenIndex; at < until; at = sequence.nextTokenIndex) {
      if (signal.aborted) return;
      const size = pace.sliceTokens;
      const needsStop = at < shared.length && sequence.needsCheckpoints;
      if (leavesLast && until === tokens.length && !needsStop && until - at < size) return;
      // Recurrent models can go back to a checkpoint only, so one is left where the next prompt will part from this one.
      const stop = needsStop ? shared.length : until;
      const slice = tokens.slice(at, Math.min(at + size, stop));
      const begun = performance.now();
      await sequence.evaluateWithoutGeneratingNewTokens(slice);
      evaluated += slice.length;
      if (sequence.nextTokenIndex === shared.length) await sequence.takeCheckpoint();
      const perToken = (performance.now() - begun) / slice.length;
      const fitting = Math.floor(SLICE_MS / perToken);
      pace.sliceTokens = Math.max(1, Math.min(LONGEST_SLICE_TOKENS, size * 2, fitting));
      onSlice(sequence.nextTokenIndex);
    }
  }

  await sequence.adaptStateToTokens([...tokens], false);
  onRead(0);
  await task.prefixes.reach({
    sequence,
    tokens: shared,
    signal,
    evaluate: async (onSlice) => await evaluate(shared.length, onSlice),
    onRead,
  });
  await evaluate(tokens.length, onRead);
  const left = tokens.length - sequence.nextTokenIndex;
  return signal.aborted ? undefined : tokens.length - evaluated - left;
}

type Written = Omit<GenerationOutcome, 'stats'> & {
  readonly outputTokens: number;
  readonly firstTokenAt: number;
};

async function writeAnswer(
  task: GenerationTask,
  tokens: TokenChoice,
): Promise<Written | undefined> {
  const { model, chat, prompt, signal, stop = [] } = task;
  const answer = createAnswerText(prompt.markers);
  const textOf = createDetokenizer(model, chat, prompt.tokens);
  const logProbs: TokenLogProb[] = [];
  const said: Token[] = [];
  let thoughtTokens = 0;
  let firstTokenAt = performance.now();

  const finish = async (reason: FinishReason): Promise<Written> => {
    // The sequence is free only when nothing is evaluated on it any more. The answer is whole, whatever becomes of that.
    await next.catch(() => undefined);
    give(answer.flush());
    return { finish: reason, outputTokens: said.length, firstTokenAt, thoughtTokens, logProbs };
  };
  let told = 0;
  let written = '';
  const give = (pieces: readonly TokenLogProb[]) => {
    logProbs.push(...pieces);
    const text = pieces.map((piece) => piece.text).join('');
    if (text === '') return;
    written += text;
    task.onText(text, logProbs.slice(told));
    told = logProbs.length;
  };
  const choose = (input: readonly Token[]) => {
    const choosing = tokens.choose(input, said);
    // Awaited a little later; until then a failure is nobody's.
    choosing.catch(() => undefined);
    return choosing;
  };

  let next: Promise<Choice | undefined> = choose(prompt.tokens.slice(task.sequence.nextTokenIndex));
  while (said.length < task.maxOutputTokens) {
    const choice = await next;
    if (signal.aborted) return undefined;
    if (said.length === 0) {
      firstTokenAt = performance.now();
      task.onReading(1);
    }
    if (choice === undefined || model.isEogToken(choice.token)) return await finish('stop');
    said.push(choice.token);
    const isLast = said.length >= task.maxOutputTokens;
    if (!isLast) {
      // While the next token is evaluated, which the library begins in the next turn, this one is put into words and told.
      next = choose([choice.token]);
      await nextTurn();
    }
    if (answer.inThought()) thoughtTokens += 1;
    const { released, stopped } = answer.push({
      text: textOf(choice.token),
      logProb: choice.logProb,
    });
    give(released);
    if (stopped || hasStop(written, stop)) return await finish('stop');
    if (isLooping(said)) return await finish('length');

    if (!isLast && answer.inThought() && thoughtTokens >= task.thoughtTokens) {
      // What it would have thought next is dropped; its last token is evaluated by then.
      await next;
      const closing = chat.closingTokens.slice(0, task.maxOutputTokens - said.length);
      said.push(...closing);
      thoughtTokens += closing.length;
      answer.closeThought();
      if (closing.length > 0 && said.length < task.maxOutputTokens) next = choose(closing);
    }
  }
  return await finish('length');
}

/** Text of each token in turn. A character whose bytes are spread over tokens comes whole, with the last of them. */
function createDetokenizer(
  model: LlamaModel,
  chat: ChatPrompts,
  promptTokens: readonly Token[],
): (token: Token) => string {
  let before = promptTokens.slice(-8);
  let pending: Token[] = [];
  return (token) => {
    const marker = chat.markerTexts.get(token);
    if (marker !== undefined) {
      pending = [];
      before = [token];
      return marker;
    }
    pending.push(token);
    const text = model.detokenize(pending, false, before);
    if (text.endsWith('\uFFFD') && pending.length < LONGEST_CHARACTER_TOKENS) return '';
    before = [...before, ...pending].slice(-8);
    pending = [];
    return text;
  };
}
