/** What the commands of training share: errors of the input and of the disk as sentences, and how they end. */
import { failure } from '../core/errors.ts';
import { exitCodes } from './exitCodes.ts';
import type { CliIo } from './io.ts';
import { createProgress, type Progress } from './progress.ts';
import { badInput, fail } from './session.ts';

/** Runs the work of a command with progress on stderr. */
export async function withTraining(
  io: CliIo,
  work: (progress: Progress) => Promise<number>,
): Promise<number> {
  const progress = createProgress(io);
  try {
    return await work(progress);
  } catch (error) {
    progress.clear();
    if (io.signal.aborted) return await cancelled(io);
    const { TrainingError } = await import('../training/trainingError.ts');
    if (error instanceof TrainingError) return await badInput(io, error.message);
    const said = diskError(error);
    if (said === undefined) throw error;
    return await badInput(io, said);
  } finally {
    progress.clear();
  }
}

async function cancelled(io: CliIo): Promise<number> {
  await fail(io, failure('cancelled', 'cancelled'));
  return exitCodes.cancelled;
}

function diskError(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  const path = 'path' in error && typeof error.path === 'string' ? error.path : 'the output';
  switch (error.code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return `expected room for ${path}, got a full disk; nothing half-written was left behind: make room and try again`;
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return `expected to write ${path}, got ${error.code}; check the rights of its folder`;
    case 'ENOENT':
    case 'EISDIR':
    case 'ENOTDIR':
      return `expected to open ${path}, got ${error.code}; check the path`;
    default:
      return undefined;
  }
}
