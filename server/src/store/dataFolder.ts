/** The folder of a user's data, made where it is missing. */
import { mkdirSync } from 'node:fs';

/** Throws a `DataFolderError`, a sentence for the person who named the folder. */
export function makeDataFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    throw new DataFolderError(
      `expected a data folder that can be made, got ${path} (${error.code}); name another one, or make it writable`,
      { cause: error },
    );
  }
}

class DataFolderError extends Error {
  override readonly name = 'DataFolderError';
}
