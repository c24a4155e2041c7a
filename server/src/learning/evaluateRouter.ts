/** What `eval router` does with one data set: finds the models' abilities, then judges in steps that can be stopped between. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { abilityOrigin } from '../core/ability.ts';
import type { FittedConfidence } from '../core/confidence.ts';
import { parseFittedScore } from '../core/fittedScore.ts';
import type { AbilitySource } from '../core/types.ts';
import { shippedModels } from '../models/shippedFiles.ts';
import { foldScorers, randomFolds, taskFolds } from './crossValidation.ts';
import { chosenConstants, KNOWN_TASK_FOLDS, rowsFrom } from './fitScore.ts';
import { knownSizes } from './fittedTables.ts';
import { featuresOfText, type JudgedRouter, judgeHeldOut, judgeShipped } from './judgeRouter.ts';
import { mean } from './metrics.ts';
import type { DataSet } from './routingData.ts';
import { readSeedPrompts } from './seedPrompts.ts';

interface EvaluatedModel {
  readonly name: string;
  readonly mean: number;
  /** Where its abilities come from. */
  readonly scoredAs: string;
}

export interface EvaluatedSet {
  readonly name: string;
  readonly prompts: number;
  readonly weak: EvaluatedModel;
  readonly strong: EvaluatedModel;
  readonly notes: readonly string[];
  readonly routers: readonly JudgedRouter[];
}

export interface EvaluationStep {
  readonly name: string;
  run(): JudgedRouter[];
}

export interface EvaluationPlan {
  readonly about: Omit<EvaluatedSet, 'routers'>;
  readonly steps: readonly EvaluationStep[];
}

export interface EvaluationOptions {
  readonly confidence: FittedConfidence;
  /** Of a model of the registry. */
  readonly abilityOf: (id: string) => AbilitySource | undefined;
}

export interface SetOptions {
  readonly weak: string | undefined;
  readonly strong: string | undefined;
  /** Whether to fit anew without each prompt and each task. */
  readonly refit: boolean;
}

/** Sizes that stand in for a model of which nothing is known, in billions of parameters. */
const UNKNOWN_WEAK = 8;
const UNKNOWN_STRONG = 70;

export function createEvaluation(options: EvaluationOptions): {
  /** The plan, or what is wrong with the models as named. */
  steps(set: DataSet, how: SetOptions): EvaluationPlan | string;
} {
  const { confidence } = options;
  const fitted = parseFittedScore(
    JSON.parse(readFileSync(join(shippedModels(), 'score.json'), 'utf8')),
  );

  function sourceOf(id: string): AbilitySource | undefined {
    if (fitted.models.has(id)) return { kind: 'fitted', key: id };
    const size = /^size:(\d+(?:\.\d+)?)$/.exec(id)?.[1] ?? knownSizes[id];
    if (size !== undefined) return { kind: 'size', billions: Number(size) };
    return options.abilityOf(id);
  }

  return {
    steps(set, { weak: weakId, strong: strongId, refit }) {
      const notes: string[] = [];
      const scored = (column: string, named: string | undefined, unknown: number) => {
        const ability = sourceOf(named ?? column);
        if (ability === undefined && named !== undefined && named !== column) return undefined;
        if (ability === undefined) {
          notes.push(`nothing is known of ${column}: taken as ${unknown} billion parameters`);
        }
        return { ability: ability ?? ({ kind: 'size', billions: unknown } as const) };
      };
      const weak = scored(set.weak, weakId, UNKNOWN_WEAK);
      const strong = scored(set.strong, strongId, UNKNOWN_STRONG);
      for (const [flag, id, found] of [
        ['--weak', weakId, weak],
        ['--strong', strongId, strong],
      ] as const) {
        if (found === undefined) {
          return `expected ${flag} to name a model with known abilities (${[...fitted.models.keys()].join(', ')}, one of the registry, or size:BILLIONS), got ${id}`;
        }
      }
      if (weak === undefined || strong === undefined) return 'expected two models';
      const features = set.prompts.map(({ prompt }) => featuresOfText(prompt));
      const models = { weak, strong };
      const steps: EvaluationStep[] = [
        {
          name: 'the shipped score and the baselines',
          run: () => judgeShipped(set, features, fitted, confidence, models),
        },
      ];
      const { outcomes } = set;
      if (outcomes !== undefined) {
        notes.push(
          'the shipped score may have been fitted to these prompts; the rows below were not',
        );
      }
      const inFit = [set.weak, set.strong].every((id) => knownSizes[id] !== undefined);
      if (refit && outcomes !== undefined && inFit) {
        const fittable = {
          weak: { ability: { kind: 'fitted', key: set.weak } as const },
          strong: { ability: { kind: 'fitted', key: set.strong } as const },
        };
        const rows = rowsFrom(outcomes);
        const seeds = readSeedPrompts();
        const step = (name: string, folds: (at: number) => number): EvaluationStep => ({
          name,
          run: () => [
            judgeHeldOut(
              set,
              features,
              name,
              foldScorers(rows, seeds, chosenConstants, folds),
              fittable,
            ),
          ],
        });
        steps.push(step('score, unseen prompts', randomFolds(KNOWN_TASK_FOLDS, rows.length)));
        if (new Set(rows.map(({ task }) => task)).size > 2) {
          steps.push(step('score, unseen tasks', taskFolds(rows)));
        }
      }
      const about = (column: string, ability: AbilitySource, of: 'weak' | 'strong') => ({
        name: column,
        mean: mean(set.prompts.map((prompt) => prompt[of])),
        scoredAs: abilityOrigin(ability),
      });
      return {
        about: {
          name: set.name,
          prompts: set.prompts.length,
          weak: about(set.weak, weak.ability, 'weak'),
          strong: about(set.strong, strong.ability, 'strong'),
          notes,
        },
        steps,
      };
    },
  };
}
