// Bundles the programs of the package into dist/. node-llama-cpp stays outside: it finds its native parts by itself.
import { rmSync } from 'node:fs';
import { build } from 'esbuild';

rmSync('dist', { recursive: true, force: true });
await build({
  entryPoints: {
    cli: 'server/src/cli/main.ts',
    modelHost: 'server/src/models/modelHost.ts',
    tokenWorker: 'server/src/models/tokenWorker.ts',
  },
  outdir: 'dist',
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node24',
  splitting: true,
  sourcemap: 'linked',
  legalComments: 'linked',
  logLevel: 'warning',
  external: ['node-llama-cpp'],
  // Some bundled packages are CommonJS and ask for Node's modules by require.
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
});
