/**
 * C (m x n, row-major) = A B, or C += A B, in 32-bit floats. A and B are given with a stride for each of their two
 * directions, so that a transposed matrix is the same memory with its strides exchanged.
 *
 * Built as Goto and van de Geijn describe ("Anatomy of High-Performance Matrix Multiplication", 2008): blocks of B and A are
 * packed so that the innermost loop reads both in order, and a tile of C stays in registers over it.
 */

import { multiplyAdd } from './vector';

/** Rows and columns of the tile in registers: 12 of the 16 vector registers of x86-64 hold sums. */
const TILE_ROWS: i32 = 6;
const TILE_COLUMNS: i32 = 8;
/** Depth of a block; one packed column strip (8 KB) stays in the first cache. */
const DEPTH: i32 = 256;
/** Rows of a packed block of A (96 KB), for the second cache. A multiple of TILE_ROWS. */
const BLOCK_ROWS: i32 = 96;
/** Columns of a packed block of B (1 MB). */
const BLOCK_COLUMNS: i32 = 1024;

/**
 * @param aRow distance between rows of A in floats, and `aDepth` between its columns; `bDepth` and `bColumn` likewise
 * @param add 0: C is overwritten, 1: the product is added to it
 * @param work (BLOCK_ROWS + BLOCK_COLUMNS) * DEPTH floats and a tile; `MATMUL_WORKSPACE_BYTES` of the engine
 */
export function matmul(
  m: i32, n: i32, k: i32,
  a: usize, aRow: i32, aDepth: i32,
  b: usize, bDepth: i32, bColumn: i32,
  c: usize, cRow: i32,
  add: i32,
  work: usize,
): void {
  const packedA = work;
  const packedB = packedA + ((BLOCK_ROWS * DEPTH) << 2);
  const edge = packedB + ((BLOCK_COLUMNS * DEPTH) << 2);
  for (let column = 0; column < n; column += BLOCK_COLUMNS) {
    const columns = min(n - column, BLOCK_COLUMNS);
    for (let depth = 0; depth < k; depth += DEPTH) {
      const depths = min(k - depth, DEPTH);
      packColumns(
        b + (((<isize>depth * bDepth + <isize>column * bColumn)) << 2),
        bDepth, bColumn, depths, columns, packedB,
      );
      const overwrite = add == 0 && depth == 0;
      for (let row = 0; row < m; row += BLOCK_ROWS) {
        const rows = min(m - row, BLOCK_ROWS);
        packRows(
          a + (((<isize>row * aRow + <isize>depth * aDepth)) << 2),
          aRow, aDepth, rows, depths, packedA,
        );
        for (let j = 0; j < columns; j += TILE_COLUMNS) {
          const strip = packedB + ((j * depths) << 2);
          const wide = columns - j >= TILE_COLUMNS;
          for (let i = 0; i < rows; i += TILE_ROWS) {
            const target = c + (((<isize>(row + i) * cRow + column + j)) << 2);
            const panel = packedA + ((i * depths) << 2);
            if (wide && rows - i >= TILE_ROWS) {
              tile(depths, panel, strip, target, cRow, overwrite);
            } else {
              tile(depths, panel, strip, edge, TILE_COLUMNS, true);
              copyEdge(edge, target, cRow, min(rows - i, TILE_ROWS), min(columns - j, TILE_COLUMNS), overwrite);
            }
          }
        }
      }
    }
  }
}

function copyEdge(edge: usize, target: usize, cRow: i32, rows: i32, columns: i32, overwrite: bool): void {
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      const at = target + ((i * cRow + j) << 2);
      const value = load<f32>(edge + ((i * TILE_COLUMNS + j) << 2));
      store<f32>(at, overwrite ? value : load<f32>(at) + value);
    }
  }
}

@inline
function put(at: usize, low: v128, high: v128, overwrite: bool): void {
  if (!overwrite) {
    low = f32x4.add(low, v128.load(at));
    high = f32x4.add(high, v128.load(at, 16));
  }
  v128.store(at, low);
  v128.store(at, high, 16);
}

/** One tile of C over a whole block of depth. */
function tile(depths: i32, a: usize, b: usize, c: usize, cRow: i32, overwrite: bool): void {
  let c00 = f32x4.splat(0), c01 = f32x4.splat(0);
  let c10 = f32x4.splat(0), c11 = f32x4.splat(0);
  let c20 = f32x4.splat(0), c21 = f32x4.splat(0);
  let c30 = f32x4.splat(0), c31 = f32x4.splat(0);
  let c40 = f32x4.splat(0), c41 = f32x4.splat(0);
  let c50 = f32x4.splat(0), c51 = f32x4.splat(0);
  const end = b + (<usize>depths << 5);
  while (b < end) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    let x = v128.load32_splat(a);
    c00 = multiplyAdd(x, b0, c00);
    c01 = multiplyAdd(x, b1, c01);
    x = v128.load32_splat(a, 4);
    c10 = multiplyAdd(x, b0, c10);
    c11 = multiplyAdd(x, b1, c11);
    x = v128.load32_splat(a, 8);
    c20 = multiplyAdd(x, b0, c20);
    c21 = multiplyAdd(x, b1, c21);
    x = v128.load32_splat(a, 12);
    c30 = multiplyAdd(x, b0, c30);
    c31 = multiplyAdd(x, b1, c31);
    x = v128.load32_splat(a, 16);
    c40 = multiplyAdd(x, b0, c40);
    c41 = multiplyAdd(x, b1, c41);
    x = v128.load32_splat(a, 20);
    c50 = multiplyAdd(x, b0, c50);
    c51 = multiplyAdd(x, b1, c51);
    a += 24;
    b += 32;
  }
  const row = <usize>cRow << 2;
  put(c, c00, c01, overwrite);
  put(c + row, c10, c11, overwrite);
  put(c + row * 2, c20, c21, overwrite);
  put(c + row * 3, c30, c31, overwrite);
  put(c + row * 4, c40, c41, overwrite);
  put(c + row * 5, c50, c51, overwrite);
}

