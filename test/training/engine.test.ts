/** The embedded engine against PyTorch's figures for the same weights and batches (fixtures made by reference/). */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { tensorsOf } from '../../server/src/training/architecture.ts';
import { readModel } from '../../server/src/training/checkpoint.ts';
import { createEngine } from '../../server/src/training/engine/engine.ts';
import { createScorer } from '../../server/src/training/engine/scorer.ts';
import { toInterleaved } from '../../server/src/training/ropeLayout.ts';
import { readSafetensors } from '../../server/src/training/safetensors.ts';
import { learningRateAt } from '../../server/src/training/schedule.ts';

const fixtures = resolve(import.meta.dirname, '../fixtures/training');

interface Reference {
  readonly recipe: {
    readonly lr: number;
    readonly min_lr: number;
    readonly warmup_steps: number;
    readonly max_steps: number;
    readonly weight_decay: number;
    readonly beta1: number;
    readonly beta2: number;
    readonly adam_eps: number;
    readonly grad_clip: number;
  };
  /** `[step][sequence][place]` */
  readonly ids: readonly (readonly (readonly number[])[])[];
  readonly targets: readonly (readonly (readonly number[])[])[];
  readonly loss: number;
  readonly losses: readonly number[];
  readonly gradient_norms: readonly number[];
}

function referenceOf(name: string): Reference {
  return JSON.parse(readFileSync(join(fixtures, name, 'reference.json'), 'utf8')) as Reference;
}

function batchOf({ ids, targets }: Reference, step: number) {
  return {
    ids: Int32Array.from((ids[step] ?? []).flat()),
    targets: Int32Array.from((targets[step] ?? []).flat()),
  };
}

/** |a - b| / |b| over a whole tensor. */
function relativeError(ours: Float32Array, theirs: Float32Array): number {
  let difference = 0;
  let size = 0;
  theirs.forEach((value, index) => {
    difference += ((ours[index] ?? Number.NaN) - value) ** 2;
    size += value ** 2;
  });
  return Math.sqrt(difference / size);
}

for (const name of ['untied', 'tied']) {
  for (const [form, threads] of [
    ['relaxed', 1],
    ['relaxed', 2],
    ['plain', 1],
  ] as const) {
    test(`gradients of every tensor are PyTorch's: ${name}, ${form}, ${threads} thread(s)`, async () => {
      const reference = referenceOf(name);
      const model = await readModel(join(fixtures, name));
      const engine = await createEngine(model.architecture, model, {
        threads,
        microBatch: 2,
        form,
      });
      try {
        const loss = await engine.gradients(batchOf(reference, 0));
        assert.ok(Math.abs(loss / reference.loss - 1) < 1e-5, `${loss} for ${reference.loss}`);
        await engine.gradientNorm();
        const theirs = await readSafetensors(join(fixtures, name, 'gradients.safetensors'));
        const ours = engine.gradientsByName();
        for (const spec of tensorsOf(model.architecture)) {
          const gradient = theirs.get(spec.name);
          assert.ok(gradient, spec.name);
          const error = relativeError(
            ours.get(spec.name) ?? new Float32Array(),
            toInterleaved(spec, gradient.data),
          );
          assert.ok(error < 1e-4, `${spec.name}: relative error ${error}`);
        }
      } finally {
        await engine.close();
      }
    });
  }

  test(`twelve steps of AdamW go as PyTorch's: ${name}`, async () => {
    const reference = referenceOf(name);
    const { recipe } = reference;
    const model = await readModel(join(fixtures, name));
    const engine = await createEngine(model.architecture, model, { threads: 1, microBatch: 3 });
    try {
      for (const [step, expected] of reference.losses.entries()) {
        const loss = await engine.gradients(batchOf(reference, step));
        assert.ok(Math.abs(loss / expected - 1) < 1e-4, `step ${step}: ${loss} for ${expected}`);
        const norm = await engine.gradientNorm();
        const expectedNorm = reference.gradient_norms[step] ?? 0;
        assert.ok(Math.abs(norm / expectedNorm - 1) < 1e-3, `${norm} for ${expectedNorm}`);
        await engine.update({
          gradientScale: Math.min(1, recipe.grad_clip / norm),
          learningRate: learningRateAt(step, recipe),
          weightDecay: recipe.weight_decay,
          beta1: recipe.beta1,
          beta2: recipe.beta2,
          eps: recipe.adam_eps,
          step: step + 1,
        });
      }
    } finally {
      await engine.close();
    }
  });

  test(`losses of single tokens average to PyTorch's loss, of any length: ${name}`, async () => {
    const reference = referenceOf(name);
    const scorer = await createScorer(await readModel(join(fixtures, name)));
    const { ids, targets } = batchOf(reference, 0);
    const length = reference.ids[0]?.[0]?.length ?? 0;
    const losses = [0, 1, 2].flatMap((row) => {
      const range = [row * length, (row + 1) * length] as const;
      return [...scorer.losses(ids.subarray(...range), targets.subarray(...range))];
    });
    const mean = losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
    assert.ok(Math.abs(mean / reference.loss - 1) < 1e-5, `${mean} for ${reference.loss}`);
    const short = scorer.losses(ids.subarray(0, 5), targets.subarray(0, 5));
    assert.deepEqual(
      [...short].map((loss) => loss.toFixed(4)),
      losses.slice(0, 5).map((loss) => loss.toFixed(4)),
    );
    assert.throws(() => scorer.losses(ids, targets), /expected at most 59 ids/);
  });
}

test('a net that no memory holds is refused with its size', async () => {
  const model = await readModel(join(fixtures, 'untied'));
  const options = { threads: 1, microBatch: 2_000_000 };
  await assert.rejects(
    createEngine(model.architecture, model, options),
    /^TrainingError: expected \d+ MiB of memory for the net, got none of this size/,
  );
});
