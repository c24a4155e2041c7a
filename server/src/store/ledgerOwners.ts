/**
 * The processes that share a ledger. Each enters when it opens the ledger and leaves when it closes it; the open holds
 * of one that died are ended by the next: at the bound when the call may have left, voided when it never did.
 * Every function must run inside a write transaction of the ledger.
 */
import type { DatabaseSync } from 'node:sqlite';
import type { Book, Entry } from './ledgerBook.ts';
import { isOwnerGone, lockOwner, type OwnerLock, sweepLocks } from './ownerLock.ts';
import { text } from './sqliteRows.ts';

export interface Owners {
  enter(entry: Entry): OwnerLock;
  /** Ends what dead owners left open and returns how many reservations that were. */
  resolveDead(entry: Entry): number;
  /** Ends what this owner has open itself. */
  leave(entry: Entry): void;
}

export function openOwners(db: DatabaseSync, book: Book, folder: string): Owners {
  const all = db.prepare('SELECT id FROM owners');
  const insert = db.prepare('INSERT INTO owners (id, entered_at_ms) VALUES (?, ?)');
  const remove = db.prepare('DELETE FROM owners WHERE id = ?');

  function endHolds(owner: string, how: string, entry: Entry): number {
    const open = book.openOf(owner);
    for (const { id, state } of open) {
      const end = state.kind === 'dispatched' ? 'settled_at_bound' : 'voided';
      book.advance(id, { kind: end }, { why: `${how} while it was ${state.kind}` }, entry);
    }
    remove.run(owner);
    return open.length;
  }

  function resolveDead(entry: Entry): number {
    return all
      .all()
      .map((row) => text(row, 'id'))
      .filter((owner) => owner !== entry.owner && isOwnerGone(folder, owner))
      .reduce((count, owner) => count + endHolds(owner, 'its process ended', entry), 0);
  }

  return {
    resolveDead,
    enter(entry) {
      resolveDead(entry);
      sweepLocks(folder, new Set(all.all().map((row) => text(row, 'id'))));
      const lock = lockOwner(folder, entry.owner);
      insert.run(entry.owner, entry.atMs);
      return lock;
    },
    leave: (entry) => {
      endHolds(entry.owner, 'the ledger was closed', entry);
    },
  };
}
