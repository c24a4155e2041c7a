// A real VS Code server for tests, from npm: fetched once into a cache folder, without a compiler and without install scripts.
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { say } from './setup.mjs';

const CODE_SERVER = '4.139.1';
const NODE = '24.21.0';
/** Raise it when what is done to the packages below changes, so that older caches are made anew. */
const RECIPE = 1;

const windows = process.platform === 'win32';
const nodePackage = `node-${windows ? 'win' : process.platform}-${process.arch}`;

/** Parts that no test here loads, most of them native and in need of a compiler. */
const leftOut = [
  '@devcontainers/cli',
  '@github/copilot-sdk',
  '@microsoft/mxc-sdk',
  '@vscode/copilot-api',
  '@vscode/deviceid',
  '@vscode/fs-copyfile',
  '@vscode/native-watchdog',
  '@vscode/sandbox-runtime',
  '@vscode/spdlog',
  '@vscode/sqlite3',
  '@vscode/windows-process-tree',
  '@vscode/windows-registry',
  'kerberos',
  'ssh2',
];

/** Built-in extensions that are kept: themes and the languages that tests open. The others only cost start-up time. */
const keptExtensions =
  /^(theme-defaults|theme-seti|typescript-basics|javascript|json|markdown-basics|markdown-language-features|python|go|rust|java|cpp|csharp|ruby|configuration-editing|diff)$/;

/** Writes log files as the native logger would; without it the output of the extension host is lost. */
const LOGGER = `
const fs = require('fs'), path = require('path');
const names = ['trace', 'debug', 'info', 'warning', 'error', 'critical', 'off'];
class Logger {
  constructor(file) { this.file = file; this.level = 2; this.raw = false; fs.mkdirSync(path.dirname(file), { recursive: true }); }
  write(level, text) {
    if (level < this.level) return;
    const line = this.raw ? text : new Date().toISOString() + ' [' + names[level] + '] ' + text + '\\n';
    try { fs.appendFileSync(this.file, line); } catch {}
  }
  trace(text) { this.write(0, text); } debug(text) { this.write(1, text); } info(text) { this.write(2, text); }
  warn(text) { this.write(3, text); } error(text) { this.write(4, text); } critical(text) { this.write(5, text); }
  getLevel() { return this.level; } setLevel(level) { this.level = level; } setPattern() {}
  clearFormatters() { this.raw = true; } flush() {} drop() {}
}
exports.version = 0;
exports.setLevel = exports.setFlushOn = () => {};
exports.Logger = Logger;
exports.createRotatingLogger = exports.createAsyncRotatingLogger = async (_name, file) => new Logger(file);
`;

/** The paths of the server's program and of the Node that runs it. Throws where the packages can't be had. */
export function ensureVscodeServer() {
  const { COST_AWARE_ROUTER_VSCODE, XDG_CACHE_HOME } = process.env;
  const cache =
    COST_AWARE_ROUTER_VSCODE ??
    join(XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'cost-aware-router-vscode');
  const stamp = JSON.stringify({ CODE_SERVER, NODE, nodePackage, RECIPE });
  const stampFile = join(cache, 'stamp.json');
  if (!existsSync(stampFile) || readFileSync(stampFile, 'utf8') !== stamp) {
    say('installing the VS Code server for the editor tests (once; about two minutes)');
    fill(cache, stamp);
  }
  return {
    main: join(cache, 'node_modules', 'code-server', 'lib', 'vscode', 'out', 'server-main.js'),
    node: join(cache, 'node_modules', nodePackage, 'bin', windows ? 'node.exe' : 'node'),
  };
}

/** Filled beside the cache and renamed, so that an interrupted installation leaves nothing that looks whole. */
function fill(cache, stamp) {
  const folder = `${cache}.${process.pid}`;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const wanted = { 'code-server': CODE_SERVER, [nodePackage]: NODE };
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ private: true, dependencies: wanted }),
  );
  npmInstall(folder);

  const server = join(folder, 'node_modules', 'code-server', 'lib', 'vscode');
  const manifestFile = join(server, 'package.json');
  const manifest = JSON.parse(readFileSync(manifestFile, 'utf8'));
  for (const name of leftOut) delete manifest.dependencies[name];
  writeFileSync(manifestFile, JSON.stringify(manifest));
  npmInstall(server);

  const logger = join(server, 'node_modules', '@vscode', 'spdlog');
  mkdirSync(logger, { recursive: true });
  writeFileSync(
    join(logger, 'package.json'),
    JSON.stringify({ name: '@vscode/spdlog', version: '0.0.0', main: 'index.js' }),
  );
  writeFileSync(join(logger, 'index.js'), LOGGER);

  const extensions = join(server, 'extensions');
  for (const name of readdirSync(extensions)) {
    const isExtension = existsSync(join(extensions, name, 'package.json'));
    if (isExtension && !keptExtensions.test(name)) {
      rmSync(join(extensions, name), { recursive: true });
    }
  }
  writeFileSync(join(folder, 'stamp.json'), stamp);
  rmSync(cache, { recursive: true, force: true });
  mkdirSync(dirname(cache), { recursive: true });
  renameSync(folder, cache);
}

function npmInstall(cwd) {
  const args = ['install', '--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund'];
  execFileSync(windows ? 'npm.cmd' : 'npm', [...args, '--loglevel=error', '--prefer-offline'], {
    cwd,
    stdio: ['ignore', 2, 2],
    env: { ...process.env, npm_config_engine_strict: 'false' },
  });
}
