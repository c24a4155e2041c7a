/** Local answers through the built language server beside node-llama-cpp called bare, with the same file and threads. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { GenerationRequest } from '../../../server/src/core/ports.ts';
import { createLocalModels, type LocalModels } from '../../../server/src/models/local.ts';
import { ensureSmolLm2, repositoryRoot, smolLm2, testModelsDir } from '../../support/localModel.ts';
import { type BareAnswer, type BareModel, startBareModel } from '../bareModel.ts';
import { median, ratios, spread } from '../figures.ts';
import { type Asked, type BuiltServer, startServer } from '../languageServer.ts';
import { type Measured, section } from '../rows.ts';

const THREADS = 1;

/** Answers of some sentences, each about something else. */
const subjects = [
  'a lighthouse',
  'a bicycle',
  'bread',
  'a violin',
  'the tides',
  'a beehive',
  'paper',
  'glass',
];
const question = (nth: number) =>
  `Write three sentences about ${subjects[nth % subjects.length]}, number ${nth}: who made it, who used it, and what became of it in the end. Then stop, and say nothing of how you came to know all that, nor of anything else that is made, used and lost.`;

const fileText = (nth: number) =>
  Array.from(
    { length: 20 },
    (_, line) => `export const value${nth * 100 + line} = compute(${line * nth}, 'name${line}');`,
  ).join('\n');

type Id = 'rate' | 'cpu' | 'first' | 'prefix' | 'warmed' | 'fair' | 'four' | 'cached';
type Tell = (row: Id, measured: Measured) => void;

export const local = section<Id>({
  name: 'local',
  title: 'Local answers through the built server beside bare node-llama-cpp',
  limitS: 190,
  rows: {
    rate: { name: 'local: output tokens per second', unit: 'times', goal: { least: 0.97 } },
    cpu: { name: 'local: output tokens per CPU second', unit: 'times', goal: { least: 0.97 } },
    first: { name: 'local: time to first token', unit: 'times', goal: { most: 1.05 } },
    prefix: {
      name: 'local: time to first token, second question about the same file',
      unit: 'times',
      goal: { most: 0.2 },
    },
    warmed: {
      name: 'local: time to first token, the file read while the question was typed',
      unit: 'times',
      goal: { most: 0.2 },
    },
    four: {
      name: 'local: throughput of four prompts at once',
      unit: 'times',
      goal: { least: 0.95 },
    },
    fair: {
      name: 'local: prompts of four that waited for the whole answer of another',
      unit: 'prompts',
      goal: { most: 0 },
    },
    cached: { name: 'local: repeated prompt, whole', unit: 'ms', goal: { most: 2 } },
  },
  async run({ quick, say }, tell) {
    await ensureSmolLm2();
    const dataDir = mkdtempSync(join(tmpdir(), 'bench-local-'));
    const server = await startServer(dataDir, { threads: THREADS });
    const bare = await startBareModel(THREADS);
    try {
      await beside(server, bare, quick ? 2 : 5, tell);
      await bare.stop();
      say('beside bare: done');
      await prefixes(server, quick ? 1 : 2, tell);
      say('prefix: done');
      await warmed(quick ? 1 : 3, tell);
      say('read ahead: done');
      await four(server, quick ? 1 : 2, tell);
      say('four at once: done');
      await cached(server, quick ? 10 : 60, tell);
    } finally {
      await bare.stop();
      await server.stop();
      rmSync(dataDir, { recursive: true, force: true });
    }
  },
});

async function beside(
  server: BuiltServer,
  bare: BareModel,
  rounds: number,
  tell: Tell,
): Promise<void> {
  interface Round {
    readonly ours: Asked & Omit<BareAnswer, 'firstMs'>;
    readonly alike: BareAnswer;
    readonly plain: BareAnswer | undefined;
  }
  const all: Round[] = [];
  for (let round = 0; round <= rounds; round++) {
    const cpuBefore = server.cpuMs();
    const answer = await server.ask(question(round), { useCache: false });
    const cpuMs = server.cpuMs() - cpuBefore;
    const tokens = await bare.tokensOf(answer.text);
    const outputTokens = Math.max(8, tokens);
    const alike = await bare.answer({ text: question(round), outputTokens, manner: 'alike' });
    // Every other round, for time, and something else, or it would be read already.
    const plain =
      round % 2 === 1
        ? await bare.answer({ text: question(round + 40), outputTokens, manner: 'plain' })
        : undefined;
    // The first loads the model.
    if (round === 0) continue;
    const perSecond = ((tokens - 1) / answer.writingMs) * 1000;
    all.push({ ours: { ...answer, tokens, cpuMs, perSecond }, alike, plain });
  }
  const ratiosTo = (
    manner: 'alike' | 'plain',
    figure: (answer: Omit<BareAnswer, 'firstMs'>) => number,
  ) =>
    all.flatMap((round) => {
      const bareAnswer = round[manner];
      return bareAnswer === undefined ? [] : [figure(round.ours) / figure(bareAnswer)];
    });
  const perSecond = (answer: Pick<BareAnswer, 'perSecond'>) => answer.perSecond;
  const perCpu = ({ tokens, cpuMs }: Pick<BareAnswer, 'tokens' | 'cpuMs'>) => tokens / cpuMs;
  const rate = ratiosTo('alike', perSecond);
  const cpu = ratiosTo('alike', perCpu);
  const first = all.map(({ ours, alike }) => ours.firstMs / alike.firstMs);
  const rates = spread(
    all.map(({ alike }) => alike.perSecond),
    1,
  );
  tell('rate', {
    value: median(rate),
    against: `node-llama-cpp 3.22.1 bare, log-probabilities and penalty on: ${rates} tokens/s`,
    note: `${spread(rate)}; beside bare without either ${spread(ratiosTo('plain', perSecond))}; ${rounds} rounds in turns, ${THREADS} thread, the same priority`,
  });
  tell('cpu', {
    value: median(cpu),
    against: 'node-llama-cpp bare, log-probabilities and penalty on, reading included',
    note: `${spread(cpu)}; beside bare without either ${spread(ratiosTo('plain', perCpu))}; server and model host together`,
  });
  tell('first', {
    value: median(first),
    against: `node-llama-cpp bare, with its own reuse: ${spread(
      all.map(({ alike }) => alike.firstMs),
      0,
    )} ms`,
    note: `${spread(first)}; ${spread(
      all.map(({ ours }) => ours.firstMs),
      0,
    )} ms through the server`,
  });
}

