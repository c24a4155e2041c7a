/** The real model in the real host process: one thread, short answers. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { GenerationRequest, ModelEvent } from '../../server/src/core/ports.ts';
import type { LocalModel } from '../../server/src/core/types.ts';
import { hostEnvironment } from '../../server/src/models/hostProcess.ts';
import type { GenerationStats } from '../../server/src/models/hostProtocol.ts';
import {
  createLocalModels,
  type LocalModels,
  type LocalModelsOptions,
} from '../../server/src/models/local.ts';
import { ensureSmolLm2, repositoryRoot, smolLm2, testModelsDir } from '../support/localModel.ts';

const KEY = 'sk-not-a-real-key';
const quiet = new AbortController().signal;
const empty = mkdtempSync(join(tmpdir(), 'local-'));
const tempDir = mkdtempSync(join(tmpdir(), 'local-'));
const everything: LocalModels[] = [];
const stats: GenerationStats[] = [];
let local: LocalModels;
/** A host with one sequence: who follows an abort has to wait until it is free. */
let single: LocalModels;
/** A host whose own folder has no file. */
let elsewhere: LocalModels;
let modelPath: string;

function create(options: Partial<LocalModelsOptions> = {}): LocalModels {
  const folders = { modelsDir: testModelsDir, baseDir: repositoryRoot };
  const models = createLocalModels({ ...folders, threads: 1, gpu: false, ...options });
  everything.push(models);
  return models;
}

before(async () => {
  Object.assign(process.env, { OPENAI_API_KEY: KEY });
  modelPath = await ensureSmolLm2();
  single = create({ sequences: 1 });
  elsewhere = create({ modelsDir: empty });
  local = create({ tempDir, onStats: (_, each) => stats.push(each) });
});

after(async () => {
  await Promise.all(everything.map((each) => each.dispose()));
  const left = readdirSync(tempDir);
  for (const each of [empty, tempDir]) rmSync(each, { recursive: true, force: true });
  assert.deepEqual(left, [], 'a disposed host leaves nothing behind');
});

function ask(text: string, more: Partial<GenerationRequest> = {}): GenerationRequest {
  return { system: '', turns: [{ role: 'user', text }], maxOutputTokens: 16, ...more };
}

interface Answer {
  readonly text: string;
  readonly events: readonly ModelEvent[];
  readonly last: ModelEvent;
}

/** Reads a stream to its end; `onEvent` may act in between. */
async function collect(
  stream: AsyncIterable<ModelEvent>,
  onEvent: (event: ModelEvent, count: number) => void = () => undefined,
): Promise<Answer> {
  const events: ModelEvent[] = [];
  for await (const event of stream) {
    events.push(event);
    onEvent(event, events.filter((each) => each.type === event.type).length);
  }
  const text = events.map((event) => (event.type === 'text-delta' ? event.text : '')).join('');
  assert.equal(events.filter((event) => event.type === 'end' || event.type === 'failed').length, 1);
  return { text, events, last: events.at(-1)! };
}

function codeOf({ last }: Answer): string {
  return last.type === 'failed' ? last.failure.code : last.type;
}

async function assertAnswers(models: LocalModels): Promise<void> {
  const answer = await collect(
    models.generate(smolLm2, ask('What is the capital of France?'), quiet),
  );
  assert.equal(codeOf(answer), 'end');
  assert.match(answer.text, /Paris/);
}

/**
 * Milliseconds from an abort to the first sign of work for the next prompt, on a host with a single sequence, and those
 * that the aborted work would still have taken at the pace that it had.
 *
 * @param shareAt the share of the work that is done once it should be aborted
 */
