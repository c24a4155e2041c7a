/**
 * A softmax classifier over hashed features, trained by AdaGrad. Rows are sparse and binary, scaled to length one,
 * so a row is only the list of its buckets.
 */
import { createSeededRandom } from './seededRandom.ts';

export interface Example {
  readonly buckets: Int32Array;
  readonly label: number;
  /** How much this example counts. */
  readonly weight: number;
}

export interface SoftmaxOptions {
  readonly buckets: number;
  readonly labels: number;
  readonly epochs: number;
  readonly rate: number;
  /** Pull of every weight towards zero, per example seen. */
  readonly decay: number;
  readonly seed: number;
}

export interface Softmax {
  readonly labels: number;
  /** `weights[bucket * labels + label]`. */
  readonly weights: Float32Array;
  readonly bias: Float64Array;
}

/** Most labels are as good as ruled out for most examples; passing over them is several times quicker. */
const LEAST_ERROR = 2e-3;

export function trainSoftmax(examples: readonly Example[], options: SoftmaxOptions): Softmax {
  const { labels } = options;
  const weights = new Float32Array(options.buckets * labels);
  const squares = new Float32Array(options.buckets * labels).fill(1e-8);
  const bias = new Float64Array(labels);
  const biasSquares = new Float64Array(labels).fill(1e-8);
  const random = createSeededRandom(options.seed);
  const model = { labels, weights, bias };
  const wrong = new Int32Array(labels);
  for (let epoch = 0; epoch < options.epochs; epoch += 1) {
    for (const example of random.shuffle(examples)) {
      const errors = probabilities(model, example.buckets);
      errors[example.label] = (errors[example.label] ?? 0) - 1;
      const value = rowValue(example.buckets);
      let wrongs = 0;
      for (let label = 0; label < labels; label += 1) {
        if (Math.abs(errors[label] ?? 0) < LEAST_ERROR) continue;
        wrong[wrongs] = label;
        wrongs += 1;
        const error = (errors[label] ?? 0) * example.weight;
        biasSquares[label] = (biasSquares[label] ?? 0) + error * error;
        bias[label] =
          (bias[label] ?? 0) - (options.rate * error) / Math.sqrt(biasSquares[label] ?? 1);
      }
      for (const bucket of example.buckets) {
        const from = bucket * labels;
        for (let which = 0; which < wrongs; which += 1) {
          const label = wrong[which] ?? 0;
          const at = from + label;
          const weight = weights[at] ?? 0;
          const slope = (errors[label] ?? 0) * value * example.weight + options.decay * weight;
          const square = (squares[at] ?? 0) + slope * slope;
          squares[at] = square;
          weights[at] = weight - (options.rate * slope) / Math.sqrt(square);
        }
      }
    }
  }
  return model;
}

export function logitsOf(model: Softmax, buckets: Int32Array): Float64Array {
  const logits = new Float64Array(model.labels);
  for (const bucket of buckets) {
    const from = bucket * model.labels;
    for (let label = 0; label < model.labels; label += 1) {
      logits[label] = (logits[label] ?? 0) + (model.weights[from + label] ?? 0);
    }
  }
  const value = rowValue(buckets);
  for (let label = 0; label < model.labels; label += 1) {
    logits[label] = (logits[label] ?? 0) * value + (model.bias[label] ?? 0);
  }
  return logits;
}

export function probabilities(model: Softmax, buckets: Int32Array, temperature = 1): Float64Array {
  const logits = logitsOf(model, buckets);
  const largest = Math.max(...logits);
  let total = 0;
  for (let label = 0; label < logits.length; label += 1) {
    const raised = Math.exp(((logits[label] ?? 0) - largest) / temperature);
    logits[label] = raised;
    total += raised;
  }
  for (let label = 0; label < logits.length; label += 1) {
    logits[label] = (logits[label] ?? 0) / total;
  }
  return logits;
}

function rowValue(buckets: Int32Array): number {
  return 1 / Math.sqrt(Math.max(1, buckets.length));
}
