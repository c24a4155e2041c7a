/** A GGUF file as a judge of texts, in a process of its own. */
import { fork } from 'node:child_process';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ggufHeaderProblem } from '../core/ggufHeader.ts';
import type { FromGgufHost, ToGgufHost } from './ggufProtocol.ts';
import type { TextScorer } from './perplexity.ts';
import { TrainingError } from './trainingError.ts';

export interface GgufScorer extends TextScorer {
  readonly vocabularySize: number;
  readonly begin: number | undefined;
  /** By the tokenizer in the file. */
  encode(text: string): Promise<readonly number[]>;
  close(): void;
}

export interface GgufScorerOptions {
  readonly threads: number;
  /** @default the whole context that the model was trained on */
  readonly window?: number | undefined;
  readonly signal: AbortSignal;
}

/** What a program needs to start; no key and no setting of the router. */
const PASSED_ON = [
  'PATH',
  'HOME',
  'USERPROFILE',
  'TMPDIR',
  'TEMP',
  'SystemRoot',
  'LD_LIBRARY_PATH',
];

/** @throws TrainingError when the file is none that llama.cpp loads */
export async function openGgufScorer(
  path: string,
  { threads, window, signal }: GgufScorerOptions,
): Promise<GgufScorer> {
  checkHeader(path);
  const entry = new URL(`./ggufHost${extname(fileURLToPath(import.meta.url))}`, import.meta.url);
  const env = Object.fromEntries(PASSED_ON.map((name) => [name, process.env[name]]));
  const child = fork(entry, {
    env,
    execArgv: [],
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  const close = () => {
    child.kill('SIGKILL');
  };
  signal.addEventListener('abort', close, { once: true });

  async function ask<T extends FromGgufHost['type']>(
    message: ToGgufHost,
    expected: T,
  ): Promise<Extract<FromGgufHost, { type: T }>> {
    const reply = await new Promise<FromGgufHost>((resolve, reject) => {
      const gone = () =>
        reject(new TrainingError(`expected ${path} to be read, but llama.cpp ended`));
      child.once('exit', gone);
      child.once('message', (received: FromGgufHost) => {
        child.off('exit', gone);
        resolve(received);
      });
      child.send(message);
    });
    signal.throwIfAborted();
    if (reply.type === 'failed') {
      throw new TrainingError(`expected llama.cpp to work with ${path}, got: ${reply.message}`);
    }
    if (reply.type !== expected) throw new Error(`expected ${expected}, got ${reply.type}`);
    return reply as Extract<FromGgufHost, { type: T }>;
  }

  try {
    const { contextLength, vocabularySize, begin } = await ask(
      { type: 'load', path, threads, window },
      'loaded',
    );
    return {
      contextLength,
      vocabularySize,
      begin,
      encode: async (text) => (await ask({ type: 'encode', text }, 'encoded')).ids,
      losses: async (ids, targets, from) =>
        (await ask({ type: 'score', ids, targets, from }, 'scored')).losses,
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

function checkHeader(path: string): void {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch {
    throw new TrainingError(`expected a GGUF file at ${path}, found none`);
  }
  try {
    const problem = ggufHeaderProblem({
      sizeBytes: fstatSync(file).size,
      read: (window, at) => readSync(file, window, 0, window.length, at),
    });
    if (problem === undefined) return;
    throw new TrainingError(`expected a whole GGUF file at ${path}, but ${problem}`);
  } finally {
    closeSync(file);
  }
}
