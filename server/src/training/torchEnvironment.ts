/**
 * PyTorch in a virtual environment of its own, made from the pinned `torch/requirements.txt` at the first use and kept. It is
 * some gigabytes, so nothing is installed before a person asks for the torch engine.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { TrainingError } from './trainingError.ts';

export interface TorchEnvironmentOptions {
  /** Where the environment is, or will be. */
  readonly folder: string;
  /** A Python of 3.10 or newer that can make environments. */
  readonly python: string;
  readonly onProgress: (step: string) => void;
  readonly signal: AbortSignal;
}

/** The Python package beside this file, in the sources as in the bundle. */
export const torchPackage = fileURLToPath(new URL('./torch/', import.meta.url));

const STAMP = '.requirements-sha256';

/** @returns the path of the environment's own Python */
export async function ensureTorch(options: TorchEnvironmentOptions): Promise<string> {
  const { folder, python, onProgress, signal } = options;
  const requirements = join(torchPackage, 'requirements.txt');
  const wanted = createHash('sha256')
    .update(await readFile(requirements))
    .digest('hex');
  const own = join(
    folder,
    ...(process.platform === 'win32' ? ['Scripts', 'python.exe'] : ['bin', 'python']),
  );
  const stamp = join(folder, STAMP);
  const made = await readFile(stamp, 'utf8').catch(() => '');
  if (made === wanted && existsSync(own)) return own;

  await checkPython(python, signal);
  await mkdir(dirname(folder), { recursive: true });
  if (!existsSync(own)) {
    onProgress('making a virtual environment');
    await rm(folder, { recursive: true, force: true });
    await run(python, ['-m', 'venv', folder], () => {}, signal);
  }
  onProgress('installing PyTorch (some gigabytes, once)');
  const install = ['-m', 'pip', 'install', '--disable-pip-version-check', '--progress-bar', 'off'];
  await run(
    own,
    [...install, '-r', requirements],
    (line) => {
      const [, doing = '', what = ''] =
        /^\s*(Collecting|Downloading|Installing)\s+(\S+)/.exec(line) ?? [];
      if (doing !== '') onProgress(`${doing.toLowerCase()} ${what.slice(0, 60)}`);
    },
    signal,
  );
  await writeFile(stamp, wanted);
  return own;
}

async function checkPython(python: string, signal: AbortSignal): Promise<void> {
  const script = 'import sys, venv; sys.exit(0 if sys.version_info >= (3, 10) else 9)';
  try {
    await run(python, ['-c', script], () => {}, signal);
  } catch (error) {
    signal.throwIfAborted();
    const why = error instanceof Error ? error.message : String(error);
    throw new TrainingError(
      `expected ${python} to be Python 3.10 or newer with its venv module, got: ${why}; install it, or name one in COST_AWARE_ROUTER_PYTHON`,
    );
  }
}

const LAST_LINES = 5;

async function run(
  program: string,
  args: readonly string[],
  onLine: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], signal });
  const last: string[] = [];
  const hear = (line: string) => {
    if (line.trim() !== '') last.push(line.trim());
    if (last.length > LAST_LINES) last.shift();
    onLine(line);
  };
  createInterface({ input: child.stdout }).on('line', hear);
  createInterface({ input: child.stderr }).on('line', hear);
  await new Promise<void>((resolve, reject) => {
    child.once('error', (error) => {
      reject(
        signal.aborted
          ? error
          : new TrainingError(`${program} could not be started: ${error.message}`),
      );
    });
    child.once('close', (code) => {
      if (code === 0) resolve();
      else
        reject(new TrainingError(`${program} ended with exit code ${code}: ${last.join(' · ')}`));
    });
  });
}
