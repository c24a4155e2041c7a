/**
 * How often a model's answer is good enough, task by task: from its own outcomes, from statements in the registry, or
 * from its size. A task without outcomes has the prior that the fitted score carries for it.
 */
import { assertNever } from './errors.ts';
import type { FittedScore } from './fittedScore.ts';
import type { AbilitySource } from './types.ts';

/** Ability per task, in the order of `fitted.tasks`. Throws on an ability that `abilityProblem` objects to. */
export function abilitiesOf(fitted: FittedScore, ability: AbilitySource): Float64Array {
  const problem = abilityProblem(fitted, ability);
  if (problem !== undefined) throw new RangeError(problem);
  return Float64Array.from(fitted.tasks, (task, at) => {
    switch (ability.kind) {
      case 'fitted':
        return fromOutcomes(fitted, ability.key, at);
      case 'size':
        return bySize(fitted, ability.billions, at);
      case 'stated':
        return ability.tasks[task.name] ?? bySize(fitted, ability.billions, at);
      default:
        return assertNever(ability);
    }
  });
}

/** What is wrong with an ability, for the registry to say; `undefined` when it can be used. */
export function abilityProblem(fitted: FittedScore, ability: AbilitySource): string | undefined {
  if (ability.kind === 'fitted') {
    if (fitted.models.has(ability.key)) return undefined;
    const known = [...fitted.models.keys()].join(', ');
    return `expected a model with a fitted table (${known}), got ${ability.key}; state its size instead`;
  }
  if (!(ability.billions > 0)) {
    return `expected a size above 0 in billions of parameters, got ${ability.billions}`;
  }
  if (ability.kind === 'size') return undefined;
  for (const [task, value] of Object.entries(ability.tasks)) {
    if (!fitted.tasks.some(({ name }) => name === task)) {
      const known = fitted.tasks.map(({ name }) => name).join(', ');
      return `expected a task out of ${known}, got ${task}`;
    }
    if (!(value >= 0 && value <= 1)) {
      return `expected an ability in [0,1] for ${task}, got ${value}`;
    }
  }
  return undefined;
}

/** Where the numbers come from, for a trace. */
export function abilityOrigin(ability: AbilitySource): string {
  switch (ability.kind) {
    case 'fitted':
      return `from outcomes of ${ability.key}`;
    case 'size':
      return `a prior for ${ability.billions} billion parameters`;
    case 'stated':
      return `as stated, else a prior for ${ability.billions} billion parameters`;
    default:
      return assertNever(ability);
  }
}

/** The mean of a Beta distribution: the prior counts as `priorStrength` outcomes. */
function fromOutcomes(fitted: FittedScore, key: string, at: number): number {
  const model = fitted.models.get(key);
  const good = model?.good[at] ?? 0;
  const seen = good + (model?.bad[at] ?? 0);
  const prior = (model?.prior[at] ?? 0) * fitted.priorStrength;
  return (prior + good) / (fitted.priorStrength + seen);
}

/** A line in the logarithm of size; level beyond the range in which anything is known. */
function bySize(fitted: FittedScore, billions: number, at: number): number {
  const { smallestBillions, largestBillions, referenceBillions, slope } = fitted.sizePrior;
  const size = Math.min(largestBillions, Math.max(smallestBillions, billions));
  const intercept = fitted.tasks[at]?.sizeIntercept ?? 0;
  return 1 / (1 + Math.exp(-intercept - slope * Math.log10(size / referenceBillions)));
}
