/**
 * Finished answers by key in a SQLite file of their own, bounded in bytes and in age. It holds nothing of worth: a damaged
 * file is deleted and begun anew, and whatever else goes wrong is a miss.
 */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import type { AnswerCache, CachedAnswer, Clock } from '../core/ports.ts';
import { deleteDatabase, faultOf, inTransaction, openSqlite } from './sqliteFile.ts';
import { integer, readerOf, text } from './sqliteRows.ts';

interface CacheStats {
  readonly entries: number;
  readonly bytes: number;
}

export interface OpenedCache extends AnswerCache {
  /** Removes everything and returns what that was; `undefined` when the file can't be written now, and all stays. */
  clear(): CacheStats | undefined;
  stats(): CacheStats;
  close(): void;
}

export interface CacheOptions {
  readonly path: string;
  readonly clock: Clock;
  /** Keys and answers together; the file is somewhat bigger. @default 50 MB */
  readonly maxBytes?: number;
  /** @default 30 days */
  readonly maxAgeMs?: number;
  /** Answers of so long are written together; until then only this process knows them. @default 0, each at once */
  readonly writeAfterMs?: number;
}

/** A file of another version is begun anew. */
const SCHEMA_VERSION = 1;

const SCHEMA = `
CREATE TABLE answers (
  key TEXT PRIMARY KEY,
  answer TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  stored_at_ms INTEGER NOT NULL,
  -- Higher was used later.
  used INTEGER NOT NULL
) STRICT;
CREATE INDEX answers_by_use ON answers (used);
CREATE INDEX answers_by_age ON answers (stored_at_ms);
CREATE TABLE totals (entries INTEGER NOT NULL, bytes INTEGER NOT NULL) STRICT;
INSERT INTO totals VALUES (0, 0);
CREATE TRIGGER count_in AFTER INSERT ON answers
  BEGIN UPDATE totals SET entries = entries + 1, bytes = bytes + new.bytes; END;
CREATE TRIGGER count_out AFTER DELETE ON answers
  BEGIN UPDATE totals SET entries = entries - 1, bytes = bytes - old.bytes; END;
PRAGMA user_version = ${SCHEMA_VERSION};
`;

const NOTHING: CacheStats = { entries: 0, bytes: 0 };

export function openCache(options: CacheOptions): OpenedCache {
  const { path, clock, maxBytes = 50_000_000, maxAgeMs = 30 * 24 * 3_600_000 } = options;
  const { writeAfterMs = 0 } = options;
  let shelf = openShelf(path);
  let closed = false;
  const unwritten = new Map<string, CachedAnswer>();
  let timer: NodeJS.Timeout | undefined;

  /** Runs `use` on the file; a fault is a miss, and damage costs the file. */
  function attempt<T>(otherwise: T, use: (shelf: Shelf) => T): T {
    if (closed) return otherwise;
    // A file that was busy or not writable before may have become usable.
    shelf ??= openShelf(path);
    if (shelf === undefined) return otherwise;
    try {
      return use(shelf);
    } catch (error) {
      if (isWorthless(error)) {
        shelf.db.close();
        deleteDatabase(path);
        shelf = openShelf(path);
      } else if (faultOf(error) === undefined) {
        throw error;
      }
      return otherwise;
    }
  }

  function writeAll(): void {
    clearTimeout(timer);
    timer = undefined;
    if (unwritten.size === 0) return;
    const answers = [...unwritten];
    unwritten.clear();
    attempt(undefined, (open) => {
      inTransaction(open.db, () => {
        for (const [key, answer] of answers) {
          const json = JSON.stringify(answer);
          const bytes = Buffer.byteLength(key) + Buffer.byteLength(json);
          if (bytes > maxBytes) continue;
          open.remove.run(key);
          open.insert.run(key, json, bytes, answer.storedAtMs);
        }
        open.expire.run(clock.now() - maxAgeMs);
        while (totals(open).bytes > maxBytes) open.evict.run();
      });
    });
  }

  return {
    get(key) {
      const inMemory = unwritten.get(key);
      if (inMemory !== undefined) return inMemory;
      const found = attempt(undefined, ({ find }) => {
        const row = find.get(key, clock.now() - maxAgeMs);
        // Only `put` writes this column, so its shape is the one of CachedAnswer.
        return (
          row && {
            answer: JSON.parse(text(row, 'answer')) as CachedAnswer,
            isNewest: integer(row, 'newest') === 1,
          }
        );
      });
      // Apart from the reading, so that a file too busy to note the use still answers.
      if (found?.isNewest === false) attempt(undefined, ({ touch }) => touch.run(key));
      return found?.answer;
    },

    put(key, answer) {
      if (closed) return;
      unwritten.delete(key);
      unwritten.set(key, answer);
      if (writeAfterMs === 0) writeAll();
      // A process that ends without closing loses them, which are of no worth.
      else timer ??= setTimeout(writeAll, writeAfterMs).unref();
    },

    clear() {
      writeAll();
      const removed = attempt<CacheStats | undefined>(undefined, (open) =>
        inTransaction(open.db, () => {
          const before = totals(open);
          open.db.exec('DELETE FROM answers');
          return before;
        }),
      );
      // Gives the room back; while another process reads, the next clearing does.
      attempt(undefined, ({ db }) => db.exec('VACUUM'));
      // A damaged file is deleted on the way, which clears it too.
      return (
        removed ?? attempt(undefined, (open) => (totals(open).entries === 0 ? NOTHING : undefined))
      );
    },

    stats() {
      writeAll();
      return attempt(NOTHING, totals);
    },

    close() {
      writeAll();
      if (!closed) shelf?.db.close();
      closed = true;
    },
  };
}

