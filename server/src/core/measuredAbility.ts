/** A model's abilities moved by outcomes that were seen here: the mean of a Beta distribution whose prior is what was known before. */
import { abilitiesOf } from './ability.ts';
import type { OutcomeCounts } from './calibration.ts';
import type { FittedScore } from './fittedScore.ts';
import type { AbilitySource } from './types.ts';

/** @param counts by task; tasks that the score does not know are left out */
export function measuredAbility(
  fitted: FittedScore,
  ability: AbilitySource,
  counts: OutcomeCounts,
): AbilitySource {
  const before = abilitiesOf(fitted, ability);
  const tasks = fitted.tasks.map(({ name }, at): [string, number] => {
    const { good, bad } = counts[name] ?? { good: 0, bad: 0 };
    const prior = (before[at] ?? 0) * fitted.priorStrength;
    return [name, (prior + good) / (fitted.priorStrength + good + bad)];
  });
  const billions =
    ability.kind === 'fitted' ? fitted.models.get(ability.key)?.billions : ability.billions;
  return { kind: 'stated', tasks: Object.fromEntries(tasks), billions: billions ?? 1 };
}
