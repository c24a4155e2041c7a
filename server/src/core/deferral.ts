/**
 * When an unsure answer is worth deferring: when what a better answer is expected to gain is worth what it costs. The
 * fitted gate says which gain is worth the usual cost; a dearer prompt, or a budget that has to last, wants more. Pure.
 */

/** A better answer by less than this is not worth anybody's money or time; a judgement. */
const LEAST_GAIN = 0.05;
/** Costs up to this many times the usual count as usual: estimates are no better than that. */
const STILL_USUAL = 2;

export interface DeferralCase {
  /** The confidence below which the fitted gate defers. */
  readonly needed: number;
  /** Estimated quality of the model that would take over, for this prompt. */
  readonly otherQuality: number;
  /** Expected cost of its answer over the cost of a usual prompt's; `undefined` where a price is unknown or there is none. */
  readonly costRatio: number | undefined;
  /** How much the budget holds back, in [0,1]: 0 not at all, 1 altogether. */
  readonly pressure: number;
}

export interface DeferralRule {
  /** The confidence below which this answer is deferred. */
  readonly needed: number;
  readonly notes: readonly string[];
}

/**
 * The usual gain is what lies between the other model and the gate: whoever defers at `needed` pays the usual cost for it.
 * The gain asked for grows with the root of the cost, because a longer piece of work is also worth more.
 */
export function deferralRule(one: DeferralCase): DeferralRule {
  const { needed, otherQuality, costRatio = 1, pressure } = one;
  const usualGain = Math.max(LEAST_GAIN, otherQuality - needed);
  const dearer = Math.sqrt(Math.max(1, costRatio / STILL_USUAL));
  const held = pressure >= 1 ? Number.POSITIVE_INFINITY : 1 / (1 - pressure);
  const wanted = Math.min(needed, otherQuality - usualGain * dearer * held);
  const here = Math.min(1, Math.max(0, wanted));
  const notes: string[] = [];
  if (here < needed - 0.005) {
    const usually = needed.toFixed(2);
    if (dearer > 1) {
      notes.push(
        `usually ${usually} is needed; deferring this costs ${costRatio.toFixed(1)} times the usual`,
      );
    }
    if (pressure > 0) {
      notes.push(`usually ${usually} is needed; the budget has to last`);
    }
    if (notes.length === 0) {
      notes.push(
        `usually ${usually} is needed; the other model is expected to be good in ${otherQuality.toFixed(2)} of cases`,
      );
    }
  }
  return { needed: here, notes };
}
