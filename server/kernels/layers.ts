/** The parts of a layer beside its products, forward and backward. Pointers are in bytes, sizes in floats. */
import { exp1, exp4, multiplyAdd, sumOf } from './vector';

/** y = x / rms(x) * weight for every row; keeps 1 / rms for the way back. */
export function rmsNorm(
  x: usize, weight: usize, y: usize, inverse: usize, rows: i32, size: i32, eps: f32,
): void {
  const whole = size & ~3;
  for (let row = 0; row < rows; row++) {
    let sum4 = f32x4.splat(0);
    for (let i = 0; i < whole; i += 4) {
      const value = v128.load(x + (i << 2));
      sum4 = multiplyAdd(value, value, sum4);
    }
    let sum = sumOf(sum4);
    for (let i = whole; i < size; i++) {
      const value = load<f32>(x + (i << 2));
      sum += value * value;
    }
    const scale: f32 = <f32>1 / sqrt<f32>(sum / <f32>size + eps);
    store<f32>(inverse + (row << 2), scale);
    const scale4 = f32x4.splat(scale);
    for (let i = 0; i < whole; i += 4) {
      const at = i << 2;
      v128.store(y + at, f32x4.mul(f32x4.mul(v128.load(x + at), scale4), v128.load(weight + at)));
    }
    for (let i = whole; i < size; i++) {
      const at = i << 2;
      store<f32>(y + at, load<f32>(x + at) * scale * load<f32>(weight + at));
    }
    x += <usize>size << 2;
    y += <usize>size << 2;
  }
}

/** Adds to dx and dWeight. */
export function rmsNormBackward(
  x: usize, weight: usize, inverse: usize, dy: usize, dx: usize, dWeight: usize, rows: i32, size: i32,
): void {
  const whole = size & ~3;
  for (let row = 0; row < rows; row++) {
    const scale = load<f32>(inverse + (row << 2));
    const scale4 = f32x4.splat(scale);
    let dot4 = f32x4.splat(0);
    for (let i = 0; i < whole; i += 4) {
      const at = i << 2;
      const product = f32x4.mul(v128.load(dy + at), v128.load(x + at));
      dot4 = multiplyAdd(product, v128.load(weight + at), dot4);
      v128.store(dWeight + at, multiplyAdd(product, scale4, v128.load(dWeight + at)));
    }
    let dot = sumOf(dot4);
    for (let i = whole; i < size; i++) {
      const at = i << 2;
      const product = load<f32>(dy + at) * load<f32>(x + at);
      dot += product * load<f32>(weight + at);
      store<f32>(dWeight + at, load<f32>(dWeight + at) + product * scale);
    }
    const pull: f32 = -scale * scale * scale * dot / <f32>size;
    const pull4 = f32x4.splat(pull);
    for (let i = 0; i < whole; i += 4) {
      const at = i << 2;
      const straight = f32x4.mul(v128.load(dy + at), v128.load(weight + at));
      const change = multiplyAdd(v128.load(x + at), pull4, v128.load(dx + at));
      v128.store(dx + at, multiplyAdd(straight, scale4, change));
    }
    for (let i = whole; i < size; i++) {
      const at = i << 2;
      const straight = load<f32>(dy + at) * load<f32>(weight + at) * scale;
      store<f32>(dx + at, load<f32>(dx + at) + straight + load<f32>(x + at) * pull);
    }
    x += <usize>size << 2;
    dy += <usize>size << 2;
    dx += <usize>size << 2;
  }
}

/**
 * Turns the pairs (0,1), (2,3), … of every head, in place, by the angles of their position.
 *
 * @param cosines `[length, size / 2]`, as are the sines
 * @param length of a sequence; rows are whole sequences one after the other
 * @param direction 1 forward; -1 turns back, which is also the way of gradients
 */
