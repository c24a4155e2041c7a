/** One model judged by the embedded engine and by llama.cpp, which has to agree on ids and on perplexity. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createSeededRandom } from '../../server/src/learning/seededRandom.ts';
import { type Architecture, sizeOf, tensorsOf } from '../../server/src/training/architecture.ts';
import { openGgufScorer } from '../../server/src/training/ggufScorer.ts';
import { toLlamaConfig } from '../../server/src/training/llamaConfig.ts';
import { toHalfSplit } from '../../server/src/training/ropeLayout.ts';
import { writeSafetensors } from '../../server/src/training/safetensors.ts';
import { createTokenizer } from '../../server/src/training/tokenizer/encode.ts';
import { readVocabulary } from '../../server/src/training/tokenizer/modelFile.ts';
import { cli, jsonOf } from '../edges/cliHarness.ts';

const fixtures = join(import.meta.dirname, '../fixtures/training');
const tok = join(fixtures, 'ourBpe.model');
const sample = join(import.meta.dirname, '../../data/sample.txt');
const folder = mkdtempSync(join(tmpdir(), 'exported-'));
const checkpoint = join(folder, 'checkpoint');
after(() => rmSync(folder, { recursive: true, force: true }));

const architecture: Architecture = {
  vocabSize: 800,
  dModel: 64,
  nLayers: 2,
  nHeads: 4,
  nKvHeads: 2,
  dFf: 160,
  seqLen: 128,
  ropeTheta: 10_000,
  normEps: 1e-5,
  tieEmbeddings: false,
};

/** @param deviation of the weights: the larger, the surer the model is of what comes next */
async function writeRandomModel(path: string, deviation: number, seed: number): Promise<void> {
  const random = createSeededRandom(seed);
  const normal = () =>
    Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next());
  const tensors = tensorsOf(architecture).map((spec) => {
    const data = Float32Array.from({ length: sizeOf(spec) }, () =>
      spec.kind === 'norm' ? 1 + 0.1 * normal() : deviation * normal(),
    );
    return [spec.name, { shape: spec.shape, data: toHalfSplit(spec, data) }] as const;
  });
  mkdirSync(path, { recursive: true });
  await writeSafetensors(join(path, 'model.safetensors'), new Map(tensors));
  writeFileSync(join(path, 'config.json'), JSON.stringify(toLlamaConfig(architecture)));
}

async function perplexityOf(...argv: string[]): Promise<Record<string, unknown>> {
  const run = await cli(['eval', ...argv, '--input', sample, '--json'], { cwd: folder });
  assert.equal(run.code, 0, run.stderr);
  return jsonOf(run);
}

async function exported(ckpt: string, name: string, ...flags: string[]): Promise<string> {
  const run = await cli(['export', '--ckpt', ckpt, '--tok', tok, '--out', name, ...flags], {
    cwd: folder,
  });
  assert.equal(run.code, 0, run.stderr);
  return join(folder, name);
}

const close = (a: unknown, b: unknown, share: number, what: string) =>
  assert.ok(
    Math.abs(Number(a) / Number(b) - 1) <= share,
    `expected ${what} within ${share * 100} %, got ${a} and ${b}`,
  );

before(() => writeRandomModel(checkpoint, 0.1, 3));

test('a random model is as lost as its vocabulary is large, in either program', async () => {
  const random = join(folder, 'random');
  await writeRandomModel(random, 0.02, 1);
  const ours = await perplexityOf('--ckpt', random, '--tok', tok);
  close(ours['perplexity'], architecture.vocabSize, 0.05, 'the perplexity of random weights');
  const gguf = await exported(random, 'random.gguf', '--type', 'f32');
  const theirs = await perplexityOf('--ckpt', gguf);
  close(theirs['perplexity'], architecture.vocabSize, 0.05, 'the perplexity of random weights');
});

