/**
 * The score of a prompt for a model: the estimated chance that this model's answer is not good enough. It is the
 * prompt's mix of tasks times the model's table of abilities, moved by length and attached code. Pure; microseconds.
 */
import { abilitiesOf, abilityOrigin } from './ability.ts';
import { type BaselineStrategy, baselineScore, lengthScore } from './baselines.ts';
import { assertNever } from './errors.ts';
import type { Features } from './features.ts';
import type { FittedScore, ReferencePrompt } from './fittedScore.ts';
import { classifierOf, expectedUnder, type TaskMix } from './taskMix.ts';
import type { AbilitySource, Model } from './types.ts';

/** `table` is the mix of tasks times the tables of abilities and nothing else: what the rest of the score has to beat. */
export type Strategy = 'fitted' | 'table' | BaselineStrategy;

/** One step from the base rate to the score. */
export interface ScorePart {
  readonly name: 'base' | 'task' | 'length' | 'words' | 'context' | 'baseline';
  readonly added: number;
  /** For people; no words of the prompt. */
  readonly detail: string;
}

export interface Score {
  /** In [0.01, 0.99]; of a gain, in (0, 0.99]. */
  readonly value: number;
  /** The likeliest task and how likely it is. */
  readonly task: string;
  readonly taskProbability: number;
  /** Their sum, in this order, is `value` before it is held within its bounds. */
  readonly parts: readonly ScorePart[];
}

type Scored = Pick<Model, 'ability'>;

export interface Scorer {
  readonly strategy: Strategy;
  /** How likely the model's answer is not good enough; one minus it is the quality to expect of the model. */
  score(features: Features, model: Scored): Score;
  /** The value of `score` alone, for models that are only compared. */
  chance(features: Features, model: Scored): number;
  /**
   * What escalating a prompt is worth: how much likelier a good answer is from `escalation` than from `cheap`, weighed
   * by how much it is needed. It ranks prompts for spending, where `score` ranks high also what neither model can answer.
   */
  gain(features: Features, cheap: Scored, escalation: Scored): Score;
  /**
   * The value above which that share of the reference prompts scores for this model. It belongs to the model:
   * another one with the same threshold would escalate another share.
   */
  threshold(model: Scored, escalateShare: number): number;
  /** The same for `gain`. */
  gainThreshold(cheap: Scored, escalation: Scored, escalateShare: number): number;
}

const LOWEST = 0.01;
const HIGHEST = 0.99;
const LITTLE_GAIN = 0.05;

/** Chances of a bad answer as they are refined: over all tasks, for this mix, this length, these words, this context. */
type Steps = readonly [base: number, task: number, length: number, words: number, context: number];

type Additions = Readonly<Record<Exclude<ScorePart['name'], 'baseline'>, number>>;

/** What a prompt's size adds to the logit of a bad answer, and its size and words to the worth of escalating it. */
interface Shifts {
  readonly length: number;
  readonly context: number;
  readonly worthOfLength: number;
  readonly worthOfWords: number;
}

interface Sizes {
  readonly textTokens: number;
  readonly relations: number;
  readonly demands: number;
  readonly contextTokens: number;
  readonly codeLanguage: string | undefined;
}

interface FailureTable {
  readonly failure: Float64Array;
  readonly base: number;
}

