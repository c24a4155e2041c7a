/** Which task a prompt is, as probabilities: a softmax over the hashed words, with weights of a few bits each. */
import type { Features } from './features.ts';
import type { FittedScore } from './fittedScore.ts';

export interface TaskMix {
  /** In the order of `fitted.tasks`. */
  readonly probabilities: Float64Array;
  readonly top: number;
  readonly topProbability: number;
  /** The largest probability of a task whose abilities come from outcomes. */
  readonly familiar: number;
  /** How much of it is tasks whose prompts may be of any length. */
  readonly anyLength: number;
  /** ln(1 + tokens) that such prompts usually have. */
  readonly usualLength: number;
}

/** The last prompt's mix is remembered, because every candidate model is scored for the same prompt. */
export function classifierOf(fitted: FittedScore): (features: Features) => TaskMix {
  let lastFeatures: Features | undefined;
  let lastMix: TaskMix | undefined;
  return (features) => {
    if (lastMix === undefined || features !== lastFeatures) {
      lastMix = taskMix(fitted, features);
      lastFeatures = features;
    }
    return lastMix;
  };
}

export function expectedUnder(mix: Float64Array, values: Float64Array): number {
  let sum = 0;
  for (let at = 0; at < mix.length; at += 1) sum += (mix[at] ?? 0) * (values[at] ?? 0);
  return sum;
}

export function familiarityOf(
  { tasks }: Pick<FittedScore, 'tasks'>,
  probabilities: Float64Array,
): number {
  let largest = 0;
  for (let at = 0; at < probabilities.length; at += 1) {
    const share = probabilities[at] ?? 0;
    if (share > largest && tasks[at]?.source === 'outcomes') largest = share;
  }
  return largest;
}

function taskMix(fitted: FittedScore, features: Features): TaskMix {
  const { weights, scales, bias, temperature } = fitted.classifier;
  const labels = fitted.tasks.length;
  const { grams } = features;
  const sums = weights.sums(grams);
  const scale = 1 / Math.sqrt(Math.max(1, grams.length));
  const probabilities = new Float64Array(labels);
  let top = 0;
  for (let label = 0; label < labels; label += 1) {
    const logit = (sums[label] ?? 0) * (scales[label] ?? 0) * scale + (bias[label] ?? 0);
    probabilities[label] = logit / temperature;
    if ((probabilities[label] ?? 0) > (probabilities[top] ?? 0)) top = label;
  }
  const largest = probabilities[top] ?? 0;
  let total = 0;
  for (let label = 0; label < labels; label += 1) {
    const raised = Math.exp((probabilities[label] ?? 0) - largest);
    probabilities[label] = raised;
    total += raised;
  }
  for (let label = 0; label < labels; label += 1) {
    probabilities[label] = (probabilities[label] ?? 0) / total;
  }
  return {
    probabilities,
    top,
    topProbability: probabilities[top] ?? 0,
    familiar: familiarityOf(fitted, probabilities),
    anyLength: expectedUnder(probabilities, fitted.anyLengths),
    usualLength: expectedUnder(probabilities, fitted.usualLengths),
  };
}
