/** Softmax in attention and at the end. Pointers are in bytes, sizes in floats. */
import { exp1, exp4, largestOf, multiplyAdd, sumOf } from './vector';

/** The largest of a row. */
@inline
function rowLargest(x: usize, size: i32): f32 {
  const whole = size & ~3;
  let largest4 = f32x4.splat(-Infinity);
  for (let i = 0; i < whole; i += 4) largest4 = f32x4.max(largest4, v128.load(x + (i << 2)));
  let largest = largestOf(largest4);
  for (let i = whole; i < size; i++) largest = max(largest, load<f32>(x + (i << 2)));
  return largest;
}

/** x = e^(x * scale - shift) for a row; returns the sum. */
@inline
function rowExp(x: usize, size: i32, scale: f32, shift: f32): f32 {
  const whole = size & ~3;
  const scale4 = f32x4.splat(scale);
  const shift4 = f32x4.splat(-shift);
  let sum4 = f32x4.splat(0);
  for (let i = 0; i < whole; i += 4) {
    const value = exp4(multiplyAdd(v128.load(x + (i << 2)), scale4, shift4));
    v128.store(x + (i << 2), value);
    sum4 = f32x4.add(sum4, value);
  }
  let sum = sumOf(sum4);
  for (let i = whole; i < size; i++) {
    const value = exp1(load<f32>(x + (i << 2)) * scale - shift);
    store<f32>(x + (i << 2), value);
    sum += value;
  }
  return sum;
}

@inline
function rowScale(x: usize, size: i32, scale: f32): void {
  const whole = size & ~3;
  const scale4 = f32x4.splat(scale);
  for (let i = 0; i < whole; i += 4) {
    v128.store(x + (i << 2), f32x4.mul(v128.load(x + (i << 2)), scale4));
  }
  for (let i = whole; i < size; i++) store<f32>(x + (i << 2), load<f32>(x + (i << 2)) * scale);
}

/**
 * Scores of a block of queries become weights: softmax over the keys up to the query's own place, nothing after it.
 *
 * @param first place of the first query in its sequence
 * @param logSums one a query, kept for the way back
 * @param columns keys of a row, all that any query of the block sees
 */
export function causalSoftmax(
  scores: usize, logSums: usize, rows: i32, columns: i32, first: i32, scale: f32,
): void {
  for (let row = 0; row < rows; row++) {
    const seen = min(first + row + 1, columns);
    const largest = rowLargest(scores, seen) * scale;
    const sum = rowExp(scores, seen, scale, largest);
    rowScale(scores, seen, <f32>1 / sum);
    memory.fill(scores + (seen << 2), 0, <usize>(columns - seen) << 2);
    store<f32>(logSums + (row << 2), largest + <f32>Math.log(<f64>sum));
    scores += <usize>columns << 2;
  }
}

/**
 * Scores become weights again, and gradients of weights become gradients of scores.
 *
 * @param outDots one a query: its output times the gradient of its output
 */
export function causalSoftmaxBackward(
  scores: usize, dWeights: usize, logSums: usize, outDots: usize,
  rows: i32, columns: i32, first: i32, scale: f32,
): void {
  const scale4 = f32x4.splat(scale);
  for (let row = 0; row < rows; row++) {
    const seen = min(first + row + 1, columns);
    rowExp(scores, seen, scale, load<f32>(logSums + (row << 2)));
    const dot = load<f32>(outDots + (row << 2));
    const dot4 = f32x4.splat(dot);
    const whole = seen & ~3;
    for (let i = 0; i < whole; i += 4) {
      const at = i << 2;
      const change = f32x4.sub(v128.load(dWeights + at), dot4);
      v128.store(dWeights + at, f32x4.mul(f32x4.mul(v128.load(scores + at), change), scale4));
    }
    for (let i = whole; i < seen; i++) {
      const at = i << 2;
      store<f32>(dWeights + at, load<f32>(scores + at) * (load<f32>(dWeights + at) - dot) * scale);
    }
    const rest = <usize>(columns - seen) << 2;
    memory.fill(scores + (seen << 2), 0, rest);
    memory.fill(dWeights + (seen << 2), 0, rest);
    scores += <usize>columns << 2;
    dWeights += <usize>columns << 2;
  }
}

/** out[row] = x[row] . y[row], for rows that lie `stride` floats apart. */
export function rowDots(x: usize, y: usize, out: usize, rows: i32, size: i32, stride: i32): void {
  const whole = size & ~3;
  for (let row = 0; row < rows; row++) {
    let sum4 = f32x4.splat(0);
    for (let i = 0; i < whole; i += 4) {
      sum4 = multiplyAdd(v128.load(x + (i << 2)), v128.load(y + (i << 2)), sum4);
    }
    let sum = sumOf(sum4);
    for (let i = whole; i < size; i++) sum += load<f32>(x + (i << 2)) * load<f32>(y + (i << 2));
    store<f32>(out + (row << 2), sum);
    x += <usize>stride << 2;
    y += <usize>stride << 2;
  }
}

/**
 * Loss of every row in nats. Where `scale` is not 0, logits become gradients of the sum of losses times `scale`.
 */
export function crossEntropy(
  logits: usize, targets: usize, losses: usize, rows: i32, size: i32, scale: f32,
): void {
  for (let row = 0; row < rows; row++) {
    const target = <usize>load<i32>(targets + (row << 2)) << 2;
    const wanted = load<f32>(logits + target);
    const largest = rowLargest(logits, size);
    const sum = rowExp(logits, size, 1, largest);
    store<f32>(losses + (row << 2), <f32>(Math.log(<f64>sum) + <f64>largest - <f64>wanted));
    if (scale != 0) {
      rowScale(logits, size, scale / sum);
      store<f32>(logits + target, load<f32>(logits + target) - scale);
    }
    logits += <usize>size << 2;
  }
}
