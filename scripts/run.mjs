// What `npm run <name>` starts: sets up what is missing, then runs the command on the project's own Node.
import { spawn } from 'node:child_process';
import { delimiter, dirname, join } from 'node:path';
import { ensureBundles, ensurePackages, projectNode, root } from './setup.mjs';

const [name = 'setup', ...args] = process.argv.slice(2);

ensurePackages();
const node = projectNode();
const bin = (tool) => join(root, 'node_modules', '.bin', tool);

/** Those of the command line's own first line. */
const firstLineFlags = ['--max-semi-space-size=8', '--initial-old-space-size=32'];

/** Each command as the programs it runs in order; the first that fails ends it. */
const commands = {
  setup: () => [],
  demo: () => [[node, ['dist/cli.js', 'demo', ...args]]],
  cli: () => [
    [node, [...firstLineFlags, join(root, 'dist/cli.js'), ...args], process.env.INIT_CWD],
  ],
  'demo:train': () => [[node, ['scripts/demoTrain.mjs']]],
  // The first run installs PyTorch, which takes longer than a file of tests may otherwise.
  'test:torch': () => [
    [node, ['scripts/test.mjs', 'test/torch/'], root, { COST_AWARE_ROUTER_PROOF: 'full' }],
  ],
  test: () => [[node, ['scripts/test.mjs', ...args]]],
  watch: () => [[node, ['esbuild.mjs', '--watch', ...args]]],
  // Some thousand requests of Schemathesis's making against the REST edge; `npm test` has a short form.
  'test:schemathesis': () => [
    [
      node,
      ['scripts/test.mjs', 'test/edges/httpSchemathesis'],
      root,
      { COST_AWARE_ROUTER_SCHEMATHESIS: args[0] ?? '200' },
    ],
  ],
  // Programs of others against the OpenAI-compatible calls, a coding agent among them; `npm test` has the lighter ones.
  'test:clients': () => [
    [node, ['scripts/test.mjs', 'test/clients'], root, { COST_AWARE_ROUTER_CLIENTS: 'full' }],
  ],
  // Fails when a part fails; what could not be found out here is told as left out.
  'release:check': () => [[node, ['scripts/releaseCheck.ts', ...args]]],
  // The docs as a site with search: into build/site, or served while they are written.
  'docs:build': () => [[node, ['scripts/docsSite.ts', 'build', ...args]]],
  'docs:dev': () => [[node, ['scripts/docsSite.ts', 'dev', ...args]]],
  'docker:steps': () => [[node, ['scripts/dockerSteps.mjs']]],
  sbom: () => [[node, ['scripts/sbom.mjs']]],
  package: () => [[node, ['scripts/packageVsix.mjs', ...args]]],
  fuzz: () => [[node, ['test/fuzz/fuzz.ts', ...args]]],
  soak: () => [[node, ['test/soak/soak.ts', ...args]]],
  simulate: () => [[node, ['test/simulate/simulate.ts', ...args]]],
  bench: () => [[node, ['test/bench/bench.ts', ...args]]],
  'compare:routers': () => [[node, ['test/bench/compareRouters.ts', ...args]]],
  'bench:training': () => [[node, ['test/bench/trainingBesideTorch.ts', ...args]]],
  // What clients of OpenAI get of this project's REST server and of LiteLLM's proxy.
  'compare:clients': () => [[node, ['test/bench/clientsBesideLitellm.ts', ...args]]],
  'compare:litellm': () => [[node, ['test/bench/budgetBesideLitellm.ts']]],
  // Every proof of docs/MONEY.md in its long form; `npm test` runs the short ones. Further parts of tests come along:
  // `npm run prove -- test/` runs all tests there are, and none of them twice.
  prove: () => [
    [node, ['test/simulate/simulate.ts', '--seeds', '10000']],
    [node, ['test/simulate/simulate.ts', '--store', 'sqlite', '--seeds', '300']],
    [
      node,
      [
        'scripts/test.mjs',
        ...['test/simulate/', 'test/faults/', 'test/store/', 'test/core/price'],
        ...args,
      ],
      root,
      { COST_AWARE_ROUTER_PROOF: 'full' },
    ],
  ],
  // How good the scan for secrets is, in its long form.
  secrets: () => [
    [
      node,
      ['scripts/test.mjs', 'test/privacy/secretCorpus'],
      root,
      { COST_AWARE_ROUTER_PROOF: 'full' },
    ],
  ],
  check: () => [
    [bin('biome'), ['ci', '--colors=off', '.']],
    [bin('tsc'), ['--noEmit']],
    [bin('tsc'), ['--noEmit', '-p', 'client']],
    [bin('tsc'), ['--noEmit', '-p', 'client/webview']],
    [bin('tsc'), ['--noEmit', '-p', 'test/vscode/host']],
    [bin('knip'), []],
    [node, ['scripts/test.mjs', ...args]],
  ],
};

const command = commands[name];
if (command === undefined) {
  throw new Error(`expected one of ${Object.keys(commands).join(', ')}, got ${name}`);
}
// A watch build makes its own.
if (name !== 'watch') ensureBundles();

const env = { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH ?? ''}` };
for (const [program, programArgs, cwd, moreEnv] of command()) {
  const status = await start(program, programArgs, cwd ?? root, { ...env, ...moreEnv });
  if (status !== 0) process.exit(status);
}

function start(program, programArgs, cwd, childEnv) {
  const child = spawn(program, programArgs, { cwd, env: childEnv, stdio: 'inherit' });
  // The child shares the terminal and gets Ctrl-C itself; this process waits for how it ends.
  const ignore = () => {};
  process.on('SIGINT', ignore);
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 130 : 1)));
  });
}
