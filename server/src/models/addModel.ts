/** A GGUF file of the user's own, taken into the models folder and written into the user's registry beside the ledger. */
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, mkdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { type Failure, failure } from '../core/errors.ts';
import { holdFile } from './modelFile.ts';
import { writeEntry } from './userYaml.ts';

export interface AddModelOptions {
  readonly modelsDir: string;
  /** The user's own registry; made where there is none, its comments kept. */
  readonly registryPath: string;
  readonly id: string;
  readonly onProgress: (share: number) => void;
  readonly signal: AbortSignal;
}

export type AddedModel =
  | { readonly kind: 'added'; readonly id: string; readonly parameters: number }
  | { readonly kind: 'failed'; readonly failure: Failure };

/** Room for code with what is around it; a file that was trained on less gets less. */
const MOST_CONTEXT = 8_192;
const MOST_OUTPUT = 1_024;
const READ_HEADER_MS = 30_000;

export async function addModel(path: string, options: AddModelOptions): Promise<AddedModel> {
  const bad = (message: string): AddedModel => ({
    kind: 'failed',
    failure: failure('bad_request', message),
  });
  const wrong = headerProblem(path);
  if (wrong !== undefined) return bad(`expected a GGUF file to add, got ${path}, ${wrong}`);
  const { id } = options;
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$/.test(id)) {
    return bad(
      `expected an id of letters, digits, dots and dashes, got ${id}; choose one with --id`,
    );
  }
  const info = await describe(path, options.signal);
  if (info === undefined) {
    return bad(`expected ${path} to be a model that llama.cpp reads, got a damaged header`);
  }
  const sizeBytes = (await stat(path)).size;
  const sha256 = await sha256Of(
    path,
    (read) => options.onProgress(read / sizeBytes),
    options.signal,
  );
  const fileName = `${id}.gguf`;
  await bringIn(path, join(options.modelsDir, fileName));
  const contextWindow = Math.min(info.contextLength, MOST_CONTEXT);
  const entry = {
    id,
    label: basename(path).replace(/\.gguf$/i, ''),
    tier: 'cheap',
    provider: 'local',
    context_window: contextWindow,
    max_output_tokens: Math.min(MOST_OUTPUT, Math.max(1, Math.floor(contextWindow / 2))),
    ability: { size_billions: info.parameters / 1e9 },
    file: {
      file_name: fileName,
      size_bytes: sizeBytes,
      sha256,
      sources: [{ path: resolve(options.modelsDir, fileName) }],
      chat_template: 'auto',
      // A model of plain text would only go on from it; one that knows roles has its own.
      system_prompt: '',
    },
  };
  await writeEntry(options.registryPath, 'models', 'id', entry);
  return { kind: 'added', id, parameters: info.parameters };
}

function headerProblem(path: string): string | undefined {
  const file = holdFile(path);
  if (file === undefined) return "which can't be read";
  try {
    const problem = file.headerProblem();
    return problem === undefined ? undefined : `but ${problem}`;
  } finally {
    file.close();
  }
}

async function describe(
  path: string,
  signal: AbortSignal,
): Promise<{ readonly parameters: number; readonly contextLength: number } | undefined> {
  const { GgufInsights, readGgufFileInfo } = await import('node-llama-cpp');
  try {
    const info = await readGgufFileInfo(path, {
      sourceType: 'filesystem',
      signal: AbortSignal.any([signal, AbortSignal.timeout(READ_HEADER_MS)]),
    });
    const parameters = (info.fullTensorInfo ?? []).reduce(
      (sum, { dimensions }) =>
        sum + dimensions.reduce<number>((size, one) => size * Number(one), 1),
      0,
    );
    const { trainContextSize } = await GgufInsights.from(info);
    if (parameters === 0 || trainContextSize === undefined) return undefined;
    return { parameters, contextLength: trainContextSize };
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
}

async function sha256Of(
  path: string,
  onRead: (bytes: number) => void,
  signal: AbortSignal,
): Promise<string> {
  const hash = createHash('sha256');
  let read = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20, signal })) {
    hash.update(chunk as Buffer);
    read += (chunk as Buffer).length;
    onRead(read);
  }
  return hash.digest('hex');
}

/** Whole or not at all; a copy, so that a later training run may write its file anew. */
async function bringIn(from: string, to: string): Promise<void> {
  if (resolve(from) === resolve(to)) return;
  await mkdir(dirname(to), { recursive: true });
  const temporary = `${to}.${randomUUID()}.part`;
  try {
    await copyFile(from, temporary);
    await rename(temporary, to);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
