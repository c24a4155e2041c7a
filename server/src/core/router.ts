/**
 * The way of one prompt: decide, look in the cache, call the chosen model, check the local answer, defer or fall back,
 * record. Every edge reads the same events. Errors are values in the stream; what is thrown is a defect.
 */
import type { Decision, RouterEvent } from './answer.ts';
import { answerRouted } from './answerRouted.ts';
import { createAudit } from './audit.ts';
import type { Background } from './cloudCall.ts';
import { createAnswerMemory } from './conversation.ts';
import { createDecide, type DecideOptions, type RouterOptions } from './decide.ts';
import { decideTrimmed } from './decideTrimmed.ts';
import { type Failure, failure } from './errors.ts';
import type { SpendReport } from './ports.ts';
import { ZERO_USD } from './price.ts';
import type { Reason } from './reason.ts';
import { recordRefusal } from './record.ts';
import { createRecordsBehind } from './recordsBehind.ts';
import type { AnswerDeps } from './run.ts';
import type { Prompt } from './types.ts';
import { warmFor } from './warmFor.ts';
import { type WouldSend, wouldSend } from './wouldSend.ts';

export interface Router {
  /** Decides without generating or spending: the same computation as an answer's. */
  decide(prompt: Prompt, options?: DecideOptions): Promise<Decision>;
  /** Decides for a prompt that is still being written, and lets a local model that would answer it get ready meanwhile. */
  foresee(prompt: Prompt): Promise<Decision>;
  /** Answers. Ends with exactly one `answer-end` or `answer-failed`, soon after `signal` aborts too. */
  answer(prompt: Prompt, signal: AbortSignal): AsyncGenerator<RouterEvent, void>;
  /** What an answer would send off this machine. Decides and builds it; sends nothing. */
  wouldSend(prompt: Prompt): Promise<WouldSend>;
  /** This month's money, under the limits of the settings in force. */
  spend(): Promise<SpendReport>;
  /** Resolves when every answer that was handed out until now is recorded: a cached one is so a little after its end. */
  recorded(): Promise<void>;
  /** Resolves when cancelled streams are settled and audits are over; await it before the process ends. */
  idle(): Promise<void>;
}

export function createRouter(options: RouterOptions): Router {
  const { ports } = options;
  const memory = createAnswerMemory();
  const decide = decideTrimmed(createDecide({ ...options, memory }));
  const running = new Set<Promise<void>>();
  const inFlight = new Set<string>();
  const background: Background = {
    run(work) {
      const tracked = work.finally(() => running.delete(tracked));
      running.add(tracked);
    },
  };
  let answering = 0;
  const records = createRecordsBehind(ports.sleep, () => answering > 0);
  /** Prompts whose answer was handed out before its record was kept. */
  const recording = new Map<string, Promise<void>>();
  const deps: AnswerDeps = {
    ports,
    confidence: options.confidence,
    decide,
    background,
    behind(promptId, work) {
      const kept = records.keep(work);
      recording.set(promptId, kept);
      background.run(kept);
    },
    audit: createAudit(ports, background),
  };

  return {
    decide: async (prompt, decideOptions) => (await decide(prompt, decideOptions)).decision,
    async foresee(prompt) {
      const decided = await decide(prompt);
      warmFor(decided, ports);
      return decided.decision;
    },
    async *answer(prompt, signal) {
      if (inFlight.has(prompt.id)) {
        yield usedBefore(prompt.id);
        return;
      }
      inFlight.add(prompt.id);
      answering += 1;
      try {
        if (await ports.ledger.answered(prompt.id)) yield usedBefore(prompt.id);
        else yield* remembered(answerOnce(prompt, signal));
      } finally {
        answering -= 1;
        const kept = recording.get(prompt.id);
        if (kept === undefined) inFlight.delete(prompt.id);
        else void kept.finally(() => done(prompt.id));
      }
    },
    wouldSend: (prompt) => wouldSend(prompt, decide, ports),
    recorded: records.kept,
    async spend() {
      await records.kept();
      return await ports.ledger.spend({ monthlyNanoUsd: options.settings().monthlyBudgetNanoUsd });
    },
    async idle() {
      while (running.size > 0) await Promise.allSettled(running);
    },
  };

  function done(promptId: string): void {
    recording.delete(promptId);
    inFlight.delete(promptId);
  }

  /** So that the next prompt of the conversation knows who answered, whichever edge it comes by. */
  async function* remembered(events: AsyncGenerator<RouterEvent, void>) {
    for await (const event of events) {
      if (event.type === 'answer-end') memory.remember(event.result.text, event.result.modelId);
      yield event;
    }
  }

  async function* answerOnce(
    prompt: Prompt,
    signal: AbortSignal,
  ): AsyncGenerator<RouterEvent, void> {
    const startedMs = ports.clock.monotonicMs();
    const decided = await decide(prompt);
    if (decided.decision.kind === 'refused') {
      const { failure: refused, reason } = decided.decision;
      await recordRefusal(prompt, decided.decision, ports, startedMs);
      yield failedEvent(refused, reason);
      return;
    }
    yield { type: 'route-decided', route: decided.decision.route };
    yield* answerRouted(decided, decided.decision.route, deps, startedMs, signal);
  }
}

function usedBefore(promptId: string): RouterEvent {
  const message = `expected a new request id, got ${promptId}, which was used before`;
  return failedEvent(failure('duplicate_request', message), undefined);
}

/** A prompt that was turned away before any model was asked. */
function failedEvent(failed: Failure, reason: Reason | undefined): RouterEvent {
  return {
    type: 'answer-failed',
    failure: failed,
    reason,
    costNanoUsd: ZERO_USD,
    attempts: [],
  };
}
