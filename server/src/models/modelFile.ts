/**
 * Where a local model's file is and whether its content is the one that the registry names. A verified hash is kept in a
 * small note beside the models, bound to the file's size, time and inode, so that a large file is hashed once, not at each start.
 */
import { createHash, randomUUID } from 'node:crypto';
import {
  type BigIntStats,
  closeSync,
  fstatSync,
  openSync,
  readFileSync,
  readSync,
  statSync,
} from 'node:fs';
import { mkdir, open, rename, writeFile } from 'node:fs/promises';
import { basename, isAbsolute, join, resolve } from 'node:path';
import { z } from 'zod';
import { ggufHeaderProblem } from '../core/ggufHeader.ts';
import type { LocalModel } from '../core/types.ts';

export interface ModelFolders {
  /** Where downloaded files and the notes about verified ones live. */
  readonly modelsDir: string;
  /** What relative `path` sources are relative to. */
  readonly baseDir: string;
}

export interface FoundFile {
  readonly path: string;
  readonly sizeBytes: number;
  /** Changes whenever the file is written or replaced, but not when it is renamed. */
  readonly stamp: string;
  /** Known only once the file was verified in its present state. */
  readonly sha256: string | undefined;
}

export type Verification =
  | { readonly kind: 'verified'; readonly file: FoundFile & { readonly sha256: string } }
  | { readonly kind: 'mismatch'; readonly why: string };

const noteSchema = z.object({ stamp: z.string(), sha256: z.string() });

/** The first file that could serve, by name and size, with what is known of its content. */
export function findModelFile(model: LocalModel, folders: ModelFolders): FoundFile | undefined {
  for (const path of candidatePaths(model, folders)) {
    const found = inspect(path, model, folders);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Whether there is such a file, without looking at what is known of its content. */
export function isModelFileThere(model: LocalModel, folders: ModelFolders): boolean {
  return candidatePaths(model, folders).some((path) => {
    const stats = statFile(path);
    return stats !== undefined && isOfStatedSize(model, stats);
  });
}

function isOfStatedSize(model: LocalModel, stats: BigIntStats): boolean {
  return model.file.sizeBytes <= 0 || Number(stats.size) === model.file.sizeBytes;
}

export function downloadedPath(model: LocalModel, folders: ModelFolders): string {
  const { fileName } = model.file;
  if (fileName === '' || basename(fileName) !== fileName || fileName.startsWith('.')) {
    throw new RangeError(
      `expected a plain file name for ${model.id}, got ${JSON.stringify(fileName)}`,
    );
  }
  return join(folders.modelsDir, fileName);
}

export function sourcePath(path: string, folders: ModelFolders): string {
  return isAbsolute(path) ? path : resolve(folders.baseDir, path);
}

/** Hashes the file unless its note is still true, and compares with the registry. A model without a hash accepts any content. */
export async function verifyModelFile(
  model: LocalModel,
  file: FoundFile,
  folders: ModelFolders,
  options: { readonly signal?: AbortSignal; readonly onBytes?: (bytes: number) => void } = {},
): Promise<Verification> {
  const sha256 = file.sha256 ?? (await hashFile(file.path, options));
  const wanted = model.file.sha256.toLowerCase();
  if (wanted !== '' && sha256 !== wanted) {
    return { kind: 'mismatch', why: `expected sha256 ${wanted}, got ${sha256}` };
  }
  if (file.sha256 === undefined) {
    if (stampOf(file.path) !== file.stamp) {
      return { kind: 'mismatch', why: 'the file changed while it was being read' };
    }
    await writeNote(model, folders, { stamp: file.stamp, sha256 });
  }
  return { kind: 'verified', file: { ...file, sha256 } };
}

/** Looks at one path: `undefined` when nothing is there, or nothing of the size that the registry states. */
export function inspect(
  path: string,
  model: LocalModel,
  folders: ModelFolders,
): FoundFile | undefined {
  const stats = statFile(path);
  if (stats === undefined) return undefined;
  if (!isOfStatedSize(model, stats)) return undefined;
  const stamp = stampFrom(stats);
  const note = readNote(model, folders);
  return {
    path,
    sizeBytes: Number(stats.size),
    stamp,
    sha256: note?.stamp === stamp ? note.sha256 : undefined,
  };
}

export interface HeldFile {
  readonly stamp: string;
  /** Leads to the opened file itself, whatever its name leads to by now; only Linux has such paths. */
  readonly path: string;
  /** What is wrong with its GGUF header, or `undefined`. */
  headerProblem(): string | undefined;
  close(): void;
}

/** Opens a file so that what is checked is what is used, or `undefined` where it can't be opened. */
export function holdFile(path: string): HeldFile | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch {
    return undefined;
  }
  const linux = process.platform === 'linux';
  const stats = fstatSync(descriptor, { bigint: true });
  return {
    stamp: stampFrom(stats),
    headerProblem: () =>
      ggufHeaderProblem({
        sizeBytes: Number(stats.size),
        read: (window, at) => readSync(descriptor, window, 0, window.length, at),
      }),
    path: linux ? `/proc/self/fd/${descriptor}` : path,
    close: () => closeSync(descriptor),
  };
}

/** The stamp of a path as it is now, or `undefined` when no file is there. */
export function stampOf(path: string): string | undefined {
  const stats = statFile(path);
  return stats && stampFrom(stats);
}

function candidatePaths(model: LocalModel, folders: ModelFolders): readonly string[] {
  const sources = model.file.sources.flatMap((source) =>
    source.kind === 'path' ? [sourcePath(source.path, folders)] : [],
  );
  return [downloadedPath(model, folders), ...sources];
}

function statFile(path: string): BigIntStats | undefined {
  try {
    const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
    return stats?.isFile() ? stats : undefined;
  } catch {
    // Unreadable folders and the like: for our purposes there is no file.
    return undefined;
  }
}

function stampFrom(stats: BigIntStats): string {
  return `${stats.dev}:${stats.ino}:${stats.size}:${stats.mtimeNs}`;
}

async function hashFile(
  path: string,
  {
    signal,
    onBytes,
  }: { readonly signal?: AbortSignal; readonly onBytes?: (bytes: number) => void },
): Promise<string> {
  const hash = createHash('sha256');
  const handle = await open(path, 'r');
  let bytes = 0;
  try {
    for await (const chunk of handle.createReadStream({ highWaterMark: 1 << 20, signal })) {
      hash.update(chunk);
      bytes += chunk.length;
      onBytes?.(bytes);
    }
  } finally {
    await handle.close();
  }
  return hash.digest('hex');
}

function notePath(model: LocalModel, folders: ModelFolders): string {
  return `${downloadedPath(model, folders)}.verified.json`;
}

function readNote(
  model: LocalModel,
  folders: ModelFolders,
): z.infer<typeof noteSchema> | undefined {
  try {
    return noteSchema.parse(JSON.parse(readFileSync(notePath(model, folders), 'utf8')));
  } catch {
    // A missing or damaged note costs one more hashing, nothing else.
    return undefined;
  }
}

async function writeNote(
  model: LocalModel,
  folders: ModelFolders,
  note: z.infer<typeof noteSchema>,
): Promise<void> {
  const path = notePath(model, folders);
  const temporary = `${path}.${randomUUID()}`;
  try {
    await mkdir(folders.modelsDir, { recursive: true });
    await writeFile(temporary, `${JSON.stringify(note)}\n`);
    await rename(temporary, path);
  } catch {
    // A read-only folder only means that the next start hashes again.
  }
}
