/**
 * Tells whether the process behind a hold still lives, without process ids or clocks: each owner keeps an exclusive lock
 * on a tiny SQLite file of its own, and the operating system drops that lock when the process dies, however it dies.
 * Owner ids never repeat, so a lock that was once free stays free.
 */
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { faultOf } from './sqliteFile.ts';

export interface OwnerLock {
  release(): void;
}

const SUFFIX = '.lock';

/** Nothing is ever written under this lock; a journal on the disk would only litter. */
const LOCK = 'PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE';

/** Must be called inside a write transaction of the ledger that also enters the owner, so that no sweep meets a lock without its row. */
export function lockOwner(folder: string, ownerId: string): OwnerLock {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, ownerId + SUFFIX);
  // This object must stay referenced: were it collected, its lock would be gone.
  const file = new DatabaseSync(path, { timeout: 0 });
  try {
    file.exec(LOCK);
  } catch (error) {
    file.close();
    if (faultOf(error) !== 'busy') throw error;
    throw new Error(`expected an owner id that was never used before, got ${ownerId} again`);
  }
  return {
    release() {
      if (!file.isOpen) return;
      file.close();
      rmSync(path, { force: true });
    },
  };
}

/**
 * Whether the owner is surely gone. A deleted lock file counts as gone: should its owner live after all, its held calls
 * can no longer be dispatched and its dispatched ones stand at their bound, so the limit holds either way.
 */
export function isOwnerGone(folder: string, ownerId: string): boolean {
  const url = pathToFileURL(join(folder, ownerId + SUFFIX));
  url.searchParams.set('mode', 'rw');
  let file: DatabaseSync | undefined;
  try {
    file = new DatabaseSync(url, { timeout: 0 });
    file.exec(LOCK);
    return true;
  } catch (error) {
    if (faultOf(error) === undefined) throw error;
    return !existsSync(join(folder, ownerId + SUFFIX));
  } finally {
    file?.close();
  }
}

/** Whether any process has a ledger open whose owners are in this folder. Works without the ledger itself. */
export function isAnyOwnerAlive(folder: string): boolean {
  return ownerIds(folder).some((ownerId) => !isOwnerGone(folder, ownerId));
}

/** Removes lock files whose owners are not entered; inside a write transaction of the ledger, for the reason above. */
export function sweepLocks(folder: string, entered: ReadonlySet<string>): void {
  for (const ownerId of ownerIds(folder)) {
    if (!entered.has(ownerId)) rmSync(join(folder, ownerId + SUFFIX), { force: true });
  }
}

function ownerIds(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).filter((name) => name.endsWith(SUFFIX));
  return names.map((name) => name.slice(0, -SUFFIX.length));
}
