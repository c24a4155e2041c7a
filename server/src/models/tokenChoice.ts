/** Chooses each token of an answer: the likeliest or a drawn one, with tokens said lately made less likely. */
import type { LlamaContextSequence, LlamaModel } from 'node-llama-cpp';
import type { GenerationRequest } from '../core/ports.ts';
import { logProbOfChoice, PENALTY, PENALTY_WINDOW, penalisedTokens } from './repetition.ts';
import { type Choice, createTwoLooks, type TokenChoice } from './twoLooks.ts';

type Drawn = GenerationRequest['drawn'];

/** To be disposed after the last choice. */
export function createTokenChoice(
  model: LlamaModel,
  sequence: LlamaContextSequence,
  drawn: Drawn,
): TokenChoice {
  const quick = drawn === undefined ? createTwoLooks(model, sequence) : undefined;
  return quick ?? createOneLook(sequence, drawn);
}

/** The library's own way. */
export function createOneLook(sequence: LlamaContextSequence, drawn: Drawn): TokenChoice {
  return {
    async choose(input, said) {
      const last = input.at(-1);
      if (last === undefined) return undefined;
      const penalised = penalisedTokens(said);
      // The same seed at every token would draw the same place of every distribution.
      const choosing =
        drawn === undefined
          ? { temperature: 0 }
          : { temperature: drawn.temperature, seed: drawn.seed + said.length };
      const outputs = await sequence.controlledEvaluate([
        ...input.slice(0, -1),
        [
          last,
          {
            generateNext: {
              token: true,
              totalLogitWeight: true,
              ...(penalised.length === 0
                ? { options: choosing }
                : {
                    logits: { filter: { tokens: penalised, includeSelected: true } },
                    options: {
                      ...choosing,
                      repeatPenalty: {
                        punishTokens: penalised,
                        maxPunishTokens: PENALTY_WINDOW,
                        penalty: PENALTY,
                      },
                    },
                  }),
            },
          },
        ],
      ]);
      const next = outputs[input.length - 1]?.next;
      if (next?.token === undefined || next.token === null || next.totalLogitWeight === undefined)
        return undefined;
      const { token, totalLogitWeight, logits } = next;
      const logProb = logProbOfChoice({ token, totalLogitWeight, logits, penalised });
      return { token, logProb } satisfies Choice;
    },
    dispose: () => undefined,
  };
}