export function rope(
  x: usize, cosines: usize, sines: usize, rows: i32, heads: i32, size: i32, length: i32, direction: f32,
): void {
  const half = size >> 1;
  const whole = half & ~3;
  const sign4 = f32x4.splat(direction);
  for (let row = 0; row < rows; row++) {
    const table = <usize>((row % length) * half) << 2;
    for (let head = 0; head < heads; head++) {
      for (let i = 0; i < whole; i += 4) {
        const at = x + (i << 3);
        const cosine = v128.load(cosines + table + (i << 2));
        const sine = f32x4.mul(v128.load(sines + table + (i << 2)), sign4);
        const low = v128.load(at);
        const high = v128.load(at, 16);
        const even = v128.shuffle<f32>(low, high, 0, 2, 4, 6);
        const odd = v128.shuffle<f32>(low, high, 1, 3, 5, 7);
        const first = f32x4.sub(f32x4.mul(even, cosine), f32x4.mul(odd, sine));
        const second = f32x4.add(f32x4.mul(even, sine), f32x4.mul(odd, cosine));
        v128.store(at, v128.shuffle<f32>(first, second, 0, 4, 1, 5));
        v128.store(at, v128.shuffle<f32>(first, second, 2, 6, 3, 7), 16);
      }
      for (let i = whole; i < half; i++) {
        const at = x + (i << 3);
        const cosine = load<f32>(cosines + table + (i << 2));
        const sine = load<f32>(sines + table + (i << 2)) * direction;
        const even = load<f32>(at);
        const odd = load<f32>(at, 4);
        store<f32>(at, even * cosine - odd * sine);
        store<f32>(at, even * sine + odd * cosine, 4);
      }
      x += <usize>size << 2;
    }
  }
}

@inline
function sigmoid4(x: v128): v128 {
  return f32x4.div(f32x4.splat(1), f32x4.add(f32x4.splat(1), exp4(f32x4.neg(x))));
}

/** out = gate * sigmoid(gate) * up */
export function swiglu(gate: usize, up: usize, out: usize, size: i32): void {
  const whole = size & ~3;
  for (let i = 0; i < whole; i += 4) {
    const at = i << 2;
    const g = v128.load(gate + at);
    v128.store(out + at, f32x4.mul(f32x4.mul(g, sigmoid4(g)), v128.load(up + at)));
  }
  for (let i = whole; i < size; i++) {
    const at = i << 2;
    const g = load<f32>(gate + at);
    store<f32>(out + at, (g / (<f32>1 + exp1(-g))) * load<f32>(up + at));
  }
}

/** Takes d(out) in `dOut`; leaves out there again, and the gradients of gate and up in their places. */
export function swigluBackward(gate: usize, up: usize, dOut: usize, size: i32): void {
  const whole = size & ~3;
  const one = f32x4.splat(1);
  for (let i = 0; i < whole; i += 4) {
    const at = i << 2;
    const g = v128.load(gate + at);
    const u = v128.load(up + at);
    const d = v128.load(dOut + at);
    const s = sigmoid4(g);
    const silu = f32x4.mul(g, s);
    // d silu / dg = s + silu (1 - s)
    const slope = multiplyAdd(silu, f32x4.sub(one, s), s);
    v128.store(gate + at, f32x4.mul(f32x4.mul(d, u), slope));
    v128.store(up + at, f32x4.mul(d, silu));
    v128.store(dOut + at, f32x4.mul(silu, u));
  }
  for (let i = whole; i < size; i++) {
    const at = i << 2;
    const g = load<f32>(gate + at);
    const u = load<f32>(up + at);
    const d = load<f32>(dOut + at);
    const s = <f32>1 / (<f32>1 + exp1(-g));
    const silu = g * s;
    store<f32>(gate + at, d * u * (s + silu * (<f32>1 - s)));
    store<f32>(up + at, d * silu);
    store<f32>(dOut + at, silu * u);
  }
}

/** x += y */
export function addInto(x: usize, y: usize, size: i32): void {
  const whole = size & ~3;
  for (let i = 0; i < whole; i += 4) {
    const at = i << 2;
    v128.store(x + at, f32x4.add(v128.load(x + at), v128.load(y + at)));
  }
  for (let i = whole; i < size; i++) {
    const at = i << 2;
    store<f32>(x + at, load<f32>(x + at) + load<f32>(y + at));
  }
}

export function copy(to: usize, from: usize, size: i32): void {
  memory.copy(to, from, <usize>size << 2);
}

export function fillZero(x: usize, size: i32): void {
  memory.fill(x, 0, <usize>size << 2);
}

/** The rows of the table that the ids name. */
export function embed(ids: usize, table: usize, x: usize, rows: i32, size: i32): void {
  const bytes = <usize>size << 2;
  for (let row = 0; row < rows; row++) {
    memory.copy(x, table + <usize>load<i32>(ids + (row << 2)) * bytes, bytes);
    x += bytes;
  }
}

/** Adds each row of dx to the row of the table that it came from. */
export function embedBackward(ids: usize, dx: usize, dTable: usize, rows: i32, size: i32): void {
  const bytes = <usize>size << 2;
  for (let row = 0; row < rows; row++) {
    addInto(dTable + <usize>load<i32>(ids + (row << 2)) * bytes, dx, size);
    dx += bytes;
  }
}
