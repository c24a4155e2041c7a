/** AdamW, as PyTorch computes it. Pointers are in bytes, sizes in floats. */
import { multiplyAdd } from './vector';

/** Sum of squares, in 64 bits. */
export function sumSquares(x: usize, size: i32): f64 {
  const whole = size & ~3;
  let low = f64x2.splat(0);
  let high = f64x2.splat(0);
  for (let i = 0; i < whole; i += 4) {
    const value = v128.load(x + (i << 2));
    const first = f64x2.promote_low_f32x4(value);
    const second = f64x2.promote_low_f32x4(v128.shuffle<f32>(value, value, 2, 3, 2, 3));
    low = f64x2.add(low, f64x2.mul(first, first));
    high = f64x2.add(high, f64x2.mul(second, second));
  }
  const both = f64x2.add(low, high);
  let sum = f64x2.extract_lane(both, 0) + f64x2.extract_lane(both, 1);
  for (let i = whole; i < size; i++) {
    const value = <f64>load<f32>(x + (i << 2));
    sum += value * value;
  }
  return sum;
}

/**
 * @param gradientScale what clipping leaves of the gradient
 * @param keep 1 - lr * decay
 * @param stepSize lr / (1 - beta1^t)
 * @param varianceScale 1 / sqrt(1 - beta2^t)
 */
export function adamw(
  weights: usize, gradients: usize, means: usize, variances: usize, size: i32,
  gradientScale: f32, keep: f32, stepSize: f32, beta1: f32, beta2: f32, varianceScale: f32, eps: f32,
): void {
  const whole = size & ~3;
  const scale4 = f32x4.splat(gradientScale);
  const keep4 = f32x4.splat(keep);
  const step4 = f32x4.splat(-stepSize);
  const beta14 = f32x4.splat(beta1);
  const new14 = f32x4.splat(<f32>1 - beta1);
  const beta24 = f32x4.splat(beta2);
  const new24 = f32x4.splat(<f32>1 - beta2);
  const varianceScale4 = f32x4.splat(varianceScale);
  const eps4 = f32x4.splat(eps);
  for (let i = 0; i < whole; i += 4) {
    const at = i << 2;
    const g = f32x4.mul(v128.load(gradients + at), scale4);
    const mean = multiplyAdd(v128.load(means + at), beta14, f32x4.mul(g, new14));
    const variance = multiplyAdd(v128.load(variances + at), beta24, f32x4.mul(f32x4.mul(g, g), new24));
    v128.store(means + at, mean);
    v128.store(variances + at, variance);
    const divisor = multiplyAdd(f32x4.sqrt(variance), varianceScale4, eps4);
    const kept = f32x4.mul(v128.load(weights + at), keep4);
    v128.store(weights + at, multiplyAdd(f32x4.div(mean, divisor), step4, kept));
  }
  for (let i = whole; i < size; i++) {
    const at = i << 2;
    const g = load<f32>(gradients + at) * gradientScale;
    const mean = load<f32>(means + at) * beta1 + g * (<f32>1 - beta1);
    const variance = load<f32>(variances + at) * beta2 + g * g * (<f32>1 - beta2);
    store<f32>(means + at, mean);
    store<f32>(variances + at, variance);
    const divisor = sqrt<f32>(variance) * varianceScale + eps;
    store<f32>(weights + at, load<f32>(weights + at) * keep - (mean / divisor) * stepSize);
  }
}