async function prefixes(server: BuiltServer, rounds: number, tell: Tell): Promise<void> {
  const fresh: number[] = [];
  const again: number[] = [];
  for (let round = 1; round <= rounds; round++) {
    const context = [{ kind: 'file', text: fileText(round), path: `file${round}.ts` } as const];
    const ask = async (text: string) =>
      (await server.ask(text, { context, useCache: false })).firstMs;
    fresh.push(await ask('What does this file do? One word.'));
    again.push(await ask('Is there a mistake in it? One word.'));
  }
  const found = ratios(again, fresh);
  tell('prefix', {
    value: median(found),
    against: `the first question, read whole: ${spread(fresh, 0)} ms`,
    note: `${spread(found)}; ${spread(again, 0)} ms, ${rounds} files`,
  });
}

/** Called without the server, which reads nothing ahead on a machine that is busy, as one is that measures. */
async function warmed(rounds: number, tell: Tell): Promise<void> {
  const models = createLocalModels({
    modelsDir: testModelsDir,
    baseDir: repositoryRoot,
    threads: THREADS,
    gpu: false,
    loadPerCore: () => 0,
  });
  const cold: number[] = [];
  const warm: number[] = [];
  try {
    await models.prepare(smolLm2);
    for (let round = 0; round < rounds; round++) {
      const [one, other] = [fileText(500 + 2 * round), fileText(501 + 2 * round)];
      cold.push(await firstTokenMs(models, requestOf(`${one}\n\nWhat does this file do?`)));
      await models.warm?.(smolLm2, requestOf(`${other}\n\n`));
      warm.push(await firstTokenMs(models, requestOf(`${other}\n\nWhat does this file do?`)));
    }
  } finally {
    await models.dispose();
  }
  const found = ratios(warm, cold);
  tell('warmed', {
    value: median(found),
    against: `the file read after Enter: ${spread(cold, 0)} ms`,
    note: `${spread(found)}; ${spread(warm, 0)} ms, ${rounds} pairs of files in turns, without the server`,
  });
}

function requestOf(text: string): GenerationRequest {
  return { system: '', turns: [{ role: 'user', text }], maxOutputTokens: 4 };
}

async function firstTokenMs(models: LocalModels, request: GenerationRequest): Promise<number> {
  const started = performance.now();
  let first: number | undefined;
  for await (const event of models.generate(smolLm2, request, new AbortController().signal)) {
    if (event.type === 'failed') throw new Error(event.failure.message);
    if (event.type === 'text-delta') first ??= performance.now();
  }
  return (first ?? performance.now()) - started;
}

async function four(server: BuiltServer, rounds: number, tell: Tell): Promise<void> {
  const alone: number[] = [];
  const together: number[] = [];
  let waited = 0;
  let nth = 100;
  for (let round = 0; round < rounds; round++) {
    const next = () =>
      `Write two sentences about the number ${nth++} and about ${subjects[nth % subjects.length]}.`;
    const ask = (text: string) => server.ask(text, { useCache: false });
    let characters = 0;
    let startedMs = performance.now();
    for (let one = 0; one < 4; one++) characters += (await ask(next())).text.length;
    alone.push(characters / (performance.now() - startedMs));
    startedMs = performance.now();
    const answers = await Promise.all(Array.from({ length: 4 }, () => ask(next())));
    together.push(sum(answers.map(({ text }) => text.length)) / (performance.now() - startedMs));
    const firstEnd = Math.min(...answers.map(({ span }) => span[2]));
    waited += answers.filter(({ span }) => span[1] > firstEnd).length;
  }
  const found = ratios(together, alone);
  tell('four', {
    value: median(found),
    against: 'one after the other',
    note: `characters a second, ${spread(found)}, ${rounds} rounds in turns`,
  });
  tell('fair', {
    value: waited / rounds,
    against: null,
    note: 'first text after another had ended',
  });
}

async function cached(server: BuiltServer, rounds: number, tell: Tell): Promise<void> {
  const texts = [
    'Which colour is the sky? One word.',
    'What is the capital of France?',
    'Say yes.',
    'What is 2 plus 2?',
  ];
  for (const text of texts) {
    const first = await server.ask(text);
    const again: Asked[] = [];
    for (let round = 0; round < rounds; round++) again.push(await server.ask(text));
    if (again.some(({ served }) => served !== 'cache')) continue;
    const times = again.map(({ wholeMs }) => wholeMs);
    tell('cached', {
      value: median(times),
      against: `the first time: ${first.wholeMs.toFixed(0)} ms`,
      note: `${spread(times)} ms, ${rounds} times, from the question to the end of its answer in the client`,
    });
    return;
  }
  tell('cached', {
    value: null,
    why: 'no short answer of the model passed the gate, so none was kept',
  });
}

function sum(values: readonly number[]): number {
  return values.reduce((all, one) => all + one, 0);
}
