/**
 * A small SQLite file beside the ledger for what is dear to a person but holds no money. It is made at the first write,
 * so that a feature nobody uses leaves no file; a damaged one is set aside and begun anew.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import {
  faultOf,
  inTransaction,
  openSqlite,
  patiently,
  renameDatabase,
  type SqliteFault,
} from './sqliteFile.ts';
import { integer } from './sqliteRows.ts';

export interface SideFileOptions {
  readonly path: string;
  /**
   * The tables of version 1, then what each later version changed: forward only, each in the transaction that raises the
   * version. A file of a newer version is left alone and not used.
   */
  readonly versions: readonly [string, ...string[]];
  readonly clock: { now(): number };
}

export interface SideFile {
  /** What `work` reads, or `otherwise` where there is no file yet or it can't be read now. */
  read<T>(otherwise: T, work: (db: DatabaseSync) => T): T;
  /** Runs `work` as one transaction; false when it could not be kept. */
  write(work: (db: DatabaseSync) => void): Promise<boolean>;
  close(): void;
}

const BUSY_PATIENCE_MS = 2_000;

export function createSideFile({ path, versions, clock }: SideFileOptions): SideFile {
  let open: DatabaseSync | undefined;
  let closed = false;

  function database(): DatabaseSync {
    if (open !== undefined) return open;
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const db = openSqlite(path, { synchronous: 'NORMAL' });
    try {
      if (versionOf(db) < versions.length) {
        inTransaction(db, () => {
          // Read anew: another process may have done it since.
          const steps = versions.slice(versionOf(db));
          if (steps.length === 0) return;
          db.exec(`${steps.join(';')}; PRAGMA user_version = ${versions.length}`);
        });
      }
      if (versionOf(db) !== versions.length) throw new NewerFileError();
    } catch (error) {
      db.close();
      throw error;
    }
    open = db;
    return db;
  }

  /** Says what stands against using the file; throws what is a defect of the program. */
  function faultIn(error: unknown): SqliteFault | 'newer' {
    const fault = error instanceof NewerFileError ? 'newer' : faultOf(error);
    const unusable = error instanceof Error && 'syscall' in error;
    if (fault === undefined && !unusable) throw error;
    if (fault === 'damaged') setAside();
    return fault ?? 'io';
  }

  function setAside(): void {
    open?.close();
    open = undefined;
    const stamp = new Date(clock.now()).toISOString().replaceAll(/[:.]/g, '-');
    renameDatabase(path, `${path.replace(/\.sqlite$/, '')}.damaged-${stamp}.sqlite`);
  }

  return {
    read(otherwise, work) {
      if (closed || (open === undefined && !existsSync(path))) return otherwise;
      try {
        return work(database());
      } catch (error) {
        faultIn(error);
        return otherwise;
      }
    },

    async write(work) {
      const patience = {
        limitMs: BUSY_PATIENCE_MS,
        sleep: (ms: number) => delay(ms),
        random: Math.random,
      };
      const attempt = () =>
        patiently(patience, () => {
          if (closed) return false;
          const db = database();
          inTransaction(db, () => work(db));
          return true;
        });
      try {
        return await attempt();
      } catch (error) {
        if (faultIn(error) !== 'damaged') return false;
      }
      try {
        // The damaged file is out of the way; the new one takes it, or nothing does.
        return await attempt();
      } catch (error) {
        faultIn(error);
        return false;
      }
    },

    close() {
      closed = true;
      open?.close();
      open = undefined;
    },
  };
}

class NewerFileError extends Error {
  override readonly name = 'NewerFileError';
}

function versionOf(db: DatabaseSync): number {
  return integer(db.prepare('PRAGMA user_version').get(), 'user_version');
}