/** Strips of TILE_COLUMNS columns: for each depth its columns side by side, zeros past the last. */
function packColumns(b: usize, bDepth: i32, bColumn: i32, depths: i32, columns: i32, to: usize): void {
  for (let j = 0; j < columns; j += TILE_COLUMNS) {
    const from = b + ((<isize>j * bColumn) << 2);
    const width = min(columns - j, TILE_COLUMNS);
    if (width < TILE_COLUMNS) {
      packEdge(from, bDepth, bColumn, depths, width, TILE_COLUMNS, to);
    } else if (bColumn == 1) {
      let source = from;
      for (let p = 0; p < depths; p++) {
        v128.store(to + (p << 5), v128.load(source));
        v128.store(to + (p << 5), v128.load(source, 16), 16);
        source += <usize>bDepth << 2;
      }
    } else if (bDepth == 1) {
      const step = <usize>bColumn << 2;
      const whole = depths & ~3;
      for (let p = 0; p < whole; p += 4) {
        transpose4(from + (p << 2), step, to + (p << 5), 32);
        transpose4(from + step * 4 + (p << 2), step, to + (p << 5) + 16, 32);
      }
      packEdge(from + (whole << 2), bDepth, bColumn, depths - whole, width, TILE_COLUMNS, to + (whole << 5));
    } else {
      packEdge(from, bDepth, bColumn, depths, width, TILE_COLUMNS, to);
    }
    to += <usize>(depths * TILE_COLUMNS) << 2;
  }
}

/** Panels of TILE_ROWS rows: for each depth its rows side by side, zeros past the last. */
function packRows(a: usize, aRow: i32, aDepth: i32, rows: i32, depths: i32, to: usize): void {
  for (let i = 0; i < rows; i += TILE_ROWS) {
    const from = a + ((<isize>i * aRow) << 2);
    const height = min(rows - i, TILE_ROWS);
    if (height < TILE_ROWS) {
      packEdge(from, aDepth, aRow, depths, height, TILE_ROWS, to);
    } else if (aRow == 1) {
      let source = from;
      let target = to;
      for (let p = 0; p < depths; p++) {
        v128.store(target, v128.load(source));
        store<u64>(target, load<u64>(source, 16), 16);
        source += <usize>aDepth << 2;
        target += 24;
      }
    } else if (aDepth == 1) {
      const step = <usize>aRow << 2;
      const whole = depths & ~3;
      for (let p = 0; p < whole; p += 4) {
        const source = from + (p << 2);
        const target = to + p * 24;
        transpose4(source, step, target, 24);
        transpose2(source + step * 4, step, target + 16, 24);
      }
      packEdge(from + (whole << 2), aDepth, aRow, depths - whole, height, TILE_ROWS, to + whole * 24);
    } else {
      packEdge(from, aDepth, aRow, depths, height, TILE_ROWS, to);
    }
    to += <usize>(depths * TILE_ROWS) << 2;
  }
}

function packEdge(from: usize, depthStep: i32, step: i32, depths: i32, width: i32, full: i32, to: usize): void {
  for (let p = 0; p < depths; p++) {
    for (let j = 0; j < full; j++) {
      const value = j < width ? load<f32>(from + ((<isize>p * depthStep + <isize>j * step) << 2)) : 0;
      store<f32>(to + ((p * full + j) << 2), value);
    }
  }
}

/** Four runs of four, `step` bytes apart, become four columns at distances of `row` bytes. */
@inline
function transpose4(from: usize, step: usize, to: usize, row: usize): void {
  const r0 = v128.load(from);
  const r1 = v128.load(from + step);
  const r2 = v128.load(from + step * 2);
  const r3 = v128.load(from + step * 3);
  const t0 = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5);
  const t1 = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7);
  const t2 = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5);
  const t3 = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7);
  v128.store(to, v128.shuffle<f32>(t0, t2, 0, 1, 4, 5));
  v128.store(to + row, v128.shuffle<f32>(t0, t2, 2, 3, 6, 7));
  v128.store(to + row * 2, v128.shuffle<f32>(t1, t3, 0, 1, 4, 5));
  v128.store(to + row * 3, v128.shuffle<f32>(t1, t3, 2, 3, 6, 7));
}

@inline
function transpose2(from: usize, step: usize, to: usize, row: usize): void {
  const r0 = v128.load(from);
  const r1 = v128.load(from + step);
  const low = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5);
  const high = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7);
  store<u64>(to, v128.extract_lane<u64>(low, 0));
  store<u64>(to + row, v128.extract_lane<u64>(low, 1));
  store<u64>(to + row * 2, v128.extract_lane<u64>(high, 0));
  store<u64>(to + row * 3, v128.extract_lane<u64>(high, 1));
}
