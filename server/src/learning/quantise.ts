/** Packs fitted numbers into the few bits that `core/fittedScore.ts` unpacks. */
import type { Softmax } from './softmax.ts';

export interface PackedWeights {
  readonly bits: 4 | 8;
  readonly weights: string;
  readonly scales: number[];
}

/** Per label, the largest weights are cut so that the many small ones keep their differences. */
export function packWeights(model: Softmax, bits: 4 | 8, cutAt: number): PackedWeights {
  const { labels, weights } = model;
  const most = 2 ** (bits - 1) - 1;
  const buckets = weights.length / labels;
  const scales = Array.from({ length: labels }, (_, label) => {
    const sizes = new Float32Array(buckets);
    for (let bucket = 0; bucket < buckets; bucket += 1) {
      sizes[bucket] = Math.abs(weights[bucket * labels + label] ?? 0);
    }
    sizes.sort();
    const limit = sizes[Math.min(buckets - 1, Math.floor(cutAt * buckets))] ?? 0;
    return rounded(Math.max(1e-6, limit / most), 8);
  });
  const steps = Int8Array.from(weights, (weight, at) => {
    const step = Math.round(weight / (scales[at % labels] ?? 1));
    return Math.max(-most, Math.min(most, step));
  });
  return {
    bits,
    scales,
    weights: base64Of(bits === 8 ? new Uint8Array(steps.buffer) : pairs(steps)),
  };
}

export function base64Of(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

export function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

function pairs(steps: Int8Array): Uint8Array {
  const packed = new Uint8Array(Math.ceil(steps.length / 2));
  for (let at = 0; at < steps.length; at += 1) {
    const half = (steps[at] ?? 0) & 15;
    packed[at >> 1] = (packed[at >> 1] ?? 0) | ((at & 1) === 0 ? half : half << 4);
  }
  return packed;
}