export function createScorer(fitted: FittedScore, strategy: Strategy = 'fitted'): Scorer {
  const classify = classifierOf(fitted);
  const tables = new WeakMap<AbilitySource, FailureTable>();

  function tableOf({ ability }: Scored): FailureTable {
    let table = tables.get(ability);
    if (table === undefined) {
      const failure = abilitiesOf(fitted, ability).map((good) => 1 - good);
      const each = fitted.reference.map((prompt) => expectedUnder(prompt.mix, failure));
      table = { failure, base: each.reduce((sum, value) => sum + value, 0) / each.length };
      tables.set(ability, table);
    }
    return table;
  }

  function stepsOf(table: FailureTable, mix: Float64Array, shifts: Shifts): Steps {
    const task = expectedUnder(mix, table.failure);
    const length = shifted(task, shifts.length);
    // Words say what escalating is worth, not how likely an answer is bad.
    return [table.base, task, length, length, shifted(length, shifts.context)];
  }

  /** @param base says where the first part comes from; texts are written when they are asked for, as most never are */
  function judged(features: Features, base: () => string, { stepsFor, held }: Measure): Score {
    const mix = classify(features);
    const { label = 'nothing known', name = '' } = fitted.tasks[mix.top] ?? {};
    const recognised = { task: name, taskProbability: mix.topProbability };
    if (strategy !== 'fitted' && strategy !== 'table') {
      const value = clamp(baselineScore(strategy, features));
      const detail = `the ${strategy} baseline, which knows no models`;
      return { value, ...recognised, parts: [{ name: 'baseline', added: value, detail }] };
    }
    const { textTokens, contextTokens, codeLanguage, codeTokens, shape } = features;
    const added = additions(features, mix, stepsFor);
    const { relations, demands } = shape;
    const partsOf = (): ScorePart[] => {
      const timesUsual = Math.exp(Math.log(1 + textTokens) - mix.usualLength);
      const what = codeLanguage ?? 'text';
      const parts: ScorePart[] = [
        { name: 'base', added: added.base, detail: base() },
        {
          name: 'task',
          added: added.task,
          detail: `looks like ${label} (${percent(mix.topProbability)})`,
        },
        {
          name: 'length',
          added: added.length,
          detail: `≈ ${textTokens} tokens, ${timesUsual.toFixed(1)} times what is usual`,
        },
      ];
      if (added.words !== 0) {
        const detail = `${relations} words that relate steps, ${demands} of code, mathematics or reasoning`;
        parts.push({ name: 'words', added: added.words, detail });
      }
      if (hasContext(features)) {
        const detail =
          contextTokens > 0
            ? `≈ ${contextTokens} tokens of ${what} attached`
            : `≈ ${codeTokens} tokens of ${what} in the text`;
        parts.push({ name: 'context', added: added.context, detail });
      }
      return parts;
    };
    let parts: readonly ScorePart[] | undefined;
    return {
      value: held(sumOf(added)),
      ...recognised,
      get parts() {
        parts ??= partsOf();
        return parts;
      },
    };
  }

  /** What each step adds to the one before; the context nothing where there is none. */
  function additions(features: Features, mix: TaskMix, stepsFor: StepsFor): Additions {
    const { textTokens, contextTokens, codeLanguage, shape } = features;
    const { relations, demands } = shape;
    const sizes = { textTokens, contextTokens, codeLanguage, relations, demands };
    const [first, task, length, words, context] = stepsFor(mix.probabilities, shiftsOf(sizes, mix));
    return {
      base: first,
      task: task - first,
      length: length - task,
      words: words - length,
      context: hasContext(features) ? context - words : 0,
    };
  }

  /** Keeps the likeliest `1 - share` of the reference prompts at or below the returned value. */
  function quantileOf(measure: Measure, escalateShare: number): number {
    if (!(escalateShare >= 0 && escalateShare <= 1)) {
      throw new RangeError(`expected a share in [0,1], got ${escalateShare}`);
    }
    const scores = fitted.reference.map((prompt) => referenceScore(strategy, prompt, measure));
    scores.sort((a, b) => a - b);
    const kept = Math.round((1 - escalateShare) * scores.length);
    if (kept === 0) return 0;
    return kept === scores.length ? 1 : (scores[kept - 1] ?? 1);
  }

  function referenceScore(
    by: Strategy,
    prompt: ReferencePrompt,
    { stepsFor, held }: Measure,
  ): number {
    switch (by) {
      case 'fitted':
      case 'table': {
        const sizes = { ...prompt, contextTokens: 0, codeLanguage: undefined };
        return held(stepsFor(prompt.mix, shiftsOf(sizes, prompt))[4]);
      }
      case 'length':
        return clamp(lengthScore(prompt.textTokens));
      case 'keywords':
        return clamp(prompt.keywordScore);
      case 'random':
        return clamp(prompt.rank);
      default:
        return assertNever(by);
    }
  }

  function shiftsOf(
    { textTokens, relations, demands, contextTokens, codeLanguage }: Sizes,
    { usualLength, familiar, anyLength }: Pick<TaskMix, 'usualLength' | 'familiar' | 'anyLength'>,
  ): Shifts {
    const { context, lengthSlope, worth: by } = fitted;
    if (strategy === 'table') return { length: 0, context: 0, worthOfLength: 0, worthOfWords: 0 };
    const length = Math.log(1 + textTokens);
    const doublings = Math.log2((contextTokens + 1) / context.freeTokens);
    return {
      length: lengthSlope * (length - usualLength),
      context: context.slope * Math.max(0, doublings) + languageLogits(context, codeLanguage),
      worthOfLength:
        by.lengthSlope * (1 - anyLength) * (length - by.usualLength) +
        by.unfamiliarLengthSlope *
          Math.max(0, 1 - familiar - anyLength) *
          (length - by.unfamiliarLength),
      worthOfWords:
        by.relationSlope * (Math.log(1 + relations) - by.usualRelations) +
        by.demandSlope * (1 - familiar) * Math.log(1 + demands),
    };
  }

  function forOne(model: Scored): Measure {
    return { stepsFor: (mix, shifts) => stepsOf(tableOf(model), mix, shifts), held: clamp };
  }

  function forPair(cheap: Scored, escalation: Scored): Measure {
    const stepsFor: StepsFor = (mix, shifts) => {
      const from = stepsOf(tableOf(cheap), mix, shifts);
      const to = stepsOf(tableOf(escalation), mix, shifts);
      return [
        worth(from[0], to[0]),
        worth(from[1], to[1]),
        worth(from[2], to[2]) + shifts.worthOfLength,
        worth(from[3], to[3]) + shifts.worthOfLength + shifts.worthOfWords,
        worth(from[4], to[4]) + shifts.worthOfLength + shifts.worthOfWords,
      ];
    };
    return { stepsFor, held: heldGain };
  }

  return {
    strategy,
    score(features, model) {
      const base = () =>
        `misses ${percent(tableOf(model).base)} of the reference prompts, ${abilityOrigin(model.ability)}`;
      return judged(features, base, forOne(model));
    },
    chance(features, model) {
      if (strategy !== 'fitted' && strategy !== 'table') {
        return clamp(baselineScore(strategy, features));
      }
      return clamp(sumOf(additions(features, classify(features), forOne(model).stepsFor)));
    },
    gain(features, cheap, escalation) {
      return judged(
        features,
        () => 'what escalating is worth on the reference prompts',
        forPair(cheap, escalation),
      );
    },
    threshold: (model, escalateShare) => quantileOf(forOne(model), escalateShare),
    gainThreshold: (cheap, escalation, escalateShare) =>
      quantileOf(forPair(cheap, escalation), escalateShare),
  };
}