async function freedAfter(
  prompt: GenerationRequest,
  shareAt: (event: ModelEvent, count: number) => number | undefined,
) {
  const controller = new AbortController();
  let abortedAt = 0;
  let startedAt = 0;
  let share = 0;
  const aborted = await collect(
    single.generate(smolLm2, prompt, controller.signal),
    (event, count) => {
      if (event.type === 'progress' && event.stage === 'reading') startedAt ||= performance.now();
      const done = shareAt(event, count);
      if (controller.signal.aborted || done === undefined) return;
      share = done;
      abortedAt = performance.now();
      controller.abort();
    },
  );
  assert.equal(codeOf(aborted), 'cancelled');
  let workingAt = 0;
  const next = await collect(
    single.generate(smolLm2, ask('What is the capital of France?'), quiet),
    (event) => {
      if (event.type === 'progress' && event.stage === 'reading') workingAt ||= performance.now();
    },
  );
  assert.match(next.text, /Paris/);
  const restMs = (abortedAt - startedAt) * (1 / share - 1);
  return { freedMs: workingAt - abortedAt, restMs };
}

test('text streams and changes with the prompt', async () => {
  const france = await collect(
    local.generate(smolLm2, ask('What is the capital of France?'), quiet),
  );
  const code = await collect(
    local.generate(smolLm2, ask('Write a Python function that reverses a string.'), quiet),
  );
  assert.match(france.text, /Paris/);
  assert.match(code.text, /def|python/i);
  assert.ok(code.events.filter((event) => event.type === 'text-delta').length > 5);
  const stages = france.events.flatMap((event) => (event.type === 'progress' ? [event.stage] : []));
  assert.deepEqual([...new Set(stages)], ['loading', 'reading']);
});

test('each token of the answer has its log-probability, and the counts are exact', async () => {
  const answer = await collect(
    local.generate(smolLm2, ask('Name three colours.', { maxOutputTokens: 24 }), quiet),
  );
  assert.ok(answer.last.type === 'end');
  const { logProbs = [], usage } = answer.last;
  assert.equal(logProbs.map((each) => each.text).join(''), answer.text);
  assert.equal(logProbs.length, usage.outputTokens);
  assert.ok(logProbs.every((each) => each.logProb <= 0 && Number.isFinite(each.logProb)));
  assert.ok(
    logProbs.some((each) => each.logProb < -0.01),
    'the model is not certain of everything',
  );
  assert.equal(usage.reasoningTokens, 0);
  assert.ok(usage.inputTokens !== undefined && usage.inputTokens > 10 && usage.inputTokens < 60);
});

test('the same prompt has the same answer, and the cap is obeyed', async () => {
  const request = ask('Tell a long story about a ship.', { maxOutputTokens: 12 });
  const first = await collect(local.generate(smolLm2, request, quiet));
  const second = await collect(local.generate(smolLm2, request, quiet));
  assert.equal(first.text, second.text);
  assert.ok(first.last.type === 'end');
  assert.equal(first.last.finish, 'length');
  assert.equal(first.last.usage.outputTokens, 12);
});

test('an answer ends with the token that completes a stop sequence', async () => {
  const question = 'Count from one to ten in words.';
  const whole = await collect(local.generate(smolLm2, ask(question), quiet));
  const stop = whole.text.slice(8, 11);
  assert.ok(stop.length === 3, whole.text);
  const cut = await collect(local.generate(smolLm2, ask(question, { stop: [stop] }), quiet));
  // What follows the stop inside its last token is cut by whoever hands the text on.
  assert.ok(cut.text.includes(stop) && whole.text.startsWith(cut.text), cut.text);
  assert.ok(cut.last.type === 'end' && whole.last.type === 'end');
  assert.equal(cut.last.finish, 'stop');
  assert.ok((cut.last.usage.outputTokens ?? 0) < (whole.last.usage.outputTokens ?? 0));
});

