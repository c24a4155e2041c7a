// From a text to an answer, by the product's own commands: a tokenizer, shards, a tiny model, its perplexity, a GGUF file, an
// entry in the registry, and a prompt that it answers. Everything lies in artifacts/demo-train; a user's own data stays as it is.
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './setup.mjs';

const folder = join(root, 'artifacts', 'demo-train');
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
const corpus = join(root, 'data', 'corpus', 'mobyDick.txt');
const sample = join(root, 'data', 'sample.txt');
const tok = 'artifacts/tokenizer/llm_spm.model';
const checkpoint = 'artifacts/checkpoints';
const began = performance.now();

run('train', 'tokenizer', '--input', corpus, '--vocab-size', '4096', '--out', tok);
run('train', 'prepare', '--input', corpus, '--tok', tok, '--out', 'data/shards');
run('train', '--config', join(root, 'configs', 'tiny.json'));
run('eval', '--ckpt', checkpoint, '--tok', tok, '--input', sample);
run('export', '--ckpt', checkpoint, '--tok', tok, '--out', 'moby-tiny.gguf', '--type', 'f16');
run('eval', '--ckpt', 'moby-tiny.gguf', '--input', sample);
run('models', 'add', 'moby-tiny.gguf');
run('ask', '--model', 'moby-tiny', '--no-cache', 'The white whale swam before the ship, and');
const seconds = Math.round((performance.now() - began) / 1000);
process.stdout.write(
  `\nDone in ${seconds} s. A model this small writes words, not answers: docs/training.md tells what each size is good for.\n`,
);

function run(...args) {
  process.stdout.write(`\n$ cost-aware-router ${args.map(shown).join(' ')}\n`);
  const { status, error } = spawnSync(process.execPath, [join(root, 'dist', 'cli.js'), ...args], {
    cwd: folder,
    stdio: 'inherit',
    env: { ...process.env, COST_AWARE_ROUTER_DATA_DIR: join(folder, 'user-data') },
  });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

function shown(argument) {
  const short = argument.replace(`${root}/`, '');
  return short.includes(' ') ? `"${short}"` : short;
}
