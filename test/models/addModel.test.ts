import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { addModel } from '../../server/src/models/addModel.ts';
import { createCatalogue } from '../../server/src/models/catalogue.ts';
import { type Architecture, sizeOf, tensorsOf } from '../../server/src/training/architecture.ts';
import { exportGguf } from '../../server/src/training/exportGguf.ts';
import { readVocabulary } from '../../server/src/training/tokenizer/modelFile.ts';

const root = join(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'add-model-'));
const gguf = join(folder, 'mine.gguf');
const registryPath = join(folder, 'data', 'registry.yaml');
const options = {
  modelsDir: join(folder, 'data', 'models'),
  registryPath,
  id: 'mine',
  onProgress: () => {},
  signal: new AbortController().signal,
};
after(() => rmSync(folder, { recursive: true, force: true }));

before(async () => {
  const architecture: Architecture = {
    vocabSize: 800,
    dModel: 32,
    nLayers: 1,
    nHeads: 2,
    nKvHeads: 1,
    dFf: 64,
    seqLen: 96,
    ropeTheta: 10_000,
    normEps: 1e-5,
    tieEmbeddings: true,
  };
  const weights = new Map(
    tensorsOf(architecture).map((spec) => [spec.name, new Float32Array(sizeOf(spec)).fill(0.01)]),
  );
  const vocabulary = await readVocabulary(join(root, 'test/fixtures/training/ourBpe.model'));
  await exportGguf({ folder, architecture, weights }, vocabulary, gguf, {
    name: 'mine',
    type: 'f16',
    signal: options.signal,
  });
});

test('a file appears in the registry with what it is, and leaves the defaults alone', async () => {
  const added = await addModel(gguf, options);
  assert.ok(added.kind === 'added' && added.parameters > 30_000, JSON.stringify(added));
  writeFileSync(registryPath, `# Mine to edit.\n${readFileSync(registryPath, 'utf8')}`);
  assert.equal((await addModel(gguf, options)).kind, 'added');
  assert.match(readFileSync(registryPath, 'utf8'), /^# Mine to edit\./);
  assert.ok(existsSync(join(options.modelsDir, 'mine.gguf')));
  const opened = createCatalogue({
    registryPath: join(root, 'models/registry.yaml'),
    pricingPath: join(root, 'models/pricing.yaml'),
    overlays: [{ registryPath }],
    onProblem: (problem) => assert.fail(problem.message),
  });
  assert.ok(opened.kind === 'ready');
  const { models, defaults } = opened.catalogue.registry();
  const mine = models.filter(({ id }) => id === 'mine');
  assert.equal(mine.length, 1);
  assert.equal(mine[0]!.contextWindow, 96);
  assert.notEqual(defaults.cheap, 'mine');
});

test('what is no GGUF file is refused and changes nothing', async () => {
  const before = readFileSync(registryPath, 'utf8');
  const refused = async (path: string, expected: RegExp, id = 'other') => {
    const added = await addModel(path, { ...options, id });
    assert.ok(added.kind === 'failed');
    assert.match(added.failure.message, expected);
  };
  writeFileSync(join(folder, 'text.gguf'), 'This is no model, whatever its name says.');
  await refused(join(folder, 'text.gguf'), /text\.gguf, but it does not begin as a GGUF file/);
  await refused(join(folder, 'none.gguf'), /which can't be read/);
  await refused(gguf, /expected an id of letters/, 'no id at all');
  assert.equal(readFileSync(registryPath, 'utf8'), before);
});
