/** The folder of a user's data, made where it is missing. */
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** Throws a `DataFolderError`, a sentence for the person who named the folder. */
export function makeDataFolder(path: string): void {
  try {
    makeWithParents(resolve(path));
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    throw new DataFolderError(
      `expected a data folder that can be made, got ${path} (${error.code}); name another one, or make it writable`,
      { cause: error },
    );
  }
}

/**
 * `mkdirSync` with `recursive` never returns where a folder is there and still answers that nothing is, as automounts do
 * (and `/proc`); so each folder is asked for by itself.
 */
function makeWithParents(path: string): void {
  if (isFolder(path)) return;
  const parent = dirname(path);
  if (parent !== path) makeWithParents(parent);
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    // Another process may have made it meanwhile.
    if (!isFolder(path)) throw error;
  }
}

function isFolder(path: string): boolean {
  return existsSync(path) && statSync(path).isDirectory();
}

class DataFolderError extends Error {
  override readonly name = 'DataFolderError';
}
