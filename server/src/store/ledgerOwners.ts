/**
 * Entering the processes that share a ledger: each holds a lock on a file of its own while it lives, so that the open
 * holds of one that died are ended by the next one that enters.
 */
import { type Entry, resolveDeadIn } from '../core/ledgerRules.ts';
import type { Book } from './ledgerBook.ts';
import { lockOwner, type OwnerLock, sweepLocks } from './ownerLock.ts';

/** Must run inside a write transaction of the ledger. */
export function enterOwner(book: Book, folder: string, entry: Entry): OwnerLock {
  resolveDeadIn(book, entry);
  sweepLocks(folder, new Set(book.owners()));
  const lock = lockOwner(folder, entry.owner);
  book.enter(entry.owner, entry.atMs);
  return lock;
}
