/** Texts of a corpus, read in blocks so that a file may be larger than memory. */
import { open, stat } from 'node:fs/promises';
import { TrainingError } from './trainingError.ts';

export interface TextFile {
  readonly path: string;
  readonly bytes: number;
}

const BLOCK_BYTES = 1 << 20;

/** @throws TrainingError when one can't be read or none holds a byte */
export async function textFiles(paths: readonly string[]): Promise<readonly TextFile[]> {
  const files: TextFile[] = [];
  for (const path of paths) {
    const found = await stat(path).catch(() => undefined);
    if (found?.isFile() !== true) {
      const what = found === undefined ? 'nothing that can be read' : 'no file';
      throw new TrainingError(`expected a text file at ${path}, found ${what}`);
    }
    files.push({ path, bytes: found.size });
  }
  if (files.every(({ bytes }) => bytes === 0)) {
    const named = paths.join(', ') || 'no file';
    throw new TrainingError(`expected text in the corpus, got nothing (${named})`);
  }
  return files;
}

/**
 * Yields the text of a file in blocks.
 * @throws TrainingError where it is not UTF-8
 */
export async function* blocksOf(
  { path }: TextFile,
  onRead: (bytes: number) => void,
  signal: AbortSignal,
): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const file = await open(path);
  try {
    const buffer = Buffer.alloc(BLOCK_BYTES);
    for (;;) {
      signal.throwIfAborted();
      const { bytesRead } = await file.read(buffer, 0, buffer.length);
      onRead(bytesRead);
      let text: string;
      try {
        text = decoder.decode(buffer.subarray(0, bytesRead), { stream: bytesRead > 0 });
      } catch {
        throw new TrainingError(
          `expected ${path} to be text in UTF-8, got bytes that are none; convert it first`,
        );
      }
      if (text !== '') yield text;
      if (bytesRead === 0) return;
    }
  } finally {
    await file.close();
  }
}
