/** The torch engine, held against the embedded one. `npm run test:torch` makes its environment; `npm test` leaves it out. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createTokenizer } from '../../server/src/training/tokenizer/encode.ts';
import { readVocabulary } from '../../server/src/training/tokenizer/modelFile.ts';
import { ensureTorch } from '../../server/src/training/torchEnvironment.ts';
import { runTorch, type TorchEvent } from '../../server/src/training/torchRun.ts';
import { cli, jsonOf } from '../edges/cliHarness.ts';

const root = join(import.meta.dirname, '../..');
const { COST_AWARE_ROUTER_TORCH_ENV } = process.env;
const environment =
  COST_AWARE_ROUTER_TORCH_ENV ?? join(homedir(), '.cache', 'cost-aware-router-torch');
const folder = mkdtempSync(join(tmpdir(), 'torch-'));
const at = (...parts: string[]) => join(folder, ...parts);
const corpus = join(root, 'data/corpus/mobyDick.txt');
const sample = join(root, 'data/sample.txt');
const tok = at('spm.model');
const never = new AbortController().signal;
let python = '';

const small = {
  tokenizer_path: tok,
  train_glob: at('shards/train_*.npz'),
  val_glob: at('shards/val_*.npz'),
  save_dir: at('embedded'),
  seq_len: 64,
  vocab_size: 800,
  n_layers: 2,
  n_heads: 4,
  n_kv_heads: 2,
  d_model: 64,
  d_ff: 160,
  tie_embeddings: false,
  lr: 0.003,
  warmup_steps: 4,
  max_steps: 10,
  log_every: 1,
  save_every: 10,
  batch_size_tokens: 512,
  micro_batch_size: 4,
  eval_sequences: 16,
};

function config(name: string, change: Readonly<Record<string, unknown>>): string {
  writeFileSync(at(`${name}.json`), JSON.stringify({ ...small, ...change }));
  return at(`${name}.json`);
}

async function torch(
  script: 'train.py' | 'lora.py',
  args: readonly string[],
  torchrun?: readonly string[],
): Promise<readonly TorchEvent[]> {
  const events: TorchEvent[] = [];
  await runTorch({
    python,
    script,
    args: [...args, '--device', 'cpu'],
    torchrun,
    cwd: folder,
    onEvent: (event) => events.push(event),
    signal: never,
  });
  return events;
}

async function embedded(...argv: string[]): Promise<Record<string, unknown>> {
  const run = await cli(['--threads', '1', 'train', ...argv, '--json'], { cwd: folder });
  assert.equal(run.code, 0, run.stderr);
  return jsonOf(run);
}

const stepLosses = (events: readonly TorchEvent[]) =>
  events.flatMap((event) => (event.type === 'step' ? [event.loss] : []));
const curveOf = (saveDir: string) =>
  readFileSync(join(saveDir, 'curve.jsonl'), 'utf8')
    .split('\n')
    .flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Record<string, number>]));
const validations = (saveDir: string) =>
  curveOf(saveDir).flatMap((point) => (point['val_loss'] === undefined ? [] : [point['val_loss']]));

before(async () => {
  // PyTorch's threads spin while they wait, which a shared machine pays for.
  process.env['OMP_NUM_THREADS'] = '1';
  const started = performance.now();
  python = await ensureTorch({
    folder: environment,
    python: process.env['COST_AWARE_ROUTER_PYTHON'] ?? 'python3',
    onProgress: (step) => process.stderr.write(`· ${step}\n`),
    signal: never,
  });
  process.stderr.write(`· PyTorch is ready after ${Math.round(performance.now() - started)} ms\n`);
  const book = readFileSync(corpus, 'utf8').slice(0, 200_000);
  writeFileSync(at('corpus.txt'), book);
  for (const argv of [
    ['tokenizer', '--input', at('corpus.txt'), '--vocab-size', '800', '--out', tok],
    [
      'prepare',
      '--input',
      at('corpus.txt'),
      '--tok',
      tok,
      '--out',
      at('shards'),
      '--seq-len',
      '64',
    ],
  ]) {
    const run = await cli(['train', ...argv], { cwd: folder });
    assert.equal(run.code, 0, run.stderr);
  }
  await embedded('--config', config('embedded', {}));
});
after(() => rmSync(folder, { recursive: true, force: true }));

test('sentencepiece gives the ids of a whole book and of this program', async () => {
  const texts = [
    corpus,
    sample,
    join(root, 'server/src/compose.ts'),
    join(root, 'package.nls.de.json'),
  ];
  const script =
    'import json,sys,sentencepiece as s\np=s.SentencePieceProcessor(model_file=sys.argv[1])\nprint(json.dumps([p.encode(open(t,encoding="utf8",newline="").read()) for t in sys.argv[2:]]))';
  const theirs = JSON.parse(
    execFileSync(python, ['-c', script, tok, ...texts], { maxBuffer: 1 << 28 }).toString(),
  ) as number[][];
  const tokenizer = createTokenizer(await readVocabulary(tok));
  for (const [index, path] of texts.entries()) {
    assert.deepEqual(tokenizer.encode(readFileSync(path, 'utf8')), theirs[index], path);
  }
});

test('a checkpoint of the embedded engine has the same validation loss in torch, and goes on alike', async () => {
  const [ours = 0] = validations(at('embedded')).slice(-1);
  const going = config('torch', { save_dir: at('torch'), max_steps: 20 });
  const events = await torch('train.py', [
    '--config',
    going,
    '--from',
    at('embedded'),
    '--validate-first',
  ]);
  const first = events.find((event) => event.type === 'validated');
  assert.ok(
    first !== undefined && Math.abs(first.val_loss - ours) < 1e-3,
    `${first?.val_loss} and ${ours}`,
  );
  // The embedded engine goes on from the same step by the same schedule and data.
  await embedded('--config', config('embedded', { max_steps: 20 }), '--resume');
  const theirs = validations(at('torch')).at(-1) ?? 0;
  const mine = validations(at('embedded')).at(-1) ?? 0;
  assert.ok(Math.abs(theirs - mine) < 1e-3, `after ten more steps: ${theirs} and ${mine}`);
  assert.ok(mine < ours, 'the loss falls');
});

test('a checkpoint of torch goes on in the embedded engine', async () => {
  const before = validations(at('torch')).at(-1) ?? 0;
  const done = await embedded(
    '--config',
    config('back', { save_dir: at('torch'), max_steps: 25, save_every: 25 }),
    '--resume',
  );
  assert.equal(done['step'], 25);
  assert.ok(Number(done['val_loss']) < before + 0.05, `${done['val_loss']} after ${before}`);
});

test('torchrun with two processes splits the data and computes the same losses as one', async () => {
  const alone = await torch('train.py', [
    '--config',
    config('one', { save_dir: at('one'), max_steps: 4 }),
  ]);
  const two = await torch(
    'train.py',
    ['--config', config('two', { save_dir: at('two'), max_steps: 4 })],
    [
      '--nproc_per_node',
      '2',
      '--master_addr',
      '127.0.0.1',
      '--master_port',
      '0',
      '--rdzv_backend',
      'c10d',
      '--rdzv_endpoint',
      '127.0.0.1:0',
    ],
  );
  const [a, b] = [stepLosses(alone), stepLosses(two)];
  assert.equal(a.length, 4);
  for (const [step, loss] of a.entries()) {
    assert.ok(Math.abs(loss - (b[step] ?? 0)) < 1e-4, `step ${step + 1}: ${loss} and ${b[step]}`);
  }
  const started = two.find((event) => event.type === 'started');
  assert.match(started?.text ?? '', /on 2 x cpu/);
});

test('mistakes end with a sentence', async () => {
  const fails = async (
    change: Readonly<Record<string, unknown>>,
    expected: RegExp,
    ...more: string[]
  ) =>
    assert.rejects(
      torch('train.py', ['--config', config('bad', { save_dir: at('bad'), ...change }), ...more]),
      expected,
    );
  await fails({ vocab_size: 900 }, /vocab_size to be that of the tokenizer .* \(800\), got 900/);
  await fails({ vocab_size: 700, tokenizer_path: 'none' }, /expected ids from 0 to 699/);
  await fails({ seq_len: 32 }, /expected x of n x 32 .* prepare the corpus with --seq-len 32/);
  await fails({ train_glob: at('none_*.npz') }, /expected shards at .*, found none/);
  await fails(
    { d_ff: 128 },
    /architecture of the configuration, got intermediate_size 160/,
    '--from',
    at('embedded'),
  );
  await fails({ lr: 1e9, grad_clip: 0, warmup_steps: 0, log_every: 1 }, /expected a finite loss/);
});

test('answers that were kept fine-tune a base with its own tokenizer, and one that was trained here', async () => {
  mkdirSync(at('base'));
  execFileSync(python, [join(import.meta.dirname, 'tiny_base.py'), at('base'), at('corpus.txt')]);
  const rows = Array.from({ length: 24 }, (_, n) => ({
    prompt: `What colour is whale number ${n}?`,
    answer: 'White as snow.',
  }));
  writeFileSync(at('answers.jsonl'), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  const tune = ['--data', at('answers.jsonl'), '--merge', '--lr', '3e-3', '--epochs', '4'];
  for (const [base, more] of [
    [at('base'), []],
    [at('one/step-000004'), ['--tok', tok]],
  ] as const) {
    const out = `${base}-tuned`;
    const events = await torch('lora.py', ['--base', base, '--out', out, ...tune, ...more]);
    const [before = 0, after = 0] = events.flatMap((event) =>
      event.type === 'validated' ? [event.before ?? 0, event.val_loss] : [],
    );
    assert.ok(after < before, `expected held-out loss to fall, got ${before} and ${after}`);
    assert.ok(readFileSync(join(out, 'adapter', 'adapter_model.safetensors')).length > 0);
  }
  const merged = join(`${at('one/step-000004')}-tuned`, 'merged');
  const exported = await cli(['export', '--ckpt', merged, '--out', 'tuned.gguf'], { cwd: folder });
  assert.equal(exported.code, 0, exported.stderr);
  const judged = await cli(['eval', '--ckpt', 'tuned.gguf', '--input', sample, '--json'], {
    cwd: folder,
  });
  assert.ok(Number.isFinite(jsonOf(judged)['perplexity']), judged.stderr);
});
