/**
 * The net on one thread: the way forward to a loss per token, and the way back to gradients. It calls kernels over the places
 * of its thread and allocates nothing.
 */
import { headSize } from '../architecture.ts';
import { type Attention, createAttention } from './attention.ts';
import type { Kernels } from './kernels.ts';
import { type MemoryPlan, placesOf } from './memoryPlan.ts';

export interface Net {
  /**
   * Scores `count` sequences of `length` tokens, whose ids and targets lie at the thread's places, and leaves their losses
   * there. Where `gradientScale` is not 0, gradients of the sum of the losses times it are added to the thread's own.
   */
  run(count: number, length: number, gradientScale: number): void;
}

export function createNet(kernels: Kernels, plan: MemoryPlan, thread: number): Net {
  const { architecture } = plan;
  const { vocabSize, dModel, nHeads, nKvHeads, dFf, normEps } = architecture;
  const size = headSize(architecture);
  const dKv = nKvHeads * size;
  const at = placesOf(plan, thread);
  const offsets = new Map(plan.tensors.map(({ name, offset }) => [name, offset]));
  const offsetOf = (name: string): number => {
    const offset = offsets.get(name);
    if (offset === undefined) throw new Error(`expected a tensor ${name} in the plan, got none`);
    return offset;
  };
  const embedding = offsetOf('model.embed_tokens.weight');
  const lastNorm = offsetOf('model.norm.weight');
  const head = architecture.tieEmbeddings ? embedding : offsetOf('lm_head.weight');
  const layers = at.layers.map((places, layer) => {
    const named = (name: string) => offsetOf(`model.layers.${layer}.${name}.weight`);
    return {
      places,
      norm: named('input_layernorm'),
      q: named('self_attn.q_proj'),
      k: named('self_attn.k_proj'),
      v: named('self_attn.v_proj'),
      o: named('self_attn.o_proj'),
      middleNorm: named('post_attention_layernorm'),
      gate: named('mlp.gate_proj'),
      up: named('mlp.up_proj'),
      down: named('mlp.down_proj'),
    };
  });
  const firstLayer = layers[0]?.places.x ?? at.last;
  const attention: Attention = createAttention(kernels, plan, at);

  /** out[rows, to] (+)= x[rows, from] W^T, for W of [to, from]. */
  function project(
    rows: number,
    x: number,
    from: number,
    weight: number,
    to: number,
    out: number,
    add: 0 | 1,
  ): void {
    const matrix = plan.weights + weight;
    kernels.matmul(rows, to, from, x, from, 1, matrix, 1, from, out, to, add, at.work);
  }

  /** dX[rows, from] (+)= dOut[rows, to] W, and dW += dOut^T x. */
  function projectBack(
    rows: number,
    dOut: number,
    to: number,
    weight: number,
    from: number,
    x: number,
    dX: number,
    add: 0 | 1,
  ): void {
    const matrix = plan.weights + weight;
    kernels.matmul(rows, from, to, dOut, to, 1, matrix, from, 1, dX, from, add, at.work);
    gradient(rows, dOut, to, weight, from, x);
  }

  function gradient(
    rows: number,
    dOut: number,
    to: number,
    weight: number,
    from: number,
    x: number,
  ): void {
    const matrix = at.gradients + weight;
    kernels.matmul(to, from, rows, dOut, 1, to, x, from, 1, matrix, from, 1, at.work);
  }

  function rotate(x: number, rows: number, heads: number, length: number, way: 1 | -1): void {
    kernels.rope(x, plan.cosines, plan.sines, rows, heads, size, length, way);
  }

  function forward(count: number, length: number): void {
    const rows = count * length;
    kernels.embed(at.ids, plan.weights + embedding, firstLayer, rows, dModel);
    layers.forEach((layer, index) => {
      const { places } = layer;
      const norm = plan.weights + layer.norm;
      kernels.rmsNorm(places.x, norm, places.normed, places.inverse, rows, dModel, normEps);
      project(rows, places.normed, dModel, layer.q, dModel, places.q, 0);
      project(rows, places.normed, dModel, layer.k, dKv, places.k, 0);
      project(rows, places.normed, dModel, layer.v, dKv, places.v, 0);
      rotate(places.q, rows, nHeads, length, 1);
      rotate(places.k, rows, nKvHeads, length, 1);
      attention.forward(places, count, length);
      kernels.copy(places.middle, places.x, rows * dModel);
      project(rows, places.attended, dModel, layer.o, dModel, places.middle, 1);
      kernels.rmsNorm(
        places.middle,
        plan.weights + layer.middleNorm,
        places.middleNormed,
        places.middleInverse,
        rows,
        dModel,
        normEps,
      );
      project(rows, places.middleNormed, dModel, layer.gate, dFf, places.gate, 0);
      project(rows, places.middleNormed, dModel, layer.up, dFf, places.up, 0);
      kernels.swiglu(places.gate, places.up, at.hidden, rows * dFf);
      const next = layers[index + 1]?.places.x ?? at.last;
      kernels.copy(next, places.middle, rows * dModel);
      project(rows, at.hidden, dFf, layer.down, dModel, next, 1);
    });
    kernels.rmsNorm(
      at.last,
      plan.weights + lastNorm,
      at.lastNormed,
      at.lastInverse,
      rows,
      dModel,
      normEps,
    );
  }

  /** Losses, and where there is a scale the gradients of the head and of its input (in `dNormed`). */
  function scoreRows(rows: number, gradientScale: number): void {
    for (let first = 0; first < rows; first += plan.logitRows) {
      const some = Math.min(plan.logitRows, rows - first);
      const normed = at.lastNormed + first * dModel * 4;
      project(some, normed, dModel, head, vocabSize, at.logits, 0);
      const targets = at.targets + first * 4;
      const losses = at.losses + first * 4;
      kernels.crossEntropy(at.logits, targets, losses, some, vocabSize, gradientScale);
      if (gradientScale === 0) continue;
      const dNormed = at.dNormed + first * dModel * 4;
      projectBack(some, at.logits, vocabSize, head, dModel, normed, dNormed, 0);
    }
  }

  function backward(count: number, length: number): void {
    const rows = count * length;
    const { dX, dNormed, dAttended, dQ, dK, dV, hidden, gradients } = at;
    const normBack = (x: number, weight: number, inverse: number) =>
      kernels.rmsNormBackward(
        x,
        plan.weights + weight,
        inverse,
        dNormed,
        dX,
        gradients + weight,
        rows,
        dModel,
      );
    kernels.fillZero(dX, rows * dModel);
    normBack(at.last, lastNorm, at.lastInverse);
    for (const layer of layers.toReversed()) {
      const { places } = layer;
      const down = plan.weights + layer.down;
      kernels.matmul(rows, dFf, dModel, dX, dModel, 1, down, dFf, 1, hidden, dFf, 0, at.work);
      kernels.swigluBackward(places.gate, places.up, hidden, rows * dFf);
      gradient(rows, dX, dModel, layer.down, dFf, hidden);
      const middle = places.middleNormed;
      projectBack(rows, places.gate, dFf, layer.gate, dModel, middle, dNormed, 0);
      projectBack(rows, places.up, dFf, layer.up, dModel, middle, dNormed, 1);
      normBack(places.middle, layer.middleNorm, places.middleInverse);
      projectBack(rows, dX, dModel, layer.o, dModel, places.attended, dAttended, 0);
      attention.backward(places, count, length);
      rotate(dQ, rows, nHeads, length, -1);
      rotate(dK, rows, nKvHeads, length, -1);
      projectBack(rows, dQ, dModel, layer.q, dModel, places.normed, dNormed, 0);
      projectBack(rows, dK, dKv, layer.k, dModel, places.normed, dNormed, 1);
      projectBack(rows, dV, dKv, layer.v, dModel, places.normed, dNormed, 1);
      normBack(places.x, layer.norm, places.inverse);
    }
    kernels.embedBackward(at.ids, dX, gradients + embedding, rows, dModel);
  }

  return {
    run(count, length, gradientScale) {
      forward(count, length);
      scoreRows(count * length, gradientScale);
      if (gradientScale !== 0) backward(count, length);
    },
  };
}
