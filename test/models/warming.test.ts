/** A local model that gets ready while a prompt is written: when anything is done, and what it is worth on the real model. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { GenerationRequest } from '../../server/src/core/ports.ts';
import type { GenerationStats, HostWork } from '../../server/src/models/hostProtocol.ts';
import type { HostEvent } from '../../server/src/models/hostSupervisor.ts';
import { createLocalModels, type LocalModelsOptions } from '../../server/src/models/local.ts';
import { createWarming } from '../../server/src/models/warming.ts';
import { ensureSmolLm2, repositoryRoot, smolLm2, testModelsDir } from '../support/localModel.ts';

const empty = mkdtempSync(join(tmpdir(), 'warming-'));
const quiet = new AbortController().signal;
const file = Array.from({ length: 20 }, (_, line) => `value${line} = compute(${line * 7});`).join(
  '\n',
);
const unwritten = requestOf(`${file}\n\n`);

before(() => ensureSmolLm2());
after(() => rmSync(empty, { recursive: true, force: true }));

function requestOf(text: string): GenerationRequest {
  return { system: '', turns: [{ role: 'user', text }], maxOutputTokens: 8 };
}

/** The rules alone: a host that answers when a test says so. */
function rules(more: { readonly load?: number } = {}) {
  const work: { readonly type: string; readonly signal: AbortSignal }[] = [];
  let answer: HostEvent = { type: 'loaded' };
  let held = Promise.resolve();
  let idle = true;
  let pid = 1;
  const warming = createWarming({
    idle: () => idle,
    hostPid: () => pid,
    retryMs: 60_000,
    loadPerCore: () => more.load ?? 0,
  });
  async function* run({ type }: HostWork, signal: AbortSignal): AsyncGenerator<HostEvent> {
    work.push({ type, signal });
    await held;
    yield answer;
  }
  return {
    work,
    warming,
    warm: (request = unwritten) => warming.warm(smolLm2, { request, threads: 1 }, run),
    types: () => work.map(({ type }) => type),
    answerWith(event: HostEvent) {
      answer = event;
    },
    hold(until: Promise<void>) {
      held = until;
    },
    setIdle(now: boolean) {
      idle = now;
    },
    anotherHost() {
      pid += 1;
    },
  };
}

test('each beginning is read once, until a prompt came or the host is another one', async () => {
  const { warm, warming, types, anotherHost } = rules();
  await warm();
  await warm();
  assert.deepEqual(types(), ['warm']);
  await warm(requestOf('Another file.\n\n'));
  assert.equal(types().length, 2);
  warming.promptCame();
  await warm();
  assert.equal(types().length, 3);
  anotherHost();
  await warm();
  assert.equal(types().length, 4);
});

test('on a busy machine the model is loaded, and nothing is read ahead', async () => {
  const { warm, types } = rules({ load: 1.5 });
  await warm();
  await warm(requestOf('Another file.\n\n'));
  assert.deepEqual(types(), ['load']);
});

test('nothing is begun beside other work of the host, and a prompt ends what is', async () => {
  const { warm, warming, work, setIdle, hold } = rules();
  setIdle(false);
  await warm();
  assert.equal(work.length, 0);
  setIdle(true);
  const { promise, resolve } = Promise.withResolvers<void>();
  hold(promise);
  const one = warm();
  const same = warm();
  assert.equal(work.length, 1, 'the same beginning waits for the one that is read');
  const other = warm(requestOf('Another file.\n\n'));
  assert.equal(work[0]?.signal.aborted, true, 'a newer beginning takes its place');
  warming.promptCame();
  assert.equal(work[1]?.signal.aborted, true);
  resolve();
  await Promise.all([one, same, other]);
});

test('a model that can not be loaded is not tried at every key', async () => {
  const { warm, types, answerWith } = rules();
  const message = 'expected less memory';
  const tooBig = { code: 'model_too_big', message, retryable: false, billing: 'nothing' } as const;
  answerWith({ type: 'failed', failure: tooBig });
  await warm();
  await warm();
  await warm(requestOf('Another file.\n\n'));
  assert.deepEqual(types(), ['warm']);
});

function create(
  t: { after(fn: () => Promise<void>): void },
  options: Partial<LocalModelsOptions> = {},
) {
  const stats: GenerationStats[] = [];
  const models = createLocalModels({
    modelsDir: testModelsDir,
    baseDir: repositoryRoot,
    threads: 1,
    gpu: false,
    loadPerCore: () => 0,
    onStats: (_, each) => stats.push(each),
    ...options,
  });
  t.after(() => models.dispose());
  async function ask(question: string): Promise<string> {
    let text = '';
    const events = models.generate(smolLm2, requestOf(`${file}\n\n${question}`), quiet);
    for await (const event of events) {
      assert.notEqual(event.type, 'failed', JSON.stringify(event));
      if (event.type === 'text-delta') text += event.text;
    }
    return text;
  }
  const read = () => stats.map(({ promptTokens, reusedTokens }) => promptTokens - reusedTokens);
  return { models, ask, read, stats };
}

test('after its file was read a question reads only itself; on a busy machine nothing was read, and the answer is the same', async (t) => {
  const cold = create(t, { loadPerCore: () => 2 });
  await cold.models.warm?.(smolLm2, unwritten);
  assert.ok(cold.models.hostPid() !== undefined, 'on a busy machine it is loaded all the same');
  const warmed = create(t);
  await warmed.models.warm?.(smolLm2, unwritten);
  const question = 'What is value3?';
  assert.equal(await warmed.ask(question), await cold.ask(question));
  const [withoutWarming = 0] = cold.read();
  const [rest = 0] = warmed.read();
  assert.ok(withoutWarming > 200 && rest < 24, `${withoutWarming} and ${rest} tokens`);

  // What was answered stays where its beginning is read once more.
  await warmed.models.warm?.(smolLm2, unwritten);
  await warmed.ask(question);
  assert.ok((warmed.read()[1] ?? 0) < 4, `${warmed.read()[1]} tokens`);
});

test('a question that comes while its file is read is answered, and the reading is over', async (t) => {
  const { models, ask } = create(t);
  await models.prepare(smolLm2);
  const reading = models.warm?.(smolLm2, unwritten);
  const early = await ask('What is value3?');
  await reading;
  assert.equal(await ask('What is value3?'), early);
});

test('a host that was started for nothing goes when it is idle, and none is started without a file', async (t) => {
  const unloaded = Promise.withResolvers<string>();
  const { models } = create(t, { idleMs: 20, onUnloaded: unloaded.resolve });
  await models.warm?.(smolLm2, unwritten);
  assert.equal(await unloaded.promise, smolLm2.id);
  assert.equal(models.hostPid(), undefined);
  const elsewhere = create(t, { modelsDir: empty });
  await elsewhere.models.warm?.(smolLm2, unwritten);
  assert.equal(elsewhere.models.hostPid(), undefined);
});
