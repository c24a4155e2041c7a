/**
 * A conversation keeps its model unless switching is worth it. A cloud provider reads again what it has read before at a
 * discount; another model reads the whole conversation at the full price. That lost discount moves the threshold: a
 * conversation in the cloud stays there a little longer, one that began on this machine goes there a little later.
 * All amounts are whole nano-dollars. Pure, but for a memory of who answered what.
 */
import { costOf, ZERO_USD } from './price.ts';
import type { NanoUsd, PriceRow, Tier, Turn } from './types.ts';

/** What a conversation so far means for the next route. */
export interface Conversation {
  /** The model that gave the last answer. */
  readonly modelId: string;
  readonly tier: Tier;
  /** Tokens that were said before, by the rule of four characters each. */
  readonly historyTokens: number;
  /** What reading them costs more at the full price than from the provider's cache. */
  readonly lostDiscountNanoUsd: NanoUsd;
  /** The threshold of a prompt of its own, before the conversation moved it. */
  readonly thresholdAlone: number;
  readonly threshold: number;
}

/** OpenAI's providers cache no shorter beginning of a request. */
const LEAST_CACHED_TOKENS = 1_024;

export interface ConversationInput {
  readonly history: readonly Turn[];
  readonly memory: AnswerMemory;
  readonly cheapId: string | undefined;
  readonly escalationId: string | undefined;
  /** Of the escalation model. */
  readonly price: PriceRow | undefined;
  readonly thresholdAlone: number;
  readonly historyTokens: number;
  readonly inputTokens: number;
  readonly expectedOutputTokens: number;
}

/** `undefined` for a prompt of its own, and for a conversation whose last answer came from neither model of the pair. */
export function conversationOf(input: ConversationInput): Conversation | undefined {
  if (input.history.length === 0) return undefined;
  const { price, historyTokens, thresholdAlone } = input;
  const modelId = input.memory.lastModel(input.history);
  if (modelId === undefined) return undefined;
  if (modelId !== input.cheapId && modelId !== input.escalationId) return undefined;
  const tier = modelId === input.cheapId ? 'cheap' : 'escalation';
  const lostDiscountNanoUsd = lostDiscount(price, historyTokens);
  const expected =
    price &&
    costOf(
      price,
      usageOf(Math.max(input.inputTokens, historyTokens), 0, input.expectedOutputTokens),
    );
  const threshold = keptThreshold(thresholdAlone, tier, lostDiscountNanoUsd, expected);
  return { modelId, tier, historyTokens, lostDiscountNanoUsd, thresholdAlone, threshold };
}

/** What reading `tokens` costs more at the full price than from the provider's cache; zero where it grants no discount. */
export function lostDiscount(price: PriceRow | undefined, tokens: number): NanoUsd {
  if (price === undefined || tokens < LEAST_CACHED_TOKENS) return ZERO_USD;
  const full = costOf(price, usageOf(tokens, 0));
  const cached = costOf(price, usageOf(tokens, tokens));
  if (full === undefined || cached === undefined) return ZERO_USD;
  return Math.max(0, full - cached) as NanoUsd;
}

function usageOf(inputTokens: number, cachedInputTokens: number, outputTokens = 0) {
  return {
    inputTokens,
    cachedInputTokens,
    cacheWriteTokens: undefined,
    outputTokens,
    reasoningTokens: undefined,
  };
}

/** The finest step of a threshold that a conversation takes. */
const STEPS = 1000;

/**
 * Escalating is worth its expected cost where the score is the threshold; so a switch that costs a tenth more has to be
 * worth a tenth more, and staying in the cloud may be worth a tenth less.
 * @param expectedNanoUsd what the escalation model's answer is expected to cost at the full price
 */
export function keptThreshold(
  thresholdAlone: number,
  tier: Tier,
  lostDiscountNanoUsd: NanoUsd,
  expectedNanoUsd: NanoUsd | undefined,
): number {
  if (expectedNanoUsd === undefined || expectedNanoUsd <= 0) return thresholdAlone;
  const steps = Number((BigInt(lostDiscountNanoUsd) * BigInt(STEPS)) / BigInt(expectedNanoUsd));
  const share = Math.min(STEPS, steps) / STEPS;
  return Math.min(1, thresholdAlone * (tier === 'cheap' ? 1 + share : 1 - share));
}

/** Who gave the answers of late, by hashes of their texts; nothing of a text is kept. */
export interface AnswerMemory {
  remember(text: string, modelId: string): void;
  /** The model that gave the last answer of a conversation; `undefined` when it was not given here of late. */
  lastModel(history: readonly Turn[]): string | undefined;
}

const KEPT_ANSWERS = 1_000;

export function createAnswerMemory(): AnswerMemory {
  const models = new Map<number, string>();
  return {
    remember(text, modelId) {
      const key = hashOf(text);
      if (key === undefined) return;
      models.delete(key);
      models.set(key, modelId);
      const [oldest] = models.keys();
      if (models.size > KEPT_ANSWERS && oldest !== undefined) models.delete(oldest);
    },
    lastModel(history) {
      const last = history.findLast(({ role }) => role === 'assistant');
      const key = last === undefined ? undefined : hashOf(last.text);
      return key === undefined ? undefined : models.get(key);
    },
  };
}

/** 53 bits over all but the white space, which edges trim and wrap; `undefined` for an empty text. */
function hashOf(text: string): number | undefined {
  let low = 0x811c9dc5 | 0;
  let high = 0x01234567;
  let letters = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code <= 32) continue;
    low = Math.imul(low ^ code, 0x01000193);
    high = Math.imul(high ^ code, 0x5bd1e995);
    letters += 1;
  }
  return letters === 0 ? undefined : (high >>> 11) * 2 ** 32 + (low >>> 0);
}
