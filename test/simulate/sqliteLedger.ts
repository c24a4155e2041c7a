/** The real SQLite ledger in a temporary folder, opened by each virtual process as a real one opens it. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Balance } from '../../server/src/core/budget.ts';
import type { Clock } from '../../server/src/core/ports.ts';
import { openLedger } from '../../server/src/store/ledger.ts';
import { checkFully } from '../../server/src/store/ledgerCheck.ts';
import type { LedgerFile } from '../../server/src/store/ledgerFile.ts';
import { balanceFrom, eventsFrom, reservationFrom } from '../../server/src/store/ledgerRows.ts';
import { text } from '../../server/src/store/sqliteRows.ts';
import { sha256 } from './memoryStore.ts';
import type { Random } from './random.ts';
import type { SharedLedger, SimulatedLedger } from './sharedLedger.ts';

/** Everything that a process has open, to be lost at once when it crashes. */
interface Connections {
  readonly all: Set<DatabaseSync>;
}

export function createSqliteLedger(random: Random): SharedLedger {
  const folder = mkdtempSync(
    join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'simulated-ledger-'),
  );
  const path = join(folder, 'ledger.sqlite');
  const owners = new Map<string, Connections>();
  let full = false;
  let view: DatabaseSync | undefined;

  const reader = () => {
    if (view === undefined && existsSync(path)) view = new DatabaseSync(path, { readOnly: true });
    return view;
  };

  async function open(owner: string, clock: Clock): Promise<SimulatedLedger | undefined> {
    const connections: Connections = { all: new Set() };
    let ids = 0;
    const opened = await capturing(connections, () =>
      openLedger({
        path,
        clock,
        newId: () => (ids++ === 0 ? owner : `${owner}-${ids}`),
        sleep: async () => {
          throw new Error('expected no wait for a lock in one thread');
        },
        random: random.share,
        gather: async () => {},
      }),
    );
    if (opened.kind === 'unavailable') {
      closeAll(connections);
      return undefined;
    }
    owners.set(owner, connections);
    limitRoom(connections);
    return simulated(opened.ledger, owner);
  }

  function simulated(ledger: LedgerFile, owner: string): SimulatedLedger {
    return {
      ...ledger,
      async close() {
        await ledger.close();
        owners.delete(owner);
      },
    };
  }

  /** SQLite itself then refuses every page that the file does not have yet. */
  function limitRoom({ all }: Connections): void {
    for (const db of all) {
      if (!db.isOpen || db.location() !== path) continue;
      const pages = db.prepare('PRAGMA page_count').get()?.['page_count'];
      db.exec(`PRAGMA max_page_count = ${full ? Number(pages) : 2 ** 30}`);
    }
  }

  const rows = (sql: string) => reader()?.prepare(sql).all() ?? [];
  const reservations = () => rows('SELECT * FROM reservations').map(reservationFrom);

  return {
    open,
    reservations,
    crash(owner) {
      const connections = owners.get(owner);
      owners.delete(owner);
      if (connections !== undefined) closeAll(connections);
    },
    setFull(now) {
      full = now;
      for (const connections of owners.values()) limitRoom(connections);
    },
    eventsAfter(seq) {
      const db = reader();
      return db === undefined ? [] : [...eventsFrom(db, seq + 1)];
    },
    counters() {
      const counters = new Map<string, Map<string, Balance>>();
      for (const row of rows('SELECT * FROM balances')) {
        const period = text(row, 'scope');
        const ofPeriod = counters.get(period) ?? new Map<string, Balance>();
        counters.set(period, ofPeriod.set(text(row, 'key'), balanceFrom(row)));
      }
      return counters;
    },
    findings() {
      const db = reader();
      return db === undefined ? [] : checkFully(db, sha256);
    },
    dispose() {
      view?.close();
      for (const connections of owners.values()) closeAll(connections);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A ledger keeps its connections to itself; only so can its process be made to lose them. */
async function capturing<T>({ all }: Connections, work: () => Promise<T>): Promise<T> {
  const { exec } = DatabaseSync.prototype;
  DatabaseSync.prototype.exec = function (this: DatabaseSync, sql) {
    all.add(this);
    exec.call(this, sql);
  };
  try {
    return await work();
  } finally {
    DatabaseSync.prototype.exec = exec;
  }
}

function closeAll({ all }: Connections): void {
  for (const db of all) if (db.isOpen) db.close();
}
