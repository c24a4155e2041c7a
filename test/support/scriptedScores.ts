/** Scores told by the test, and a gate that reads token probabilities the way a fitted one does. */
import { parseFittedConfidence } from '../../server/src/core/confidence.ts';
import type { Score, Scorer } from '../../server/src/core/score.ts';
import type { AbilitySource, Model } from '../../server/src/core/types.ts';

/** Models are told apart by their ability, which is all that a scorer looks at. */
export function scorerOf(
  models: readonly Model[],
  scores: Readonly<Record<string, number>>,
  threshold: number,
): Scorer {
  const chanceOf = (ability: AbilitySource): number => {
    const value = scores[models.find((model) => model.ability === ability)?.id ?? ''];
    if (value === undefined) throw new Error('expected a scripted score for the model');
    return value;
  };
  const scoreOf = (value: number): Score => ({
    value,
    task: 'question',
    taskProbability: 1,
    parts: [{ name: 'base', added: value, detail: 'scripted' }],
  });
  // At the default share of one half it is what the test says; it rises to 1 as the share falls to nothing.
  const atShare = (share: number) => Math.min(1, 1 - (1 - threshold) * 2 * share);
  return {
    strategy: 'fitted',
    score: (_features, { ability }) => scoreOf(chanceOf(ability)),
    chance: (_features, { ability }) => chanceOf(ability),
    gain: (_features, cheap) => scoreOf(chanceOf(cheap.ability)),
    threshold: (_model, share) => atShare(share),
    gainThreshold: (_cheap, _escalation, share) => atShare(share),
  };
}

/** Sure tokens pass, unsure ones do not; the rates are round figures that the tests reckon with. */
export const gateConfidence = parseFittedConfidence({
  schema: 1,
  fitted: 'for tests',
  signs: { empty: -6, refused: -2.5, repeated: -4, truncated: -0.7, unbalanced: -1.5 },
  default: {
    source: 'judgement',
    answers: 0,
    needed: 0.5,
    catchRate: 0.5,
    falseRejectRate: 0.1,
    withLogProbs: { bias: 2, meanLogProb: 1.5, lowLogProb: 0.3, length: 0 },
    withoutLogProbs: { bias: 0.5, length: 0 },
    tasks: {},
  },
  models: {},
});
