/** Two sequences of the real model that share the beginning of their prompts, in this very process. */
import assert from 'node:assert/strict';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import * as library from 'node-llama-cpp';
import { getLlama, type Llama, type LlamaContextSequence, type LlamaModel } from 'node-llama-cpp';
import { type ChatPrompts, createChatPrompts } from '../../server/src/models/chatPrompt.ts';
import { type GenerationTask, generate } from '../../server/src/models/generation.ts';
import {
  createSharedPrefixes,
  type SharedPrefixes,
} from '../../server/src/models/generationPrefix.ts';
import { ensureSmolLm2 } from '../support/localModel.ts';

const RULES = 'You are a careful assistant. Answer in one short sentence. '.repeat(9);
/** Long enough to act while it is read. */
const LONG_RULES = RULES.repeat(3);
const FRANCE = 'What is the capital of France?';
const JAPAN = 'What is the capital of Japan?';

let llama: Llama;
let model: LlamaModel;
let chat: ChatPrompts;
let sequences: readonly LlamaContextSequence[];
let folder: string;
const folders: string[] = [];

before(async () => {
  llama = await getLlama({
    gpu: false,
    build: 'never',
    maxThreads: 1,
    progressLogs: false,
    logLevel: library.LlamaLogLevel.disabled,
  });
  const modelPath = await ensureSmolLm2();
  model = await llama.loadModel({ modelPath });
  const context = await model.createContext({ contextSize: 512, sequences: 2, threads: 1 });
  sequences = [context.getSequence(), context.getSequence()];
  const spec = { id: 'model', path: '', stamp: '', contextWindow: 512, chatTemplate: 'auto' };
  chat = createChatPrompts(library, model, {
    ...spec,
    systemPrompt: 'Be brief.',
    thoughtTokens: 0,
  });
});

beforeEach(async () => {
  for (const sequence of sequences) await sequence.clearHistory();
  folder = mkdtempSync(join(tmpdir(), 'prefix-'));
  folders.push(folder);
});

after(async () => {
  await llama?.dispose();
  for (const each of folders) rmSync(each, { recursive: true, force: true });
});

function promptOf(question: string, system = RULES) {
  return chat.render({ system, turns: [{ role: 'user', text: question }], maxOutputTokens: 12 });
}

interface Run {
  readonly text: string;
  readonly reused: number | undefined;
}

/** One generation; `more` may add a signal and a listener. No text and no count mean that it was aborted. */
async function run(
  index: 0 | 1,
  prefixes: SharedPrefixes,
  question: string,
  more: Partial<GenerationTask> & { readonly system?: string } = {},
): Promise<Run> {
  let text = '';
  const outcome = await generate({
    model,
    sequence: sequences[index]!,
    prefixes,
    pace: { sliceTokens: 8 },
    chat,
    prompt: promptOf(question, more.system),
    maxOutputTokens: 12,
    thoughtTokens: 0,
    signal: new AbortController().signal,
    onReading: () => undefined,
    onText: (delta) => {
      text += delta;
    },
    ...more,
  });
  return { text, reused: outcome?.stats.reusedTokens };
}

/** Input tokens that llama.cpp evaluated meanwhile, by its own count. */
async function evaluatedDuring(work: () => Promise<unknown>): Promise<number> {
  const used = () => sequences.reduce((sum, { tokenMeter }) => sum + tokenMeter.usedInputTokens, 0);
  const before = used();
  await work();
  return used() - before;
}

const sharing = () => createSharedPrefixes(async () => folder);
const alone = () =>
  createSharedPrefixes(async () => {
    throw new Error('no folder');
  });

test('two prompts at once evaluate their system prompt once, and answer as if each had', async () => {
  const shared = promptOf(FRANCE).sharedTokens;
  const questions = promptOf(FRANCE).tokens.length + promptOf(JAPAN).tokens.length - 2 * shared;
  assert.ok(shared > 60);
  const both = async (prefixes: SharedPrefixes) =>
    await Promise.all([run(0, prefixes, FRANCE), run(1, prefixes, JAPAN)]);

  let apart: Run[] = [];
  const evaluatedApart = await evaluatedDuring(async () => {
    apart = await both(alone());
  });
  // The last token of each prompt counts as the beginning of its answer.
  assert.equal(evaluatedApart, 2 * shared + questions - 2);

  for (const sequence of sequences) await sequence.clearHistory();
  let together: Run[] = [];
  const evaluatedTogether = await evaluatedDuring(async () => {
    together = await both(sharing());
  });
  assert.equal(evaluatedTogether, shared + questions - 2);
  assert.deepEqual(together.map(({ reused }) => reused).sort(), [0, shared]);
  assert.deepEqual(
    together.map(({ text }) => text),
    apart.map(({ text }) => text),
  );
  assert.match(together[0]!.text, /Paris/);
  assert.match(together[1]!.text, /Tokyo/);
});

