/** Weights to begin with: normal of `init_std`, the same for the same seed on every machine and for either engine. */
import { createSeededRandom } from '../learning/seededRandom.ts';
import { type Architecture, sizeOf, type TensorSpec, tensorsOf } from './architecture.ts';
import type { Weights } from './checkpoint.ts';
import type { TrainConfig } from './config.ts';

export function initialWeights(
  architecture: Architecture,
  { seed, init_std }: Pick<TrainConfig, 'seed' | 'init_std'>,
): Weights {
  const random = createSeededRandom(seed);
  return new Map(
    tensorsOf(architecture).map((spec) => {
      const values = new Float32Array(sizeOf(spec));
      if (spec.kind === 'norm') return [spec.name, values.fill(1)];
      const deviation = deviationOf(spec, architecture, init_std);
      for (let at = 0; at < values.length; at += 2) {
        // Box and Muller; 1 - next() is never 0.
        const radius = deviation * Math.sqrt(-2 * Math.log(1 - random.next()));
        const angle = 2 * Math.PI * random.next();
        values[at] = radius * Math.cos(angle);
        if (at + 1 < values.length) values[at + 1] = radius * Math.sin(angle);
      }
      return [spec.name, values];
    }),
  );
}

function deviationOf(spec: TensorSpec, architecture: Architecture, standard: number): number {
  const { dModel, nLayers, tieEmbeddings } = architecture;
  // So that the residual stream does not grow with depth (GPT-2).
  if (/\.(o|down)_proj\./.test(spec.name)) return standard / Math.sqrt(2 * nLayers);
  // A fresh model must know nothing: its perplexity is the size of the vocabulary. A wide head would make noise of its own;
  // a tied one would moreover predict each token after itself, with a logit of dModel times the deviation.
  if (spec.kind === 'head') return Math.min(standard, 0.2 / Math.sqrt(dModel));
  if (spec.kind === 'embedding' && tieEmbeddings) return Math.min(standard, 2 / dModel);
  return standard;
}
