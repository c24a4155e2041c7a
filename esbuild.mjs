// Bundles the programs of the package: command line, language server, editor client and web views.
// `--production` leaves maps out and minifies, `--editor` leaves the ledger of teams out, `--watch` goes on building,
// `--dist=FOLDER` writes elsewhere.
import { chmodSync, cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build, context } from 'esbuild';
import { noticesText, packagesOf } from './scripts/thirdPartyNotices.ts';

const production = process.argv.includes('--production');
const editorOnly = process.argv.includes('--editor');
const watch = process.argv.includes('--watch');
const dist =
  process.argv.find((arg) => arg.startsWith('--dist='))?.slice('--dist='.length) ?? 'dist';

/** Those that a lens, a thread or a hover may need; the server's code structure says which file is which language. */
const grammars = [
  'tree-sitter.wasm',
  'tree-sitter-c-sharp.wasm',
  'tree-sitter-cpp.wasm',
  'tree-sitter-go.wasm',
  'tree-sitter-java.wasm',
  'tree-sitter-javascript.wasm',
  'tree-sitter-python.wasm',
  'tree-sitter-ruby.wasm',
  'tree-sitter-rust.wasm',
  'tree-sitter-tsx.wasm',
  'tree-sitter-typescript.wasm',
];

const common = {
  bundle: true,
  sourcemap: production ? false : 'linked',
  minify: production,
  legalComments: 'linked',
  metafile: true,
  logLevel: 'warning',
};

const programs = {
  ...common,
  entryPoints: {
    cli: 'server/src/cli/main.ts',
    engineWorker: 'server/src/training/engine/engineWorker.ts',
    ggufHost: 'server/src/training/ggufHost.ts',
    server: 'server/src/lsp/main.ts',
    modelHost: 'server/src/models/modelHost.ts',
    tokenWorker: 'server/src/models/tokenWorker.ts',
  },
  outdir: dist,
  platform: 'node',
  format: 'esm',
  target: 'node24',
  splitting: true,
  // The engine finds its native parts by itself, so it stays outside. Editors never open a team's ledger, so they get none.
  // A dependency colours its output where `supports-color` happens to be installed, as it is for development alone.
  external: [
    'node-llama-cpp',
    'supports-color',
    ...(editorOnly ? ['./server/src/store/ledgerPostgres.ts'] : []),
  ],
  // Some bundled packages are CommonJS and ask for Node's modules by require.
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
};

const LANGUAGE_CLIENT = 'vscode-languageclient/node';

const languageClient = {
  ...common,
  entryPoints: { languageClient: LANGUAGE_CLIENT },
  outdir: dist,
  outExtension: { '.js': '.cjs' },
  platform: 'node',
  format: 'cjs',
  target: 'node24',
  external: ['vscode'],
};

/** In a file of its own, because it is nine tenths of the client and is not needed to activate. */
const languageClientApart = {
  name: 'language-client-apart',
  setup({ onResolve }) {
    onResolve({ filter: new RegExp(`^${LANGUAGE_CLIENT}$`) }, () => ({
      path: './languageClient.cjs',
      external: true,
    }));
  },
};

const client = {
  ...languageClient,
  entryPoints: { client: 'client/src/extension.ts' },
  plugins: [languageClientApart],
  // So that import() of the file above becomes a late require.
  supported: { 'dynamic-import': false },
};

/** Each page by itself, so that they share no file that would be asked for after the page's own. */
const webviews = ['dashboard', 'answers'].map((page) => ({
  ...common,
  entryPoints: [
    { in: `client/webview/${page}.ts`, out: page },
    { in: `client/webview/${page}.css`, out: page },
  ],
  outdir: join(dist, 'webview'),
  platform: 'browser',
  format: 'esm',
  // What a page loads later lies in files of its own.
  splitting: true,
  target: 'es2022',
}));

rmSync(dist, { recursive: true, force: true });
mkdirSync(join(dist, 'grammars'), { recursive: true });
const parser = join('node_modules', '@vscode', 'tree-sitter-wasm', 'wasm');
for (const file of grammars) cpSync(join(parser, file), join(dist, 'grammars', file));
// The guide that the editor opens.
cpSync(join('docs', 'training.md'), join(dist, 'training.md'));
const torch = join('server', 'src', 'training', 'torch');
cpSync(torch, join(dist, 'torch'), {
  recursive: true,
  filter: (source) => !source.includes('__pycache__'),
});
// Its script is CommonJS, which `.js` beside our modules would not be.
cpSync(join(parser, 'tree-sitter.js'), join(dist, 'grammars', 'tree-sitter.cjs'));
for (const form of ['relaxed', 'plain']) await compileKernels(form);
const bundles = [programs, languageClient, client, ...webviews];
if (watch) {
  for (const bundle of await Promise.all(toldOf(bundles).map(context))) await bundle.watch();
} else {
  const built = await Promise.all(bundles.map((bundle) => build(bundle)));
  // Its first line says how it is started.
  chmodSync(join(dist, 'cli.js'), 0o755);
  const inputs = built.flatMap(({ metafile }) => Object.keys(metafile.inputs));
  // The grammars are copied, not bundled.
  const notices = noticesText(packagesOf([...inputs, join(parser, 'x')], process.cwd()));
  writeFileSync(join(dist, 'ThirdPartyNotices.txt'), notices);
}

/** The kernels of the training engine, from AssemblyScript. They import their memory, which threads share. */
async function compileKernels(form) {
  const asc = await import('assemblyscript/asc');
  const features = ['threads', 'simd', ...(form === 'relaxed' ? ['relaxed-simd'] : [])];
  const { error, stderr } = await asc.main([
    'server/kernels/kernels.ts',
    ...['--outFile', join(dist, `kernels-${form}.wasm`)],
    ...['-O3', '--noAssert', '--runtime', 'stub'],
    ...['--importMemory', '--sharedMemory', '--initialMemory', '1', '--maximumMemory', '65536'],
    ...features.flatMap((feature) => ['--enable', feature]),
  ]);
  if (error)
    throw new Error(
      `expected the kernels to compile, got ${error.message.slice(0, 200)}\n${String(stderr).slice(0, 4000)}`,
    );
}

/** The same bundles, telling what the editor's watch task waits for: one start and one end for all that is built at once. */
function toldOf(all) {
  // Of the first build all are under way, whichever begins first.
  let running = all.length;
  let errorCount = 0;
  console.log('build started');
  return all.map((bundle) => {
    let isFirst = true;
    const told = {
      name: 'told',
      setup({ onStart, onEnd }) {
        onStart(() => {
          if (!isFirst && running++ === 0) console.log('build started');
          isFirst = false;
        });
        onEnd(({ errors }) => {
          for (const { location, text } of errors) {
            const { file = 'esbuild.mjs', line = 1, column = 0 } = location ?? {};
            console.log(`${file}:${line}:${column + 1}: error: ${text}`);
          }
          errorCount += errors.length;
          if (--running > 0) return;
          console.log(`build ended, ${errorCount} errors`);
          errorCount = 0;
        });
      },
    };
    return { ...bundle, logLevel: 'silent', plugins: [...(bundle.plugins ?? []), told] };
  });
}
