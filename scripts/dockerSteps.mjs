// Runs every step of the Dockerfile without an engine: each stage in a clean folder of its own, from what git holds. The server is
// then started as the image would start it, but on this machine's own address alone, and its health check asked. Users, the base image and the network are not those of
// a container; that much only an engine can show.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { projectNode, root, run, say } from './setup.mjs';

const HEALTHY_WITHIN_MS = 60_000;
const text = readFileSync(join(root, 'Dockerfile'), 'utf8');
const steps = text
  .replaceAll(/^#.*\n/gm, '')
  .replaceAll(/\\\n\s*/g, ' ')
  .split('\n')
  .filter((line) => line.trim() !== '')
  .map((line) => /^(\w+)\s+(.*)$/.exec(line))
  .map(([, name, rest]) => ({ name, rest }));

const work = mkdtempSync(join(tmpdir(), 'docker-steps-'));
const context = join(work, 'context');
const stages = new Map();
let stage;
const image = { env: {}, health: undefined, entrypoint: [], command: [] };

try {
  mkdirSync(context);
  // What is committed, and nothing that lies about here.
  const archive = execFileSync('git', ['archive', 'HEAD'], { cwd: root, maxBuffer: 2 ** 28 });
  execFileSync('tar', ['-x', '-C', context], { input: archive });
  for (const step of steps) {
    say(`${step.name} ${step.rest}`);
    take(step);
  }
  await checkHealth();
  process.stdout.write(`${steps.length} steps of the Dockerfile ran, and the server is healthy\n`);
} finally {
  rmSync(work, { recursive: true, force: true });
}

/** A path of the image, in the folder of the stage. */
function inside(path, of = stage) {
  return path.startsWith('/') ? join(of.folder, path) : join(of.folder, of.workdir, path);
}

function take({ name, rest }) {
  switch (name) {
    case 'FROM': {
      const [, as = `${stages.size}`] = / AS (\w+)$/.exec(rest) ?? [];
      stage = { folder: join(work, `stage-${as}`), workdir: '/' };
      mkdirSync(stage.folder);
      stages.set(as, stage);
      return;
    }
    case 'WORKDIR':
      stage.workdir = rest;
      mkdirSync(inside(rest), { recursive: true });
      return;
    case 'COPY':
      copy(rest);
      return;
    case 'RUN': {
      // Absolute paths of the image lie in the stage; nobody is made here.
      const command = rest
        .replaceAll(/ \/(\w+)/g, ` ${stage.folder}/$1`)
        .replace(/chown \S+/, 'ls -d');
      run('bash', ['-euc', command], { cwd: inside(stage.workdir), env: clean() });
      return;
    }
    case 'ENV': {
      const [key, value] = rest.split('=');
      image.env[key] = value.startsWith('/') ? inside(value) : value;
      return;
    }
    case 'HEALTHCHECK':
      image.health = JSON.parse(/CMD (\[.*)$/.exec(rest)[1]);
      return;
    case 'ENTRYPOINT':
      image.entrypoint = JSON.parse(rest);
      return;
    case 'CMD':
      image.command = JSON.parse(rest);
      return;
    case 'USER':
    case 'VOLUME':
    case 'EXPOSE':
      return;
    default:
      throw new Error(`expected an instruction that this script knows, got ${name}`);
  }
}

function copy(rest) {
  const words = rest.split(/\s+/);
  const from = words[0].startsWith('--from=') ? stages.get(words.shift().slice(7)) : undefined;
  const to = inside(words.at(-1));
  for (const word of words.slice(0, -1)) {
    const source = from === undefined ? join(context, word) : inside(word, from);
    if (!existsSync(source)) throw new Error(`expected ${word} to copy, found none`);
    const target = statSync(source).isDirectory()
      ? to
      : words.at(-1).endsWith('/')
        ? join(to, word)
        : to;
    cpSync(source, target, { recursive: true });
  }
}

function clean() {
  const { PATH, HOME, npm_config_registry } = process.env;
  const registry = npm_config_registry === undefined ? {} : { npm_config_registry };
  return { PATH, HOME, ...registry };
}

async function checkHealth() {
  const all = [...image.entrypoint, ...image.command];
  const [program, ...args] = all.map((word) => (word === '0.0.0.0' ? '127.0.0.1' : word));
  if (program !== 'node') throw new Error(`expected the image to start node, got ${program}`);
  const cwd = inside(stage.workdir);
  const env = { ...clean(), ...image.env };
  const server = spawn(projectNode(), args, { cwd, env, stdio: ['ignore', 2, 2] });
  try {
    const [, ...health] = image.health;
    for (const endMs = Date.now() + HEALTHY_WITHIN_MS; ; await delay(500)) {
      if (server.exitCode !== null) throw new Error(`the server ended with ${server.exitCode}`);
      if (spawnSync(projectNode(), health, { cwd, env }).status === 0) return;
      if (Date.now() > endMs) throw new Error('expected the server to be healthy within a minute');
    }
  } finally {
    server.kill();
  }
}