function languageLogits(
  { languages, otherLanguage }: FittedScore['context'],
  language: string | undefined,
): number {
  if (language === undefined) return 0;
  return Object.hasOwn(languages, language) ? (languages[language] ?? 0) : otherLanguage;
}

type StepsFor = (mix: TaskMix['probabilities'], shifts: Shifts) => Steps;

/** What is measured of a prompt: the chance that a model fails, or what escalating is worth. */
interface Measure {
  readonly stepsFor: StepsFor;
  /** Holds the sum of the steps within the bounds of the measure. */
  readonly held: (sum: number) => number;
}

/**
 * The difference alone ranks known tasks best, but on tasks that the tables do not know it trusts the second model too
 * much; the root of the need costs nothing on the former and mends half of that on the latter (docs/ROUTING.md).
 */
function worth(cheapFails: number, escalationFails: number): number {
  return (cheapFails - escalationFails) * Math.sqrt(cheapFails);
}

/** A probability moved by logits. */
function shifted(value: number, logits: number): number {
  const inside = Math.min(0.9999, Math.max(0.0001, value));
  return 1 / (1 + Math.exp(-Math.log(inside / (1 - inside)) - logits));
}

function hasContext({ contextTokens, codeLanguage }: Features): boolean {
  return contextTokens > 0 || codeLanguage !== undefined;
}

function sumOf({ base, task, length, words, context }: Additions): number {
  return base + task + length + words + context;
}

function clamp(value: number): number {
  return Math.min(HIGHEST, Math.max(LOWEST, value));
}

/**
 * Between 0 and 0.99. Little gains, and those below zero, come ever closer to zero and keep their order: two models that
 * are nearly as good would tie on most prompts if they were cut.
 */
function heldGain(sum: number): number {
  if (sum >= LITTLE_GAIN) return Math.min(HIGHEST, sum);
  return LITTLE_GAIN * Math.exp(sum / LITTLE_GAIN - 1);
}

function percent(value: number): string {
  return `${Math.round(value * 100)} %`;
}
