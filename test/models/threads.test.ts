/** Numbers of threads by a trial on this machine: when it is due, what is kept, and the trial itself on the real model. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { ThreadMeasurement } from '../../server/src/core/threadChoice.ts';
import { createLocalModels, type LocalModelsOptions } from '../../server/src/models/local.ts';
import { createThreads, machineName } from '../../server/src/models/threads.ts';
import { ensureSmolLm2, repositoryRoot, smolLm2, testModelsDir } from '../support/localModel.ts';

const cores = availableParallelism();
const folder = mkdtempSync(join(tmpdir(), 'threads-'));
const quiet = new AbortController().signal;
const sha256 = smolLm2.file.sha256;
const MINUTE_MS = 60_000;
let nowMs = 1_800_000_000_000;

before(() => ensureSmolLm2());
after(() => rmSync(folder, { recursive: true, force: true }));

function measured(threads: number, rate: number, cpuShare = 0.97): ThreadMeasurement {
  return { threads, promptTokensPerSecond: rate * 4, outputTokensPerSecond: rate, cpuShare };
}

const scaling = [measured(1, 20), measured(2, 38)];

function open(name: string, more: { set?: number; machine?: string } = {}) {
  const path = join(folder, name);
  return createThreads({ path, machine: 'EPYC · 2 · 3.22.1', now: () => nowMs, ...more });
}

test('the choice is kept, and read again by the next process', () => {
  const threads = open('kept.json');
  assert.deepEqual(threads.inForce('a'), {
    threads: Math.max(1, cores - 1),
    cores,
    from: 'default',
  });
  assert.equal(threads.isDue('a'), true);
  threads.keep('a', scaling);
  const again = open('kept.json');
  assert.deepEqual(again.inForce('a'), {
    threads: 2,
    cores,
    from: 'measured',
    measured: { each: scaling, busy: false },
  });
  assert.equal(again.isDue('a'), false);
  assert.equal(again.isDue('b'), true, 'each model has its own');
});

test('another processor, number of cores or library is measured anew', () => {
  open('moved.json').keep('a', scaling);
  for (const machine of ['Ryzen · 2 · 3.22.1', 'EPYC · 4 · 3.22.1', 'EPYC · 2 · 3.23.0']) {
    const threads = open('moved.json', { machine });
    assert.equal(threads.inForce('a').from, 'default');
    assert.equal(threads.isDue('a'), true);
  }
  assert.match(
    machineName(),
    new RegExp(` · ${cores} · 3\\.`),
    'the library is known by its version',
  );
});

test('a number that was set wins, and nothing is measured', () => {
  open('set.json').keep('a', scaling);
  const threads = open('set.json', { set: 5 });
  assert.deepEqual(threads.inForce('a'), { threads: 5, cores, from: 'setting' });
  assert.equal(threads.isDue('a'), false);
  assert.equal(threads.isDue('b'), false);
});

test('what was measured beside other programs holds, and is measured again, each time later', () => {
  const threads = open('busy.json');
  const loaded = [measured(1, 16, 0.9), measured(2, 2, 0.4)];
  for (const waitMinutes of [10, 20, 40]) {
    threads.keep('a', loaded);
    assert.equal(threads.inForce('a').threads, 1);
    nowMs += (waitMinutes - 1) * MINUTE_MS;
    assert.equal(threads.isDue('a'), false);
    nowMs += 2 * MINUTE_MS;
    assert.equal(threads.isDue('a'), true);
  }
  threads.keep('a', scaling);
  nowMs += 10_000 * MINUTE_MS;
  assert.equal(threads.isDue('a'), false, 'a quiet trial settles it');
});

test('answers far slower than the trial have it done again', () => {
  const threads = open('slow.json');
  threads.keep('a', scaling);
  nowMs += 11 * MINUTE_MS;
  const expectedMs = (100 / 38) * 1000;
  threads.noteAnswer('a', 101, expectedMs * 2);
  assert.equal(threads.isDue('a'), false, 'a long context alone makes it slower');
  threads.noteAnswer('a', 3, expectedMs);
  assert.equal(threads.isDue('a'), false, 'a few tokens tell nothing');
  threads.noteAnswer('a', 101, expectedMs * 10);
  assert.equal(threads.isDue('a'), true);
});

test('a damaged file starts empty', () => {
  writeFileSync(join(folder, 'damaged.json'), '{"a": {"threads": -1}}');
  assert.equal(open('damaged.json').inForce('a').from, 'default');
});

function create(t: { after(fn: () => Promise<void>): void }, options: Partial<LocalModelsOptions>) {
  const folders = { modelsDir: testModelsDir, baseDir: repositoryRoot };
  const models = createLocalModels({ ...folders, gpu: false, ...options });
  t.after(() => models.dispose());
  return models;
}

async function answer(models: ReturnType<typeof create>): Promise<string> {
  const turns = [{ role: 'user', text: 'What is the capital of France?' }] as const;
  const request = { system: '', turns, maxOutputTokens: 16 };
  let text = '';
  for await (const event of models.generate(smolLm2, request, quiet)) {
    if (event.type === 'text-delta') text += event.text;
    assert.notEqual(event.type, 'failed', JSON.stringify(event));
  }
  return text;
}

test('preparing a model tries numbers of threads, and its answers use the one that was chosen', async (t) => {
  const threadsPath = join(folder, 'real.json');
  const models = create(t, { threadsPath });
  assert.equal(models.threads(smolLm2).from, 'default');
  assert.equal((await models.prepare(smolLm2)).kind, 'ready');
  const { threads, from, measured: found } = models.threads(smolLm2);
  assert.equal(from, 'measured');
  assert.ok(found !== undefined && threads >= 1 && threads <= cores);
  const tried = found.each.map((each) => each.threads);
  assert.ok(tried.includes(1) && tried.includes(threads), `${tried}`);
  for (const { promptTokensPerSecond, outputTokensPerSecond, cpuShare } of found.each) {
    assert.ok(promptTokensPerSecond > 0 && outputTokensPerSecond > 0);
    assert.ok(cpuShare > 0 && cpuShare < 1.5, `${cpuShare}`);
  }
  const kept = JSON.parse(readFileSync(threadsPath, 'utf8'));
  assert.equal(kept[sha256].threads, threads);
  assert.equal(kept[sha256].machine, machineName());
  assert.match(await answer(models), /Paris/);
});

test('where nobody prepared it, the trial waits for the first answer and for a quiet moment', async (t) => {
  const threadsPath = join(folder, 'later.json');
  const models = create(t, { threadsPath, quietMs: 1 });
  assert.match(await answer(models), /Paris/);
  // Nobody is told when the trial is done, so this looks until it is; a prompt in between would only put it off.
  while (models.threads(smolLm2).from === 'default')
    await new Promise((next) => setTimeout(next, 20));
  assert.equal(models.threads(smolLm2).from, 'measured');
});

test('a prompt that comes during a trial is answered, and the trial is given up', async (t) => {
  const models = create(t, {});
  const loaded = Promise.withResolvers<void>();
  const trial = models.prepare(smolLm2, {
    onProgress: (progress) => {
      if (progress.stage === 'loading' && progress.share === 1) loaded.resolve();
    },
  });
  await loaded.promise;
  assert.match(await answer(models), /Paris/);
  assert.equal((await trial).kind, 'ready', 'the model is ready, whatever became of the trial');
});

test('a number that was set is used without a trial', async (t) => {
  const threadsPath = join(folder, 'unused.json');
  const models = create(t, { threads: 1, threadsPath });
  assert.equal((await models.prepare(smolLm2)).kind, 'ready');
  assert.deepEqual(models.threads(smolLm2), { threads: 1, cores, from: 'setting' });
  assert.throws(() => readFileSync(threadsPath));
});
