/**
 * The greedy choice of a token, with tokens said lately made less likely, for little more than a choice without that.
 *
 * The library looks once at what an evaluation yields. To tell the unpenalised probability of its choice, it then has to seek every
 * penalised token among all the others, which took a tenth of a small model's time. Here the first look is free of penalties; only
 * where the likeliest token is a penalised one, a second look at the same evaluation tells the likeliest of the others. One of these
 * two is the choice, because the penalty keeps the order of those on which it falls.
 *
 * For that, parts of the library are used that its types keep to themselves. A version that lacks one of them gives
 * `undefined`, and the choice is then made the library's way.
 */
import type { LlamaContextSequence, LlamaModel, Token } from 'node-llama-cpp';
import { z } from 'zod';
import { penalisedLogit, penalisedTokens } from './repetition.ts';

export interface Choice {
  readonly token: Token;
  /** Natural logarithm of the probability that the unpenalised model gave to it. */
  readonly logProb: number;
}

export interface TokenChoice {
  /** Evaluates `input` and chooses the token after it; `undefined` where there is none. */
  choose(input: readonly Token[], said: readonly Token[]): Promise<Choice | undefined>;
  dispose(): void;
}

/** How far tokens are moved down that shall not be seen; a power of two, so that hardly any digit of theirs is lost. */
const OUT_OF_SIGHT = 64;
const GREEDY = { temperature: 0 };
/** The library's usual one. */
const PRIORITY = 5;

type Look = readonly [
  token: Token,
  probabilities: undefined,
  confidence: undefined,
  /** Token and logit in turns. */
  logits: readonly number[] | undefined,
  totalLogitWeight: number | undefined,
];

interface Sampler {
  applyConfig(config: object): void;
  dispose(): void;
}

interface NativeContext {
  sampleToken(
    at: number,
    sampler: Sampler,
    probabilities: false,
    confidence: false,
    logits: false | readonly [Token[], false, false, selected: boolean, top: 0],
    totalLogitWeight: boolean,
  ): Promise<Look>;
}

type Decode = (
  tokens: readonly Token[],
  withLogits: readonly boolean[],
  priority: number,
  meter: unknown,
  shift: unknown,
  look: (at: number) => Promise<Choice | undefined>,
  afterBatch: unknown,
) => Promise<readonly (Choice | undefined)[]>;

const isFunction = (value: unknown) => typeof value === 'function';
const partsSchema = z.object({
  decode: z.custom<Decode>(isFunction),
  afterBatch: z.custom(isFunction),
  shift: z.object({ size: z.unknown(), strategy: z.unknown() }),
  native: z.custom<NativeContext>((value) => isFunction(partOf(value, 'sampleToken'))),
  Sampler: z.custom<new (model: object) => Sampler>(isFunction),
  nativeModel: z.custom<object>((value) => typeof value === 'object' && value !== null),
});

function partOf(of: unknown, name: string): unknown {
  return typeof of === 'object' && of !== null ? Reflect.get(of, name) : undefined;
}

export function createTwoLooks(
  model: LlamaModel,
  sequence: LlamaContextSequence,
): TokenChoice | undefined {
  const parts = partsSchema.safeParse({
    decode: partOf(sequence, '_decodeTokens'),
    afterBatch: partOf(sequence, '_takeIntervalCheckpointIfNeededAfterBatch'),
    shift: partOf(sequence, '_contextShift'),
    native: partOf(sequence.context, '_ctx'),
    Sampler: partOf(partOf(model.llama, '_bindings'), 'AddonSampler'),
    nativeModel: partOf(model, '_model'),
  }).data;
  if (parts === undefined) return undefined;
  const { decode, afterBatch, shift, native, Sampler, nativeModel } = parts;
  const sampler = new Sampler(nativeModel);

  async function look(at: number, penalised: readonly Token[]): Promise<Choice | undefined> {
    sampler.applyConfig(GREEDY);
    const [likeliest, , , , weight] = await native.sampleToken(
      at,
      sampler,
      false,
      false,
      false,
      true,
    );
    if (likeliest < 0 || weight === undefined) return undefined;
    // The likeliest token's own weight in the sum is 1.
    const logProb = -Math.log(weight);
    return penalised.includes(likeliest)
      ? await lookPast(at, { token: likeliest, logProb }, penalised)
      : { token: likeliest, logProb };
  }

  /** Chooses between the likeliest token, which is a penalised one, and the likeliest of those that are not. */
  async function lookPast(
    at: number,
    likeliest: Choice,
    penalised: readonly Token[],
  ): Promise<Choice | undefined> {
    sampler.applyConfig({
      ...GREEDY,
      tokenBiasKeys: Uint32Array.from(penalised),
      tokenBiasValues: new Float32Array(penalised.length).fill(-OUT_OF_SIGHT),
    });
    const [other, , , pairs = []] = await native.sampleToken(
      at,
      sampler,
      false,
      false,
      [[likeliest.token], false, false, true, 0],
      false,
    );
    const hidden = logitIn(pairs, likeliest.token);
    const otherLogit = logitIn(pairs, other);
    if (hidden === undefined || otherLogit === undefined) return undefined;
    const greatest = hidden + OUT_OF_SIGHT;
    return other === likeliest.token || penalisedLogit(greatest) >= otherLogit
      ? likeliest
      : { token: other, logProb: likeliest.logProb + otherLogit - greatest };
  }

  return {
    async choose(input, said) {
      const last = input.length - 1;
      const penalised = penalisedTokens(said);
      let failed: { readonly error: unknown } | undefined;
      const chosen = await decode.call(
        sequence,
        input,
        input.map((_token, index) => index === last),
        PRIORITY,
        sequence.tokenMeter,
        shift,
        (at) =>
          look(at, penalised).catch((error: unknown) => {
            // Thrown in there, it would leave the evaluation without an end.
            failed = { error };
            return undefined;
          }),
        afterBatch,
      );
      if (failed !== undefined) throw failed.error;
      return chosen[last];
    },
    dispose: () => sampler.dispose(),
  };
}

function logitIn(pairs: readonly number[], token: Token): number | undefined {
  for (let index = 0; index < pairs.length; index += 2) {
    if (pairs[index] === token) return pairs[index + 1];
  }
  return undefined;
}