test('a sample is drawn by its seed, and leaves the likeliest answer as it is', async () => {
  const greedy = ask('Tell a long story about a ship.', { maxOutputTokens: 12 });
  const drawn = (seed: number) => ({ ...greedy, drawn: { temperature: 1.5, seed } });
  const texts: string[] = [];
  for (const request of [greedy, drawn(1), drawn(1), drawn(2), greedy]) {
    texts.push((await collect(local.generate(smolLm2, request, quiet))).text);
  }
  const [before, one, again, other, after] = texts;
  assert.equal(one, again);
  assert.notEqual(one, other);
  assert.notEqual(one, before);
  assert.equal(before, after);
});

test('characters spread over several tokens come whole', async () => {
  const answer = await collect(
    local.generate(
      smolLm2,
      ask('Write three emoji and the word naïve in Chinese: 你好', { maxOutputTokens: 24 }),
      quiet,
    ),
  );
  assert.ok(
    Buffer.byteLength(answer.text) > answer.text.length,
    `expected some character beyond ASCII in ${answer.text}`,
  );
  for (const event of answer.events) {
    if (event.type === 'text-delta') assert.ok(!event.text.includes('\uFFFD'), event.text);
  }
});

test('a system prompt is evaluated once and used again by the next prompt', async () => {
  const system = `You are a careful assistant. ${'Answer in one short sentence. '.repeat(20)}`;
  stats.length = 0;
  await collect(
    local.generate(smolLm2, ask('What is a river?', { system, maxOutputTokens: 4 }), quiet),
  );
  await collect(
    local.generate(smolLm2, ask('Who wrote Hamlet?', { system, maxOutputTokens: 4 }), quiet),
  );
  const [first, second] = stats;
  assert.ok(first && second);
  assert.ok(first.promptTokens - first.reusedTokens > 100, 'the first reads the system prompt');
  assert.ok(second.promptTokens - second.reusedTokens < 20, 'the second reads only what is new');
});

test('two prompts at once evaluate their system prompt once', async () => {
  const system = `You are a patient teacher. ${'Answer in one short sentence. '.repeat(20)}`;
  stats.length = 0;
  const answers = await Promise.all(
    ['What is a river?', 'Who wrote Hamlet?'].map((question) =>
      collect(local.generate(smolLm2, ask(question, { system, maxOutputTokens: 4 }), quiet)),
    ),
  );
  const evaluated = stats.map((each) => each.promptTokens - each.reusedTokens);
  assert.ok(Math.max(...evaluated) > 100 && Math.min(...evaluated) < 20, `${evaluated}`);
  for (const { last } of answers) {
    assert.ok(last.type === 'end');
    const { inputTokens, cachedInputTokens } = last.usage;
    const own = stats.find((each) => each.promptTokens === inputTokens);
    assert.equal(cachedInputTokens, own?.reusedTokens);
  }
  const [folder, ...more] = readdirSync(tempDir);
  assert.ok(folder && more.length === 0);
  if (process.platform === 'win32') return;
  assert.equal(statSync(join(tempDir, folder)).mode & 0o777, 0o700);
});

test('a host that cannot write its folder answers all the same', async () => {
  const models = create({ tempDir: join(empty, 'missing'), sequences: 1 });
  const system = `Answer with one word. ${'Be correct. '.repeat(20)}`;
  const answer = await collect(
    models.generate(smolLm2, ask('What is the capital of France?', { system }), quiet),
  );
  assert.match(answer.text, /Paris/);
  await models.dispose();
});

test('a conversation goes on from where it was', async () => {
  const first = ask('My name is Ada.', { maxOutputTokens: 8 });
  const answer = await collect(local.generate(smolLm2, first, quiet));
  stats.length = 0;
  const turns = [
    ...first.turns,
    { role: 'assistant', text: answer.text },
    { role: 'user', text: 'And you?' },
  ] as const;
  const next = await collect(local.generate(smolLm2, { ...first, turns }, quiet));
  assert.equal(codeOf(next), 'end');
  assert.ok(stats[0]!.reusedTokens > stats[0]!.promptTokens / 2);
});

