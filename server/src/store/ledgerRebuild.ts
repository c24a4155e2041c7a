/**
 * `ledger rebuild`: a new ledger with all that is known of a damaged, lost or older one. Nothing is deleted: the damaged
 * file and the mirror stay beside the new ledger, which is put in place only when it is whole and verified.
 */
import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { chainFindings } from '../core/ledgerAudit.ts';
import { NO_TOTALS, type RebuiltMonth, rebuildIn } from '../core/ledgerRebuild.ts';
import type { NewId } from '../core/ports.ts';
import { AUDIT_COLUMNS } from './ledgerAudits.ts';
import { openBook } from './ledgerBook.ts';
import { checkFully } from './ledgerCheck.ts';
import { whyUnavailable } from './ledgerFaults.ts';
import {
  damagedLedgers,
  keepMirror,
  type LedgerFiles,
  ledgerFiles,
  type Mirror,
  mirrorOf,
  NOTHING_MIRRORED,
  readMirror,
  setAside,
  writeMirror,
} from './ledgerMirror.ts';
import { onCopy, type SalvagedFile, salvage } from './ledgerSalvage.ts';
import { migrate } from './ledgerSchema.ts';
import { type Distrust, examine } from './ledgerTrust.ts';
import { isAnyOwnerAlive, lockOwner, type OwnerLock } from './ownerLock.ts';
import { faultOf, fileId, inTransaction, isAnyOf, openSqlite } from './sqliteFile.ts';

export interface RebuildOptions {
  readonly path: string;
  readonly clock: { now(): number };
  readonly newId: NewId;
  readonly sha256: (text: string) => string;
  /** Reads and reports, and leaves everything as it is. */
  readonly dryRun: boolean;
}

export type Rebuild =
  | { readonly kind: 'not_needed'; readonly why: string }
  | { readonly kind: 'refused'; readonly why: string }
  | {
      readonly kind: 'rebuilt';
      readonly months: readonly RebuiltMonth[];
      /** The damaged file that was read; `undefined` where only the mirror was left. */
      readonly from: string | undefined;
      readonly mirror: 'read' | 'none' | 'unreadable';
      readonly events: number;
      /** Whether every event of the old ledger was there, so that its counters and rows were not needed. */
      readonly whole: boolean;
      readonly answers: number;
    };

const NOTHING_SALVAGED: SalvagedFile = {
  ledgerId: undefined,
  events: [],
  reservations: [],
  totals: NO_TOTALS,
  answers: [],
  outcomes: [],
  audits: [],
};

export function rebuildLedger(options: RebuildOptions): Rebuild {
  const files = ledgerFiles(options.path);
  let lock: OwnerLock;
  try {
    lock = lockOwner(dirname(options.path), 'ledger.rebuild');
  } catch (error) {
    const running = 'another rebuild of this ledger is running; wait for it';
    return { kind: 'refused', why: whyUnavailable(error, files.ledger) ?? running };
  }
  try {
    if (isAnyOwnerAlive(files.owners)) {
      const why = `the ledger ${files.ledger} is open in another program; close all programs that use it, then rebuild`;
      return { kind: 'refused', why };
    }
    return rebuildUnused(files, options);
  } catch (error) {
    const why = whyUnavailable(error, files.ledger);
    if (why === undefined) throw error;
    return { kind: 'refused', why };
  } finally {
    lock.release();
  }
}