test('trainer and llama.cpp agree on perplexity, and on every token, for each type', async () => {
  const ours = await perplexityOf('--ckpt', checkpoint, '--tok', tok, '--per-token');
  assert.notEqual(Math.round(Number(ours['perplexity'])), architecture.vocabSize);
  const tokens = createTokenizer(await readVocabulary(tok)).encode(readFileSync(sample, 'utf8'));
  assert.equal(ours['tokens'], tokens.length, 'every token of the text is scored once');
  for (const type of ['f32', 'f16', 'q8_0']) {
    const gguf = await exported(checkpoint, `${type}.gguf`, '--type', type);
    const theirs = await perplexityOf('--ckpt', gguf, '--per-token');
    assert.equal(theirs['tokens'], ours['tokens']);
    const bound = type === 'q8_0' ? 0.005 : 0.001;
    close(theirs['perplexity'], ours['perplexity'], bound, `the perplexity in ${type}`);
    if (type !== 'f32') continue;
    const nlls = (scores: Record<string, unknown>) =>
      (scores['files'] as { per_token: { id: number; nll: number }[] }[])[0]!.per_token;
    const [a, b] = [nlls(ours), nlls(theirs)];
    assert.deepEqual(
      a.map(({ id }) => id),
      tokens,
    );
    const worst = Math.max(...a.map(({ nll }, at) => Math.abs(nll - b[at]!.nll)));
    assert.ok(worst < 0.01, `expected the same loss for every token, got a difference of ${worst}`);
  }
});

test('llama.cpp gives the ids that we and sentencepiece give', async () => {
  const gguf = await exported(checkpoint, 'ids.gguf');
  const controller = new AbortController();
  const scorer = await openGgufScorer(gguf, { threads: 1, signal: controller.signal });
  const texts = JSON.parse(readFileSync(join(fixtures, 'tokenizerTexts.json'), 'utf8')) as string[];
  const { ourBpe } = JSON.parse(
    readFileSync(join(fixtures, 'sentencepieceIds.json'), 'utf8'),
  ) as Record<string, number[][]>;
  try {
    for (const [index, text] of texts.entries()) {
      assert.deepEqual(await scorer.encode(text), ourBpe![index], JSON.stringify(text));
    }
  } finally {
    scorer.close();
  }
});

test('what can not be exported or judged is refused with the reason', async () => {
  const refused = async (argv: string[], expected: RegExp) => {
    const run = await cli(argv, { cwd: folder });
    assert.equal(run.code, 2, run.stdout);
    assert.match(run.stderr, expected);
  };
  const to = ['export', '--out', 'no.gguf', '--ckpt'];
  const unigram = join(fixtures, 'ourUnigram.model');
  await refused([...to, checkpoint, '--tok', unigram], /expected a BPE tokenizer .* byte fallback/);
  await refused([...to, checkpoint], /expected --tok .* or tokenizer\.model/);
  await refused([...to, folder, '--tok', tok], /expected a checkpoint at/);
  const bert = join(folder, 'bert');
  await writeRandomModel(bert, 0.02, 1);
  const config = { ...toLlamaConfig(architecture), model_type: 'bert' };
  writeFileSync(join(bert, 'config.json'), JSON.stringify(config));
  await refused([...to, bert, '--tok', tok], /plain Llama model .* model_type bert/);
  const wide = { ...toLlamaConfig(architecture), vocab_size: 900 };
  writeFileSync(join(bert, 'config.json'), JSON.stringify(wide));
  await refused([...to, bert, '--tok', tok], /belongs to another architecture/);

  const judge = ['eval', '--input', sample, '--ckpt'];
  await refused([...judge, checkpoint], /expected --tok with the tokenizer/);
  await refused([...judge, 'none.gguf'], /expected a GGUF file at .*none\.gguf, found none/);
  const broken = join(folder, 'broken.gguf');
  writeFileSync(broken, 'GGUF but nothing more than this');
  await refused(
    [...judge, broken],
    /expected a whole GGUF file at .*broken\.gguf, but its version is /,
  );
  const cut = await exported(checkpoint, 'cut.gguf');
  writeFileSync(cut, readFileSync(cut).subarray(0, 60_000));
  await refused(
    [...judge, cut],
    /a whole GGUF file at .*cut\.gguf, but a tensor lies past the end/,
  );
  const foreign = await exported(checkpoint, 'foreign.gguf');
  const bytes = readFileSync(foreign);
  bytes.write('lloma', bytes.indexOf('llama'));
  writeFileSync(foreign, bytes);
  await refused([...judge, foreign], /expected llama\.cpp to work with .*foreign\.gguf/);
});
