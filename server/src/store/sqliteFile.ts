/**
 * SQLite files as this project uses them: no blocking wait on a lock, the journal mode that is safe for this version,
 * and faults told apart once. A file that SQLite has open is never opened by `node:fs` in the same process: closing
 * that second descriptor would drop every POSIX lock on it.
 */
import { closeSync, openSync, renameSync, rmSync, statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { integer, text, UnreadableRowError } from './sqliteRows.ts';

/** What SQLite's error says about the file; `undefined` for an error that is no fault of storage. */
export type SqliteFault = 'busy' | 'damaged' | 'full' | 'read_only' | 'io';

const FAULTS: Readonly<Record<number, SqliteFault>> = {
  3: 'read_only',
  5: 'busy',
  6: 'busy',
  8: 'read_only',
  10: 'io',
  11: 'damaged',
  13: 'full',
  14: 'io',
  15: 'busy',
  23: 'read_only',
  26: 'damaged',
};

/** Files that belong to a database, in the order in which they can be moved away without one being replayed into another. */
const SUFFIXES = ['-wal', '-shm', '-journal', ''] as const;

export function faultOf(error: unknown): SqliteFault | undefined {
  if (error instanceof UnreadableRowError) return 'damaged';
  if (!(error instanceof Error) || !('errcode' in error)) return undefined;
  // The low byte is the primary code; the rest only refines it.
  return typeof error.errcode === 'number' ? FAULTS[error.errcode & 0xff] : undefined;
}

/** SQLite can't compile a statement, or not even the file's own schema. The statements of this program are fixed. */
export function isStatementRefused(error: unknown): boolean {
  const code = error instanceof Error && 'errcode' in error ? error.errcode : undefined;
  return typeof code === 'number' && (code & 0xff) === 1;
}

/** `FULL` survives a power cut with every commit, `NORMAL` without the last ones. */
export function openSqlite(
  path: string,
  options: { readonly synchronous: 'FULL' | 'NORMAL' },
): DatabaseSync {
  createForOwner(path);
  const db = new DatabaseSync(path, { timeout: 0 });
  try {
    const version = text(db.prepare('SELECT sqlite_version() AS version').get(), 'version');
    db.exec(`PRAGMA journal_mode = ${journalMode(version)}`);
    db.exec(`PRAGMA synchronous = ${options.synchronous}`);
    db.exec('PRAGMA trusted_schema = OFF');
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/**
 * Makes an empty file that its owner alone can read, whatever the folder allows; SQLite gives its journals the same rights.
 * A file that is there is not opened, for the sake of its locks.
 */
function createForOwner(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch {
    // It is there, or can't be made: then SQLite says why, in its own words.
  }
}

/** Whether commits of this connection wait for the disk from now on. Without a write-ahead log they always do: it could be torn. */
export function setDurable(db: DatabaseSync, durable: boolean): void {
  db.exec(`PRAGMA synchronous = ${durable || !hasWriteAheadLog(db) ? 'FULL' : 'NORMAL'}`);
}

const writeAheadLogs = new WeakMap<DatabaseSync, boolean>();

function hasWriteAheadLog(db: DatabaseSync): boolean {
  const known = writeAheadLogs.get(db);
  if (known !== undefined) return known;
  const found = text(db.prepare('PRAGMA journal_mode').get(), 'journal_mode') === 'wal';
  writeAheadLogs.set(db, found);
  return found;
}

/** Brings to the disk what was committed without waiting for it. False when other readers stand in the way: try again later. */
export function bringToDisk(db: DatabaseSync): boolean {
  if (!hasWriteAheadLog(db)) return true;
  const row = db.prepare('PRAGMA wal_checkpoint(PASSIVE)').get();
  return integer(row, 'busy') === 0 && integer(row, 'log') === integer(row, 'checkpointed');
}

/** Several writers can lose a commit when SQLite before 3.51.3 resets its write-ahead log, so older ones get a rollback journal. */
export function journalMode(sqliteVersion: string): 'WAL' | 'DELETE' {
  const [major = 0, minor = 0, patch = 0] = sqliteVersion.split('.').map(Number);
  return (major * 1000 + minor) * 1000 + patch >= 3_051_003 ? 'WAL' : 'DELETE';
}

/** Runs `work` as one transaction that holds the write lock from its start. */
export function inTransaction<T>(db: DatabaseSync, work: () => T): T {
  db.exec('BEGIN IMMEDIATE');
  return finish(db, work);
}

/** Runs `work` on one state of the file, without a lock on writers. */
export function inSnapshot<T>(db: DatabaseSync, work: () => T): T {
  db.exec('BEGIN');
  return finish(db, work);
}

function finish<T>(db: DatabaseSync, work: () => T): T {
  try {
    const result = work();
    db.exec('COMMIT');
    return result;
  } catch (error) {
    // SQLite has rolled back by itself after some faults, a full disk for one.
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

export interface Patience {
  /** The sum of all waits after which `busy` is thrown to the caller. */
  readonly limitMs: number;
  readonly sleep: (ms: number) => Promise<void>;
  readonly random: () => number;
}

const LONGEST_WAIT_MS = 25;
/** From here on a write is old: whoever has waited longer looks more often, so that newcomers don't always win. */
const OLD_AFTER_MS = 50;

/** The most that the next wait may be. It doubles at first, which spares the disk, and shrinks again with age. */
export function waitCeilingMs(attempt: number, waitedMs: number): number {
  const grown = Math.min(LONGEST_WAIT_MS, 2 ** attempt);
  return waitedMs <= OLD_AFTER_MS ? grown : Math.max(1, (grown * OLD_AFTER_MS) / waitedMs);
}

/** Tries `work` until the file is not busy. The waits are random, so that processes don't meet again and again. */
export async function patiently<T>(patience: Patience, work: () => T): Promise<T> {
  let waited = 0;
  for (let attempt = 0; ; attempt += 1) {
    try {
      return work();
    } catch (error) {
      if (faultOf(error) !== 'busy' || waited >= patience.limitMs) throw error;
    }
    const wait = 0.5 + patience.random() * waitCeilingMs(attempt, waited);
    waited += wait;
    await patience.sleep(wait);
  }
}

/** Moves a database away with its journals. */
export function renameDatabase(from: string, to: string): void {
  for (const suffix of SUFFIXES) {
    if (fileId(from + suffix) !== undefined) renameSync(from + suffix, to + suffix);
  }
}

/** Whether the database or any of its journals is there. */
export function isAnyOf(path: string): boolean {
  return SUFFIXES.some((suffix) => fileId(path + suffix) !== undefined);
}

export function deleteDatabase(path: string): void {
  for (const suffix of SUFFIXES) rmSync(path + suffix, { force: true });
}

/** What tells one file from another that later has its name, with its size; `undefined` when there is none. */
export function fileId(path: string): { readonly id: string; readonly size: number } | undefined {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stat && { id: `${stat.dev}:${stat.ino}`, size: Number(stat.size) };
}