function rebuildUnused(files: LedgerFiles, options: RebuildOptions): Rebuild {
  const { clock, newId, sha256 } = options;
  const isThere = (fileId(files.ledger)?.size ?? 0) > 0;
  if (isThere) {
    const distrust = onCopy(files.ledger, (copy) => distrustOf(copy, files, options));
    if (distrust === undefined) {
      return { kind: 'not_needed', why: `the ledger ${files.ledger} is sound` };
    }
    if (distrust.notOurs) return { kind: 'refused', why: distrust.why };
  }
  const [setAsideBefore] = damagedLedgers(files);
  // A write-ahead log that outlived its file may still hold events, and must not be replayed into the new one.
  const isLeft = isAnyOf(files.ledger);
  const from = isThere
    ? files.ledger
    : setAsideBefore !== undefined
      ? join(dirname(files.ledger), setAsideBefore)
      : isLeft
        ? files.ledger
        : undefined;
  const mirror = readMirror(files.mirror);
  if (from === undefined && mirror.kind !== 'read') {
    return mirror.kind === 'none'
      ? { kind: 'not_needed', why: `there is no ledger in ${dirname(files.ledger)} to rebuild` }
      : {
          kind: 'refused',
          why: `expected something to rebuild from, found no ledger and a mirror ${files.mirror} that can't be read; put a backup of either in its place`,
        };
  }
  const read = from === undefined ? NOTHING_SALVAGED : salvage(from, sha256);
  const known = mirror.kind === 'read' ? mirror.mirror : undefined;
  const whole = isWhole(read, known, sha256);
  // What follows from events that are all there may be wrong, the events not.
  const taken = whole ? { ...read, reservations: [], totals: NO_TOTALS } : read;

  const folder = mkdtempSync(join(dirname(files.ledger), 'ledger.rebuild-'));
  try {
    const built = join(folder, 'ledger.sqlite');
    const db = openSqlite(built, { synchronous: 'FULL' });
    let months: readonly RebuiltMonth[];
    let newMirror: Mirror;
    let answers: number;
    try {
      migrate(db, newId);
      const book = openBook(db, sha256, () => false);
      const entry = { owner: newId(), atMs: clock.now() };
      const totals = { ...(known?.atMostNanoUsd ?? NOTHING_MIRRORED), session: {} };
      months = inTransaction(db, () => rebuildIn(book, taken, totals, entry, newId));
      answers = inTransaction(db, () => addAnswers(db, taken));
      const findings = checkFully(db, sha256);
      if (findings.length > 0) throw new Error(`the rebuilt ledger is not sound: ${findings[0]}`);
      newMirror = mirrorOf(book);
    } finally {
      db.close();
    }
    if (!options.dryRun) {
      keepMirror(files, clock.now());
      const aside = isLeft ? setAside(files, clock.now()) : undefined;
      // Should the program end here, this mirror has all of the money, and the next rebuild begins with it.
      writeMirror(files.mirror, newId(), newMirror);
      renameSync(built, files.ledger);
      return rebuilt(from === files.ledger ? aside : from);
    }
    return rebuilt(from);

    function rebuilt(source: string | undefined): Rebuild {
      const events = taken.events.length;
      return { kind: 'rebuilt', months, from: source, mirror: mirror.kind, events, whole, answers };
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @param copy of the ledger, which may be migrated */
function distrustOf(
  copy: string,
  files: LedgerFiles,
  { sha256, newId }: RebuildOptions,
): Distrust | undefined {
  let db: DatabaseSync | undefined;
  try {
    db = openSqlite(copy, { synchronous: 'NORMAL' });
    const distrust = examine(db, { files, sha256 }, newId);
    if (distrust !== undefined) return distrust;
    const [why] = checkFully(db, sha256);
    return why === undefined ? undefined : { why, damaged: true };
  } catch (error) {
    const fault = faultOf(error);
    // SQLite refuses statements on a damaged schema as it refuses wrong ones, and a row may have become any value.
    const isSql = error instanceof Error && 'errcode' in error && fault === undefined;
    const isValue = error instanceof TypeError || error instanceof RangeError;
    if (fault !== 'damaged' && !isSql && !isValue) throw error;
    return { why: error instanceof Error ? error.message : String(error), damaged: true };
  } finally {
    db?.close();
  }
}

function isWhole(
  { events, ledgerId }: SalvagedFile,
  mirror: Mirror | undefined,
  sha256: (text: string) => string,
): boolean {
  if (ledgerId === undefined) return false;
  if (chainFindings(events, { hash: ledgerId, seq: 1 }, sha256).length > 0) return false;
  if (mirror === undefined || mirror.ledgerId !== ledgerId || mirror.last === null) return false;
  return events[mirror.last.seq - 1]?.hash === mirror.last.hash;
}

function addAnswers(db: DatabaseSync, { answers, outcomes, audits }: SalvagedFile): number {
  const insert = db.prepare('INSERT OR IGNORE INTO answers (record) VALUES (?)');
  const judge = db.prepare(
    'INSERT OR IGNORE INTO outcomes (prompt_id, at_ms, verdict) VALUES (?, ?, ?)',
  );
  const audit = db.prepare(
    `INSERT OR IGNORE INTO audits (${AUDIT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const kept = answers.filter((record) => {
    try {
      return insert.run(record).changes > 0;
    } catch {
      // A record with a flipped bit is no JSON, or lacks a column; the money is in the events.
      return false;
    }
  });
  for (const { promptId, atMs, verdict } of outcomes) judge.run(promptId, atMs, verdict);
  for (const values of audits) {
    try {
      audit.run(...values);
    } catch {
      // A value that the table refuses; the money is in the events.
    }
  }
  return kept.length;
}
