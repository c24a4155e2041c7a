// Makes build/cost-aware-router-<target>.vsix: the bundles, and node-llama-cpp with the binaries of one platform only.
// The target is this platform unless named, as in `npm run package -- win32-x64`. The same sources make the same bytes;
// `--check-reproducible` builds twice and fails where they differ.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { makeReproducible } from './reproducibleZip.ts';
import { projectNode, root, run, say } from './setup.mjs';

const LIMIT_BYTES = 20_000_000;
const ENGINE = 'node-llama-cpp';

/** Targets of the marketplace, each with the name of its binaries. */
const binaries = {
  'darwin-arm64': 'mac-arm64-metal',
  'darwin-x64': 'mac-x64',
  'linux-arm64': 'linux-arm64',
  'linux-x64': 'linux-x64',
  'win32-arm64': 'win-arm64',
  'win32-x64': 'win-x64',
};

/** Parts of packages that only building, typing or reading them needs. */
const ignored = [
  '**/*.map',
  'node_modules/**/*.ts',
  'node_modules/**/*.{mts,cts}',
  '**/*.tsbuildinfo',
  'node_modules/**/*.md',
  '!node_modules/**/LICEN[CS]E*.md',
  'node_modules/**/test/**',
  'node_modules/**/{yarn.lock,package-lock.json,.package-lock.json}',
  'node_modules/**/.github/**',
  'node_modules/.bin/**',
  `node_modules/${ENGINE}/bins/**`,
  `node_modules/${ENGINE}/templates/**`,
  `node_modules/${ENGINE}/llama/addon/**`,
  `node_modules/${ENGINE}/llama/cmake/**`,
  `node_modules/${ENGINE}/llama/gitRelease.bundle`,
  `node_modules/${ENGINE}/llama/gpuInfo/**`,
  `node_modules/${ENGINE}/llama/profiles/**`,
  `node_modules/${ENGINE}/llama/toolchains/**`,
];

const named = process.argv.slice(2).find((argument) => !argument.startsWith('--'));
const target = named ?? `${process.platform}-${process.arch}`;
const platform = binaries[target];
if (platform === undefined) {
  throw new Error(`expected one of ${Object.keys(binaries).join(', ')}, got ${target}`);
}
const engineVersion = versionOf(ENGINE);
const stage = join(root, 'build', 'stage', target);
const vsix = join(root, 'build', `cost-aware-router-${target}.vsix`);

build();
if (process.argv.includes('--check-reproducible')) {
  const first = hashOf(vsix);
  build();
  const second = hashOf(vsix);
  if (first !== second) {
    throw new Error(`expected two builds to be the same, got sha256 ${first} and ${second}`);
  }
  process.stdout.write(`two builds, one sha256: ${first}\n`);
}

function hashOf(path) {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

function build() {
  rmSync(stage, { recursive: true, force: true });
  mkdirSync(stage, { recursive: true });

  const dist = `--dist=${join(stage, 'dist')}`;
  run(projectNode(), ['esbuild.mjs', '--production', '--editor', dist]);
  for (const name of readdirSync(root)) {
    const shipped = /^(models|media|l10n|README\.md|CHANGELOG\.md|LICENSE)$|^package\.nls.*\.json$/;
    if (shipped.test(name)) cpSync(join(root, name), join(stage, name), { recursive: true });
  }
  for (const file of readdirSync(join(stage, 'models'))) {
    if (/\.gguf/.test(file)) rmSync(join(stage, 'models', file));
  }

  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  for (const field of ['bin', 'files', 'scripts', 'devDependencies', 'overrides']) {
    delete manifest[field];
  }
  manifest.dependencies = {
    [ENGINE]: engineVersion,
    [`@node-llama-cpp/${platform}`]: engineVersion,
  };
  // Everything else is in the bundles.
  copyPackages(ENGINE);
  copyBinaries();
  writeFileSync(join(stage, 'package.json'), JSON.stringify(manifest, null, 2));
  writeFileSync(join(stage, '.vscodeignore'), `${ignored.join('\n')}\n`);

  const vsce = join(root, 'node_modules', '@vscode', 'vsce', 'vsce');
  // Links of the README are made absolute where the manifest names the repository that they would lead to.
  const links = manifest.repository === undefined ? ['--no-rewrite-relative-links'] : [];
  const said = execFileSync(
    projectNode(),
    [vsce, 'package', '--target', target, '--out', vsix, '--allow-missing-repository', ...links],
    { cwd: stage, encoding: 'utf8', stdio: ['ignore', 'pipe', 2] },
  );
  makeReproducible(vsix);
  const { size } = statSync(vsix);
  const megabytes = (size / 1e6).toFixed(1);
  if (size > LIMIT_BYTES) {
    say(said);
    throw new Error(`expected at most ${LIMIT_BYTES / 1e6} MB, got ${megabytes} MB in ${vsix}`);
  }
  process.stdout.write(`${relative(root, vsix)}: ${megabytes} MB\n`);
}

/** Copies a package and what it needs from the installed tree, so that the versions are those of the lock file. */
function copyPackages(name) {
  const copied = new Set();
  const copy = (folder) => {
    if (copied.has(folder)) return;
    copied.add(folder);
    cpSync(folder, join(stage, relative(root, folder)), {
      recursive: true,
      // Nested packages are copied when something asks for them.
      filter: (source) => source !== join(folder, 'node_modules'),
    });
    const { dependencies = {} } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    for (const needed of Object.keys(dependencies)) copy(folderOf(needed, folder));
  };
  copy(folderOf(name, root));
}

function folderOf(name, from) {
  for (let folder = from; ; folder = dirname(folder)) {
    const found = join(folder, 'node_modules', name);
    if (existsSync(found)) return found;
    if (folder === root) {
      throw new Error(`expected the package ${name} for ${from}, found none; run: npm run setup`);
    }
  }
}

function versionOf(name) {
  return JSON.parse(readFileSync(join(folderOf(name, root), 'package.json'), 'utf8')).version;
}

/** Those of another platform come packed, because npm refuses to install them here. */
function copyBinaries() {
  const name = `@node-llama-cpp/${platform}`;
  const folder = join(stage, 'node_modules', name);
  const installed = join(root, 'node_modules', name);
  const own = existsSync(join(installed, 'package.json'))
    ? JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'))
    : undefined;
  // Platforms that development does not use are mapped to an empty package.
  if (own?.name === name) {
    cpSync(installed, folder, { recursive: true });
    return;
  }
  const windows = process.platform === 'win32';
  const args = ['pack', `${name}@${engineVersion}`, '--json', '--pack-destination', stage];
  const packed = JSON.parse(
    execFileSync(windows ? 'npm.cmd' : 'npm', args, { cwd: stage, encoding: 'utf8' }),
  );
  const [{ filename }] = Array.isArray(packed) ? packed : Object.values(packed);
  mkdirSync(folder, { recursive: true });
  execFileSync('tar', ['-xzf', filename, '--strip-components=1', '-C', folder], { cwd: stage });
  rmSync(join(stage, filename));
}
