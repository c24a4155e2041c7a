/** What the kernels share: four floats at a time. */

@inline
export function multiplyAdd(a: v128, b: v128, sum: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD
    ? f32x4.relaxed_madd(a, b, sum)
    : f32x4.add(f32x4.mul(a, b), sum);
}

@inline
export function sumOf(x: v128): f32 {
  return (
    f32x4.extract_lane(x, 0) + f32x4.extract_lane(x, 1) +
    (f32x4.extract_lane(x, 2) + f32x4.extract_lane(x, 3))
  );
}

@inline
export function largestOf(x: v128): f32 {
  return max(
    max(f32x4.extract_lane(x, 0), f32x4.extract_lane(x, 1)),
    max(f32x4.extract_lane(x, 2), f32x4.extract_lane(x, 3)),
  );
}

/**
 * e^x to about 1e-7: x = n ln 2 + r with |r| <= ln 2 / 2, e^r by its Taylor polynomial to the sixth power, and n into the
 * exponent's bits. Below -87 it is 2^-126, as good as nothing.
 */
@inline
export function exp4(x: v128): v128 {
  // NaN passes through: min and max of WebAssembly keep it.
  const bounded = f32x4.min(f32x4.max(x, f32x4.splat(-87.3)), f32x4.splat(88.3));
  const n = f32x4.nearest(f32x4.mul(bounded, f32x4.splat(1.4426950408889634)));
  // ln 2 in two parts, so that the difference keeps its low bits.
  const high = multiplyAdd(n, f32x4.splat(-0.693359375), bounded);
  const r = multiplyAdd(n, f32x4.splat(2.12194440e-4), high);
  let p = f32x4.splat(0.001388888888888889);
  p = multiplyAdd(p, r, f32x4.splat(0.008333333333333333));
  p = multiplyAdd(p, r, f32x4.splat(0.041666666666666664));
  p = multiplyAdd(p, r, f32x4.splat(0.16666666666666666));
  p = multiplyAdd(p, r, f32x4.splat(0.5));
  p = multiplyAdd(p, r, f32x4.splat(1));
  p = multiplyAdd(p, r, f32x4.splat(1));
  const bits = i32x4.shl(i32x4.add(i32x4.trunc_sat_f32x4_s(n), i32x4.splat(127)), 23);
  return f32x4.mul(p, bits);
}

@inline
export function exp1(x: f32): f32 {
  return f32x4.extract_lane(exp4(f32x4.splat(x)), 0);
}
