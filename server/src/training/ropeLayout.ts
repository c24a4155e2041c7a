/**
 * Two orders of the rows of a rotated head. Here, and in GGUF, a pair that turns together is neighbours (0,1), (2,3), …; at
 * Hugging Face it is a half apart (0, n/2), (1, n/2 + 1), …. The function that a model computes is the same.
 */
import type { TensorSpec } from './architecture.ts';

/** From our order to Hugging Face's. Tensors without rotated heads come back as they are. */
export function toHalfSplit(spec: TensorSpec, data: Float32Array): Float32Array {
  return movedRows(spec, data, (ours, theirs) => [ours, theirs]);
}

/** From Hugging Face's order to ours. */
export function toInterleaved(spec: TensorSpec, data: Float32Array): Float32Array {
  return movedRows(spec, data, (ours, theirs) => [theirs, ours]);
}

function movedRows(
  { shape, rotatedHeads }: TensorSpec,
  data: Float32Array,
  fromTo: (ours: number, theirs: number) => readonly [number, number],
): Float32Array {
  if (rotatedHeads === undefined) return data;
  const [rows = 0, columns = 1] = shape;
  const perHead = rows / rotatedHeads;
  const result = new Float32Array(data.length);
  for (let ours = 0; ours < rows; ours++) {
    const inHead = ours % perHead;
    const theirs = ours - inHead + (inHead % 2) * (perHead / 2) + Math.floor(inHead / 2);
    const [from, to] = fromTo(ours, theirs);
    result.set(data.subarray(from * columns, (from + 1) * columns), to * columns);
  }
  return result;
}