test('five prompts at once share four sequences and all are answered', async () => {
  const questions = [
    'What is the capital of France?',
    'What is the capital of Italy?',
    'What is the capital of Japan?',
    'What is the capital of Spain?',
    'What is the capital of Germany?',
  ];
  const answers = await Promise.all(
    questions.map((question) => collect(local.generate(smolLm2, ask(question), quiet))),
  );
  assert.deepEqual(answers.map(codeOf), ['end', 'end', 'end', 'end', 'end']);
  for (const [index, pattern] of [/Paris/, /Rome/, /Tokyo/, /Madrid/, /Berlin/].entries())
    assert.match(answers[index]!.text, pattern);
  const queued = answers.filter(({ events }) =>
    events.some((event) => event.type === 'progress' && event.stage === 'queued'),
  );
  assert.equal(queued.length, 1);
});

/**
 * Within 300 ms where nobody else wants the cores, and otherwise in a quarter of the work that was left: a sequence that
 * is not freed takes all of it. The best of five counts, since a busy machine may hold up any one of them.
 */
async function assertFreedSoon(
  t: TestContext,
  ...how: Parameters<typeof freedAfter>
): Promise<void> {
  const times: string[] = [];
  for (let attempt = 0; attempt < 5; attempt++) {
    const { freedMs, restMs } = await freedAfter(...how);
    times.push(`${Math.round(freedMs)} ms instead of ${Math.round(restMs)} ms`);
    if (freedMs < 300 || freedMs < restMs / 4) return t.diagnostic(`freed after ${times.at(-1)}`);
  }
  assert.fail(`expected one of five to be freed soon, got ${times.join(', ')}`);
}

test('an abort in the midst of an answer frees the sequence', async (t) => {
  const prompt = ask('Tell a long story about a ship.', { maxOutputTokens: 400 });
  await assertFreedSoon(t, prompt, (event, count) =>
    event.type === 'text-delta' && count === 4 ? 4 / 400 : undefined,
  );
});

test('an abort while a long prompt is read frees the sequence', async (t) => {
  const prompt = ask(`${'The ship sailed on. '.repeat(250)}What happened?`);
  await assertFreedSoon(t, prompt, (event) =>
    event.type === 'progress' && event.stage === 'reading' && event.share > 0.05
      ? event.share
      : undefined,
  );
});

test('a reader that stops reading cancels the work', async () => {
  for await (const event of single.generate(
    smolLm2,
    ask('Tell a long story.', { maxOutputTokens: 400 }),
    quiet,
  )) {
    if (event.type === 'text-delta') break;
  }
  await assertAnswers(single);
});

test('nothing is started for a prompt that is cancelled already', async () => {
  const models = create();
  const answer = await collect(models.generate(smolLm2, ask('Hello'), AbortSignal.abort()));
  assert.equal(codeOf(answer), 'cancelled');
  assert.equal(models.hostPid(), undefined);
});

test('a host killed in the midst of an answer is an error event, and the next prompt works', async () => {
  const pid = local.hostPid()!;
  const request = ask('Tell a long story about a ship.', { maxOutputTokens: 400 });
  const killed = await collect(local.generate(smolLm2, request, quiet), (event, count) => {
    if (event.type === 'text-delta' && count === 3) process.kill(pid, 'SIGKILL');
  });
  assert.ok(killed.last.type === 'failed');
  const { code, retryable, billing, message } = killed.last.failure;
  assert.deepEqual(
    { code, retryable, billing },
    { code: 'model_crashed', retryable: true, billing: 'nothing' },
  );
  assert.match(message, /SIGKILL/);
  assert.deepEqual(local.availability(smolLm2), { kind: 'ready' });
  await assertAnswers(local);
  assert.notEqual(local.hostPid(), pid);
});