test('a sequence that had another prompt loads the prefix, and nothing of a question is on the disk', async () => {
  const prefixes = sharing();
  const first = await run(0, prefixes, 'Who is Ada?');
  await run(1, prefixes, 'A secret.', { system: 'Something else.' });
  const second = await run(1, prefixes, 'Who is Ada?');
  const { tokens, sharedTokens } = promptOf('Who is Ada?');
  assert.equal(second.reused, sharedTokens);
  assert.equal(second.text, first.text);

  const files = readdirSync(folder);
  assert.equal(files.length, 1);
  // The file begins with a magic number, its version, and the tokens with their count.
  const header = readFileSync(join(folder, files[0]!)).subarray(8);
  const saved = Array.from({ length: header.readUInt32LE() }, (_, at) =>
    header.readUInt32LE(4 + 4 * at),
  );
  assert.deepEqual(saved, tokens.slice(0, sharedTokens));
  assert.doesNotMatch(
    model.detokenize(saved as (typeof sequences)[0]['contextTokens'], true),
    /Ada/,
  );

  await prefixes.dispose();
  assert.equal(existsSync(folder), false);
});

test('an abort while the prefix is waited for ends at once, and the other goes on', async () => {
  const prefixes = sharing();
  const controller = new AbortController();
  const began = Promise.withResolvers<void>();
  let reading = 0;
  const leader = run(0, prefixes, FRANCE, {
    system: LONG_RULES,
    onReading: (share) => {
      reading = share;
      if (share > 0) began.resolve();
    },
  });
  await began.promise;
  const waits = Promise.withResolvers<void>();
  const waiter = run(1, prefixes, JAPAN, {
    system: LONG_RULES,
    signal: controller.signal,
    onReading: (share) => share > 0 && waits.resolve(),
  });
  await waits.promise;
  controller.abort();
  assert.deepEqual(await waiter, { text: '', reused: undefined });
  assert.ok(reading < 0.9, `expected the other to be reading still, it was at ${reading}`);
  assert.equal(sequences[1]!.nextTokenIndex, 0, 'the progress that it told was that of the other');
  assert.match((await leader).text, /Paris/);
});

test('who waits takes over when the one that evaluates is aborted', async () => {
  const prefixes = sharing();
  const controller = new AbortController();
  const leader = run(0, prefixes, FRANCE, {
    system: LONG_RULES,
    signal: controller.signal,
    onReading: (share) => share > 0.2 && controller.abort(),
  });
  const waiter = run(1, prefixes, JAPAN, { system: LONG_RULES });
  assert.equal((await leader).reused, undefined);
  const { text, reused } = await waiter;
  assert.equal(reused, 0);
  assert.match(text, /Tokyo/);
  const again = await run(0, prefixes, FRANCE, { system: LONG_RULES });
  assert.equal(again.reused, promptOf(FRANCE, LONG_RULES).sharedTokens);
});

test('a state that cannot be written is no obstacle', async () => {
  const gone = join(folder, 'gone');
  for (const makeFolder of [
    async () => gone,
    async () => await Promise.reject(new Error('full')),
  ]) {
    for (const sequence of sequences) await sequence.clearHistory();
    const prefixes = createSharedPrefixes(makeFolder);
    const answers = await Promise.all([run(0, prefixes, FRANCE), run(1, prefixes, JAPAN)]);
    assert.deepEqual(
      answers.map(({ reused }) => reused),
      [0, 0],
    );
    assert.match(answers[0]!.text, /Paris/);
    assert.match(answers[1]!.text, /Tokyo/);
  }
});

test('a state that cannot be read is evaluated instead, and saved again', async () => {
  const damages: readonly ((path: string, bytes: Buffer) => void)[] = [
    (path) => rmSync(path),
    (path, bytes) => truncateSync(path, bytes.length - 1000),
    (path, bytes) => writeFileSync(path, bytes.fill(7, 0, 4)),
    (path, bytes) => writeFileSync(path, bytes.fill(7, 1200, 2000)),
  ];
  const prefixes = sharing();
  await run(0, prefixes, FRANCE, { maxOutputTokens: 1 });
  for (const [index, damage] of damages.entries()) {
    const path = join(folder, readdirSync(folder)[0]!);
    damage(path, readFileSync(path));
    await sequences[1]!.clearHistory();
    const { text, reused } = await run(1, prefixes, JAPAN);
    assert.equal(reused, 0, `damage ${index}`);
    assert.match(text, /Tokyo/);
  }
  await sequences[0]!.clearHistory();
  assert.equal((await run(0, prefixes, JAPAN)).reused, promptOf(JAPAN).sharedTokens);
});

test('the four states that were used last are kept, and a short prefix is not worth one', async () => {
  const prefixes = sharing();
  const systems = ['One', 'Two', 'Three', 'Four'].map((word) => `${word} ${RULES.slice(0, 240)}`);
  await run(0, prefixes, FRANCE, { system: 'Be brief.' });
  assert.deepEqual(readdirSync(folder), []);
  for (const system of systems) await run(0, prefixes, FRANCE, { system });
  const four = readdirSync(folder);
  assert.equal(four.length, 4);
  // The first is used once more, so that the second is the oldest when a fifth comes.
  assert.ok((await run(1, prefixes, JAPAN, { system: systems[0]! })).reused! > 30);
  await run(0, prefixes, FRANCE, { system: `Five ${RULES.slice(0, 240)}` });
  assert.equal(readdirSync(folder).length, 4);
  assert.ok((await run(0, prefixes, FRANCE, { system: systems[0]! })).reused! > 30);
  assert.ok((await run(1, prefixes, FRANCE, { system: systems[1]! })).reused! < 30);
});
