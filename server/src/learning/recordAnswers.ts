/**
 * Asks a local model the checkable questions and writes what came, one JSON object a line:
 *   node server/src/learning/recordAnswers.ts --model ID --models-dir DIR --out answers.jsonl
 * The model is an entry of models/registry.yaml; its file is fetched into DIR when it is not there.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { generationRequest } from '../core/request.ts';
import type { LocalModel } from '../core/types.ts';
import { createCatalogue } from '../models/catalogue.ts';
import { createLocalModels, type LocalModels } from '../models/local.ts';
import {
  type CheckableQuestion,
  isAccepted,
  readCheckableQuestions,
} from './checkableQuestions.ts';
import { readJsonLines } from './outcomes.ts';

export const recordedAnswer = z.strictObject({
  /** Of the model that answered. */
  identity: z.string(),
  kind: z.string(),
  question: z.string(),
  text: z.string(),
  finish: z.enum(['stop', 'length', 'refusal', 'tool-calls']),
  logProbs: z.array(z.number()),
  good: z.boolean(),
});

export type RecordedAnswer = z.infer<typeof recordedAnswer>;

const MAX_OUTPUT_TOKENS = 96;

export function readRecordedAnswers(path: string): RecordedAnswer[] {
  return readJsonLines(path, recordedAnswer);
}

async function ask(
  local: LocalModels,
  model: LocalModel,
  checkable: CheckableQuestion,
): Promise<RecordedAnswer> {
  const { kind, question } = checkable;
  const prompt = { text: question, context: [], history: [] };
  const request = generationRequest(prompt, model, MAX_OUTPUT_TOKENS);
  let text = '';
  for await (const event of local.generate(model, request, new AbortController().signal)) {
    if (event.type === 'text-delta') text += event.text;
    if (event.type === 'failed') throw new Error(event.failure.message);
    if (event.type === 'end') {
      return {
        identity: local.identity(model),
        kind,
        question,
        text,
        finish: event.finish,
        logProbs: (event.logProbs ?? []).map(({ logProb }) => logProb),
        good: isAccepted(text, checkable),
      };
    }
  }
  throw new Error('expected the answer to end, got an end of the stream');
}

function registryModel(id: string, baseDir: string): LocalModel {
  const result = createCatalogue({
    registryPath: join(baseDir, 'registry.yaml'),
    pricingPath: join(baseDir, 'pricing.yaml'),
    onProblem: (problem) => console.error(JSON.stringify(problem)),
  });
  if (result.kind === 'failed') throw new Error('expected a registry without mistakes');
  const { models } = result.catalogue.registry();
  const model = models.find((entry) => entry.id === id);
  if (model?.provider === 'local') return model;
  throw new Error(`expected --model to name a local model of the registry, got ${id}`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      model: { type: 'string' },
      'models-dir': { type: 'string' },
      out: { type: 'string' },
      threads: { type: 'string', default: '1' },
    },
  });
  const { model: id, 'models-dir': modelsDir, out } = values;
  if (id === undefined || modelsDir === undefined || out === undefined) {
    throw new Error('expected --model ID --models-dir DIR --out FILE');
  }
  const baseDir = fileURLToPath(new URL('../../../models', import.meta.url));
  const model = registryModel(id, baseDir);
  const local = createLocalModels({ modelsDir, baseDir, threads: Number(values.threads) });
  try {
    const prepared = await local.prepare(model);
    if (prepared.kind === 'failed') throw new Error(prepared.failure.message);
    const answers: RecordedAnswer[] = [];
    for (const question of readCheckableQuestions()) {
      answers.push(await ask(local, model, question));
      process.stderr.write(`\r${answers.length} answers`);
    }
    process.stderr.write('\n');
    writeFileSync(out, answers.map((answer) => `${JSON.stringify(answer)}\n`).join(''));
    const good = answers.filter((answer) => answer.good).length;
    console.log(`${good} of ${answers.length} good`);
  } finally {
    await local.dispose();
  }
}

if (import.meta.main) await main();
