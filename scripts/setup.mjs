// Makes a bare clone ready: packages, then bundles, each only when what it is made from has changed.
// Runs on any Node from 18 on, because the project's own Node is one of the things it installs.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = resolve(fileURLToPath(new URL('..', import.meta.url)));

/** The Node of tools/node where its package exists for this platform, else the one running, if it is new enough. */
export function projectNode() {
  const name = process.platform === 'win32' ? 'node.exe' : 'node';
  const platform = process.platform === 'win32' ? 'win' : process.platform;
  const own = join(root, 'node_modules', `node-${platform}-${process.arch}`, 'bin', name);
  if (existsSync(own)) return own;
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > 24 || (major === 24 && minor >= 15)) return process.execPath;
  throw new Error(
    `expected Node 24.15 or newer, got ${process.version}; install the version in .nvmrc and try again`,
  );
}

export function ensurePackages() {
  const wanted = hashOf(['package-lock.json', 'package.json', 'tools/node/package.json', '.npmrc']);
  const stamp = join(root, 'node_modules', '.setup-stamp');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  say('installing packages (once; about half a minute)');
  // Not `npm ci`: it refuses a lock file without the optional packages of every platform, and no registry snapshot has
  // all of them. Versions and hashes are those of the lock file all the same, and it is left as it is.
  run(
    npm(),
    ['install', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'],
    {
      env: { ...process.env, npm_config_engine_strict: 'false' },
    },
  );
  writeFileSync(stamp, wanted);
}

export function ensureBundles() {
  const sources = ['server/src', 'server/kernels', 'client'].flatMap(sourcesUnder);
  const wanted = hashOf(['esbuild.mjs', 'package.json', ...sources]);
  const stamp = join(root, 'dist', '.setup-stamp');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  say('bundling');
  run(projectNode(), ['esbuild.mjs']);
  writeFileSync(stamp, wanted);
}

export function run(command, args, options = {}) {
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    // Progress belongs on stderr, so that a command's own output stays alone on stdout.
    stdio: ['ignore', 2, 2],
    ...options,
  });
  if (error) throw error;
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with exit code ${status}`);
}

export function say(message) {
  process.stderr.write(`· ${message}\n`);
}

function npm() {
  return process.platform === 'win32' ? 'npm.cmd' : 'npm';
}

function sourcesUnder(folder) {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(root.length + 1))
    .sort();
}

function hashOf(files) {
  const hash = createHash('sha256');
  for (const file of files) {
    const path = join(root, file);
    hash.update(`${file}\0`);
    if (existsSync(path) && statSync(path).isFile()) hash.update(readFileSync(path));
  }
  return hash.digest('hex');
}
