/**
 * The WebAssembly kernels (`server/kernels/`, compiled by the build) in two forms: with relaxed SIMD, whose fused
 * multiply-add is twice as fast, and with plain SIMD for engines that lack it. Both read and write one shared memory.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { findPackageJSON } from 'node:module';
import { dirname, join } from 'node:path';

export type KernelForm = 'relaxed' | 'plain';

/** Pointers are in bytes, sizes and strides in floats; `server/kernels/` tells what each does. */
export interface Kernels {
  matmul(
    m: number,
    n: number,
    k: number,
    a: number,
    aRow: number,
    aDepth: number,
    b: number,
    bDepth: number,
    bColumn: number,
    c: number,
    cRow: number,
    add: 0 | 1,
    work: number,
  ): void;
  rmsNorm(
    x: number,
    weight: number,
    y: number,
    inverse: number,
    rows: number,
    size: number,
    eps: number,
  ): void;
  rmsNormBackward(
    x: number,
    weight: number,
    inverse: number,
    dy: number,
    dx: number,
    dWeight: number,
    rows: number,
    size: number,
  ): void;
  rope(
    x: number,
    cosines: number,
    sines: number,
    rows: number,
    heads: number,
    size: number,
    length: number,
    direction: 1 | -1,
  ): void;
  swiglu(gate: number, up: number, out: number, size: number): void;
  swigluBackward(gate: number, up: number, dOut: number, size: number): void;
  addInto(x: number, y: number, size: number): void;
  copy(to: number, from: number, size: number): void;
  fillZero(x: number, size: number): void;
  embed(ids: number, table: number, x: number, rows: number, size: number): void;
  embedBackward(ids: number, dx: number, dTable: number, rows: number, size: number): void;
  causalSoftmax(
    scores: number,
    logSums: number,
    rows: number,
    columns: number,
    first: number,
    scale: number,
  ): void;
  causalSoftmaxBackward(
    scores: number,
    dWeights: number,
    logSums: number,
    outDots: number,
    rows: number,
    columns: number,
    first: number,
    scale: number,
  ): void;
  rowDots(x: number, y: number, out: number, rows: number, size: number, stride: number): void;
  crossEntropy(
    logits: number,
    targets: number,
    losses: number,
    rows: number,
    size: number,
    scale: number,
  ): void;
  sumSquares(x: number, size: number): number;
  adamw(
    weights: number,
    gradients: number,
    means: number,
    variances: number,
    size: number,
    gradientScale: number,
    keep: number,
    stepSize: number,
    beta1: number,
    beta2: number,
    varianceScale: number,
    eps: number,
  ): void;
}

/** The kernels' own constants lie below; everything else begins here. */
export const KERNEL_RESERVED_BYTES = 65_536;
/** What `matmul` packs its operands into: room for 96 rows and 1,024 columns, 256 deep, and one tile. */
export const MATMUL_WORKSPACE_BYTES = ((96 + 1024) * 256 + 64) * 4;
export const PAGE_BYTES = 65_536;
/** 4 GiB, all that 32-bit pointers reach. */
export const MAX_PAGES = 65_536;

/** A module of one function that multiplies and adds in the relaxed way; an engine without it finds it invalid. */
const relaxedProbe = Uint8Array.of(
  ...[0, 97, 115, 109, 1, 0, 0, 0],
  ...[1, 5, 1, 96, 0, 1, 123],
  ...[3, 2, 1, 0],
  ...[10, 19, 1, 17, 0, 65, 0, 253, 17, 65, 0, 253, 17, 65, 0, 253, 17, 253, 133, 2, 11],
);

export function bestKernelForm(): KernelForm {
  return WebAssembly.validate(relaxedProbe) ? 'relaxed' : 'plain';
}

export async function compileKernels(form: KernelForm): Promise<WebAssembly.Module> {
  return await WebAssembly.compile(await readFile(kernelFile(`kernels-${form}.wasm`)));
}

/** Beside the bundled program, or in `dist/` of the checkout that this source lies in. */
function kernelFile(name: string): string {
  const beside = join(import.meta.dirname, name);
  if (existsSync(beside)) return beside;
  const manifest = findPackageJSON('..', import.meta.url);
  const built = join(manifest === undefined ? '.' : dirname(manifest), 'dist', name);
  if (existsSync(built)) return built;
  throw new Error(`expected the kernels ${name} in ${built}, found none; run: npm run build`);
}

export function startKernels(module: WebAssembly.Module, memory: WebAssembly.Memory): Kernels {
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  return exports as unknown as Kernels;
}
