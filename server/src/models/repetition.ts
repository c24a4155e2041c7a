/**
 * Greedy decoding of a small model runs into loops, so tokens said lately are made less likely before the choice. The
 * confidence shall still speak of the model's own distribution, so the probability of the chosen token is computed
 * as if nothing had been penalised. Pure.
 */

/** Tokens said before this many others are free to come again. */
export const PENALTY_WINDOW = 64;
/** llama.cpp divides positive logits by it and multiplies negative ones. */
export const PENALTY = 1.1;

/** A looping answer says the last tokens over and over: three times the same block, and at least this many tokens in all. */
const LOOP_TOKENS = 60;
const LONGEST_BLOCK = 80;

export function penalisedTokens<Token extends number>(said: readonly Token[]): Token[] {
  return [...new Set(said.slice(-PENALTY_WINDOW))];
}

/** The order of two logits stays as it is. */
export function penalisedLogit(logit: number): number {
  return logit > 0 ? logit / PENALTY : logit * PENALTY;
}

export interface PenalisedChoice {
  readonly token: number;
  /** Sum of exp(logit - greatest logit) over the vocabulary, after the penalty. */
  readonly totalLogitWeight: number;
  /** Logits after the penalty, of the penalised tokens and of the chosen one. Absent when nothing was penalised. */
  readonly logits: ReadonlyMap<number, number> | undefined;
  readonly penalised: readonly number[];
}

/** Natural logarithm of the probability that the unpenalised model gave to the token that greedy decoding chose. */
export function logProbOfChoice({
  token,
  totalLogitWeight,
  logits,
  penalised,
}: PenalisedChoice): number {
  const greatest = logits?.get(token);
  // The greedy choice has the greatest logit, so its own weight in the sum is 1.
  if (logits === undefined || greatest === undefined)
    return Math.min(0, -Math.log(totalLogitWeight));

  const undone = new Map([[token, greatest]]);
  for (const other of penalised) {
    const logit = logits.get(other);
    if (logit !== undefined) undone.set(other, logit > 0 ? logit * PENALTY : logit / PENALTY);
  }
  let untouched = totalLogitWeight;
  for (const known of undone.keys()) {
    untouched -= Math.exp((logits.get(known) ?? Number.NEGATIVE_INFINITY) - greatest);
  }
  const reference = Math.max(greatest, ...undone.values());
  let weight = Math.max(0, untouched) * Math.exp(greatest - reference);
  for (const logit of undone.values()) weight += Math.exp(logit - reference);
  return Math.min(0, (undone.get(token) ?? greatest) - reference - Math.log(weight));
}

/** Whether the answer has got stuck in spite of the penalty. */
export function isLooping(said: readonly number[]): boolean {
  for (let block = 1; block <= LONGEST_BLOCK; block += 1) {
    const length = Math.max(LOOP_TOKENS, block * 3);
    if (said.length >= length && repeatsEvery(block, said, length)) return true;
  }
  return false;
}

function repeatsEvery(block: number, said: readonly number[], length: number): boolean {
  for (let index = said.length - length; index < said.length - block; index += 1) {
    if (said[index] !== said[index + block]) return false;
  }
  return true;
}
