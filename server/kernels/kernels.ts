/** Everything that a thread of the training engine calls. Compiled twice, with and without relaxed SIMD (esbuild.mjs). */
export * from './matmul';
export * from './layers';
export * from './softmax';
export * from './optimizer';
