/**
 * Chooses the share of prompts that go to the cloud at once, and the confidence below which a local answer is deferred, so
 * that a target is met: the least escalation that keeps a quality, or the most quality within an escalation.
 */
import type { CalibrationTarget } from '../core/calibration.ts';
import { mean } from './metrics.ts';

/** One calibration prompt with its local answer. */
export interface PlanRow {
  /** What escalating it is worth, by the score. */
  readonly gain: number;
  readonly confidence: number;
  /** 1 where the local answer was right. */
  readonly local: number;
  /** The same of the cloud model, or its estimated chance. */
  readonly cloud: number;
}

export interface Plan {
  readonly escalateShare: number;
  readonly needed: number;
}

export interface PlanFigures {
  readonly escalated: number;
  readonly quality: number;
  /** Quality over the cloud model's. */
  readonly kept: number;
}

/** @param thresholds the gain above which the cloud answers at once, by the share that it stands for */
export function choosePlanFor(
  target: CalibrationTarget,
  rows: readonly PlanRow[],
  thresholds: ReadonlyMap<number, number>,
): Plan & PlanFigures {
  const plans = [...thresholds].flatMap(([escalateShare, threshold]) =>
    confidenceSteps.map((needed) => ({
      escalateShare,
      needed,
      ...figuresOf(rows, threshold, needed),
    })),
  );
  const [first] = plans;
  if (first === undefined) throw new Error('expected thresholds to choose from');
  const better = (one: Plan & PlanFigures, other: Plan & PlanFigures): boolean => {
    if (target.kind === 'kept') {
      const [a, b] = [one.kept >= target.value, other.kept >= target.value];
      if (a !== b) return a;
      return a ? lessThan(one.escalated, other.escalated, one, other) : one.kept > other.kept;
    }
    const [a, b] = [one.escalated <= target.value, other.escalated <= target.value];
    if (a !== b) return a;
    return a ? lessThan(-one.quality, -other.quality, one, other) : one.escalated < other.escalated;
  };
  return plans.reduce((best, next) => (better(next, best) ? next : best), first);
}

export function figuresOf(
  rows: readonly PlanRow[],
  threshold: number,
  needed: number,
): PlanFigures {
  const escalates = (row: PlanRow) => row.gain > threshold || row.confidence < needed;
  const quality = mean(rows.map((row) => (escalates(row) ? row.cloud : row.local)));
  const cloud = mean(rows.map((row) => row.cloud));
  return {
    escalated: rows.filter(escalates).length / rows.length,
    quality,
    kept: cloud === 0 ? 1 : quality / cloud,
  };
}

/** Of two equal plans the one that sends more at once: nobody waits there for a draft that is thrown away. */
function lessThan(a: number, b: number, one: Plan, other: Plan): boolean {
  return a < b || (a === b && one.escalateShare > other.escalateShare);
}

const confidenceSteps = Array.from({ length: 20 }, (_, at) => Number((0.05 * at).toFixed(2)));