interface Shelf extends ReturnType<typeof prepare> {
  readonly db: DatabaseSync;
}

/** `undefined` when the file can't be used now. A damaged or outdated one is deleted and begun anew, once. */
function openShelf(path: string, anew = false): Shelf | undefined {
  let db: DatabaseSync | undefined;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    db = openSqlite(path, { synchronous: 'NORMAL' });
    createTables(db);
    return { db, ...prepare(db) };
  } catch (error) {
    if (db?.isOpen === true) db.close();
    if (anew || !isWorthless(error)) return undefined;
    deleteDatabase(path);
    return openShelf(path, true);
  }
}

function createTables(db: DatabaseSync): void {
  if (schemaVersion(db) === SCHEMA_VERSION) return;
  inTransaction(db, () => {
    // Another process may have done it since.
    const version = schemaVersion(db);
    if (version === 0) db.exec(SCHEMA);
    else if (version !== SCHEMA_VERSION) {
      throw new TypeError(`expected version ${SCHEMA_VERSION} of the cache, got ${version}`);
    }
  });
}

function prepare(db: DatabaseSync) {
  return {
    find: readerOf(
      db.prepare(
        `SELECT answer, used = (SELECT max(used) FROM answers) AS newest
           FROM answers WHERE key = ? AND stored_at_ms > ?`,
      ),
    ),
    touch: db.prepare(
      'UPDATE answers SET used = (SELECT max(used) + 1 FROM answers) WHERE key = ?',
    ),
    remove: db.prepare('DELETE FROM answers WHERE key = ?'),
    insert: db.prepare(
      `INSERT INTO answers (key, answer, bytes, stored_at_ms, used)
         VALUES (?, ?, ?, ?, (SELECT coalesce(max(used), 0) + 1 FROM answers))`,
    ),
    expire: db.prepare('DELETE FROM answers WHERE stored_at_ms <= ?'),
    evict: db.prepare('DELETE FROM answers WHERE used = (SELECT min(used) FROM answers)'),
    totals: readerOf(db.prepare('SELECT entries, bytes FROM totals')),
  };
}

function totals(shelf: Shelf): CacheStats {
  const row = shelf.totals.get();
  return { entries: integer(row, 'entries'), bytes: integer(row, 'bytes') };
}

function schemaVersion(db: DatabaseSync): number {
  return integer(db.prepare('PRAGMA user_version').get(), 'user_version');
}

/** A damaged file, or one whose tables or rows are not this version's. */
function isWorthless(error: unknown): boolean {
  const missingTable = error instanceof Error && error.message.startsWith('no such');
  const unreadable = error instanceof TypeError || error instanceof SyntaxError;
  return faultOf(error) === 'damaged' || missingTable || unreadable;
}
