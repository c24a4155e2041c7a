/** Faults of the ledger's storage as sentences: what was expected, what came, what to do. */
import { faultOf, isStatementRefused } from './sqliteFile.ts';

/** Thrown by a write that has no result to say it with. What was not written is still held at its bound. */
export class LedgerUnavailableError extends Error {
  override readonly name = 'LedgerUnavailableError';
}

/** Why the ledger can't be used, or `undefined` for an error that is no fault of storage but a defect of the program. */
export function whyUnavailable(error: unknown, path: string): string | undefined {
  if (error instanceof LedgerUnavailableError) return error.message;
  const fault = faultOf(error);
  switch (fault) {
    case 'busy':
      return `expected the ledger ${path} to become free, but another process keeps it locked; close that program or try again`;
    case 'damaged':
      return `expected the ledger ${path} to be readable, but it is damaged; restart, and it will be set aside`;
    case 'full':
      return `expected room to write the ledger ${path}, but the disk is full; free some space`;
    case 'read_only':
      return `expected to write the ledger ${path}, but it is read-only; make the file and its folder writable`;
    case 'io':
      return `expected to open and write the ledger ${path}, got "${messageOf(error)}"; check its folder and disk`;
    case undefined:
      // Errors of the file system, unlike those of a program, name the system call that failed.
      return error instanceof Error && 'syscall' in error
        ? `expected to use the ledger ${path}, got "${error.message}"; check its folder and disk`
        : undefined;
  }
}

/** Like `whyUnavailable`, for the opening: a file whose tables no longer fit this program's own statements is damaged. */
export function whyNotOpened(error: unknown, path: string): string | undefined {
  const why = whyUnavailable(error, path);
  if (why !== undefined || !isStatementRefused(error)) return why;
  // Not set aside: were it a defect of this program, a sound ledger would be moved away.
  return `expected the tables of a ledger in ${path}, but it is damaged (${messageOf(error)}); put a backup in its place`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