test('a model that crashes twice while loading is left alone until it is prepared again', async () => {
  const models = create();
  const crash = async () =>
    await collect(models.generate(smolLm2, ask('Hello'), quiet), (event, count) => {
      const loading = event.type === 'progress' && event.stage === 'loading';
      if (loading && count === 1) process.kill(models.hostPid()!, 'SIGKILL');
    });
  assert.equal(codeOf(await crash()), 'model_crashed');
  assert.deepEqual(models.availability(smolLm2), { kind: 'ready' });
  assert.equal(codeOf(await crash()), 'model_crashed');
  const availability = models.availability(smolLm2);
  assert.ok(availability.kind === 'unavailable' && /crashed twice/.test(availability.why));
  const refused = await collect(models.generate(smolLm2, ask('Hello'), quiet));
  assert.ok(refused.last.type === 'failed' && !refused.last.failure.retryable);
  assert.equal(models.hostPid(), undefined);

  const stages = new Set<string>();
  const prepared = await models.prepare(smolLm2, { onProgress: ({ stage }) => stages.add(stage) });
  assert.deepEqual(prepared, { kind: 'ready', path: modelPath });
  assert.deepEqual([...stages], ['loading'], 'the file was there already');
  await assertAnswers(models);
  await models.dispose();
});

test('a model that does not fit into memory is refused before it is loaded', async () => {
  const models = create({ maxMemoryBytes: 150_000_000 });
  const answer = await collect(models.generate(smolLm2, ask('Hello'), quiet));
  assert.ok(answer.last.type === 'failed');
  assert.equal(answer.last.failure.code, 'model_too_big');
  assert.match(answer.last.failure.message, /expected \d+ MB .* 150 MB/);
  const loaded = answer.events.some((event) => event.type === 'progress' && event.share > 0);
  assert.equal(loaded, false);
  await models.dispose();
});

test('a model tells what it takes of memory once it has answered', async () => {
  assert.equal(elsewhere.memoryBytes(smolLm2), undefined);
  await assertAnswers(single);
  const bytes = single.memoryBytes(smolLm2) ?? 0;
  const { sizeBytes } = smolLm2.file;
  assert.ok(bytes > sizeBytes / 2 && bytes < 10 * sizeBytes, `got ${bytes} of ${sizeBytes}`);
});

test('a prompt past the context window is refused, not cut', async () => {
  for (const text of ['word '.repeat(2100), 'x'.repeat(300_000)]) {
    const answer = await collect(local.generate(smolLm2, ask(text), quiet));
    assert.equal(codeOf(answer), 'context_limit');
  }
  const fits = await collect(
    local.generate(smolLm2, ask('word '.repeat(300), { maxOutputTokens: 2 }), quiet),
  );
  assert.equal(codeOf(fits), 'end');
});

test('an idle model is unloaded, and its host and folder go with it', async () => {
  const system = `Answer with one word. ${'Be quick. '.repeat(20)}`;
  const folder = mkdtempSync(join(empty, 'idle-'));
  const unloaded = Promise.withResolvers<string>();
  const models = create({ tempDir: folder, idleMs: 20, onUnloaded: unloaded.resolve });
  const seen: string[] = [];
  const answer = await collect(models.generate(smolLm2, ask('Hello', { system }), quiet), () =>
    seen.push(...readdirSync(folder)),
  );
  assert.equal(codeOf(answer), 'end');
  assert.ok(seen.length > 0);
  assert.equal(await unloaded.promise, smolLm2.id);
  assert.deepEqual(readdirSync(folder), []);
  assert.equal(models.hostPid(), undefined);
  await assertAnswers(models);
  await models.dispose();
});

test('the host is given no key', async () => {
  assert.deepEqual(hostEnvironment({ PATH: '/bin', OPENAI_API_KEY: KEY, NODE_OPTIONS: '-i' }), {
    PATH: '/bin',
  });
  await assertAnswers(local);
  if (process.platform !== 'linux') return;
  const environment = readFileSync(`/proc/${local.hostPid()}/environ`, 'utf8');
  assert.ok(environment.includes('PATH='));
  assert.ok(!environment.includes('OPENAI') && !environment.includes(KEY));
});

