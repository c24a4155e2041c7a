/** Readings of a shared ledger that are kept until this or another process commits. */
import type { DatabaseSync } from 'node:sqlite';
import { faultOf } from './sqliteFile.ts';
import { integer, readerOf } from './sqliteRows.ts';

export interface Readings {
  /** A file that is busy or broken answers with the last reading. */
  remembered<K, T>(read: (key: K) => T): (key: K) => T;
  /** SQLite changes this number with every commit of another connection; `undefined` while the file can't be read. */
  version(): number | undefined;
}

/** @param ownWrites commits of this connection, which SQLite does not count for it */
export function createReadings(db: DatabaseSync, ownWrites: () => number): Readings {
  const dataVersion = readerOf(db.prepare('PRAGMA data_version'));
  let lookedAt: number | undefined;

  /** Looking costs more than the rest of a decision, so readings without a wait between them share one look. */
  function versionThisTurn(): number {
    if (lookedAt === undefined) {
      lookedAt = integer(dataVersion.get(), 'data_version');
      queueMicrotask(() => {
        lookedAt = undefined;
      });
    }
    return lookedAt;
  }

  return {
    remembered<K, T>(read: (key: K) => T): (key: K) => T {
      let last: { readonly key: string; readonly version: string; readonly value: T } | undefined;
      return (key) => {
        try {
          const keyText = JSON.stringify(key) ?? '';
          const version = `${versionThisTurn()}.${ownWrites()}`;
          if (last?.key !== keyText || last.version !== version)
            last = { key: keyText, version, value: read(key) };
        } catch (error) {
          if (last === undefined || (db.isOpen && faultOf(error) === undefined)) throw error;
        }
        return last.value;
      };
    },
    version() {
      try {
        return integer(dataVersion.get(), 'data_version');
      } catch (error) {
        if (faultOf(error) === undefined) throw error;
        return undefined;
      }
    },
  };
}