test('a missing file is said, and nothing is downloaded by a prompt', async () => {
  assert.deepEqual(elsewhere.availability(smolLm2), { kind: 'model_missing' });
  assert.equal(
    codeOf(await collect(elsewhere.generate(smolLm2, ask('Hello'), quiet))),
    'model_missing',
  );
  assert.deepEqual(elsewhere.availability(smolLm2), { kind: 'model_missing' });
  assert.equal(elsewhere.hostPid(), undefined);
  assert.equal(elsewhere.identity(smolLm2), smolLm2.file.sha256);
});

function own(path: string, file: Partial<LocalModel['file']> = {}): LocalModel {
  const sources = [{ kind: 'path', path }] as const;
  return {
    ...smolLm2,
    id: 'own',
    file: { ...smolLm2.file, fileName: 'own.gguf', sha256: '', sizeBytes: 0, sources, ...file },
  };
}

test("a person's own file works without a hash and gets its identity from its content", async () => {
  const model = own(modelPath, { chatTemplate: 'chatML' });
  assert.equal(elsewhere.identity(model), 'unverified:own');
  const answer = await collect(
    elsewhere.generate(model, ask('What is the capital of France?'), quiet),
  );
  assert.match(answer.text, /Paris/);
  assert.equal(elsewhere.identity(model), smolLm2.file.sha256);
});

test('a file that is no model is refused in words', async () => {
  const path = join(empty, 'text.gguf');
  writeFileSync(path, 'This is not a model.');
  for (const [model, pattern] of [
    [own(path), /expected a whole GGUF file/],
    [own(path, { sha256: 'ab'.repeat(32) }), /expected sha256/],
  ] as const) {
    const answer = await collect(elsewhere.generate(model, ask('Hello'), quiet));
    assert.ok(answer.last.type === 'failed');
    assert.equal(answer.last.failure.code, 'model_missing');
    assert.match(answer.last.failure.message, pattern);
  }
});

test('a probe measures this machine', async () => {
  const result = await local.probe(smolLm2);
  assert.ok(result.kind === 'measured');
  const { promptTokensPerSecond, outputTokensPerSecond, timeToFirstTokenMs, samples } =
    result.speed;
  for (const value of [promptTokensPerSecond, outputTokensPerSecond, timeToFirstTokenMs]) {
    assert.ok(Number.isFinite(value) && value > 0, `${value}`);
  }
  assert.equal(samples, 1);
});

test('a program that forgets to dispose still ends, and its host with it', async () => {
  const folder = mkdtempSync(join(empty, 'forgetful-'));
  const request = ask('Hello', { system: 'Be quick. '.repeat(20), maxOutputTokens: 2 });
  const program = `
    import { readdirSync } from 'node:fs';
    import { createLocalModels } from './server/src/models/local.ts';
    import { smolLm2, testModelsDir } from './test/support/localModel.ts';
    const tempDir = ${JSON.stringify(folder)};
    const folders = { modelsDir: testModelsDir, baseDir: '.', tempDir };
    const models = createLocalModels({ ...folders, threads: 1, gpu: false });
    const signal = new AbortController().signal;
    for await (const { type } of models.generate(smolLm2, ${JSON.stringify(request)}, signal)) {
      if (type === 'end') console.log(type, models.hostPid(), readdirSync(tempDir).length);
    }`;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--input-type=module', '--eval', program],
    { cwd: repositoryRoot, timeout: 240_000 },
  );
  const pid = Number(/^end (\d+) 1/.exec(stdout)?.[1]);
  assert.ok(pid > 0, stdout);
  // Nobody sends an event when a grandchild is gone, so this looks again until it is.
  for (let tries = 0; tries < 500 && alive(pid); tries += 1) await setTimeout(20);
  assert.equal(alive(pid), false);
  assert.deepEqual(readdirSync(folder), []);
});

function alive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
