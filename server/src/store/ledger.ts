/**
 * Opens the ledger or says why it can't be trusted. A ledger that is missing, emptied, replaced, damaged or newer than
 * this program closes the cloud tier; none of these ever starts again at zero by itself.
 */
import { hash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { setImmediate as nextTurn, setTimeout as sleepFor } from 'node:timers/promises';
import { monthOf } from '../core/budget.ts';
import type { BudgetLimits, BudgetState, Clock, Ledger, NewId } from '../core/ports.ts';
import { ZERO_USD } from '../core/price.ts';
import type { NanoUsd } from '../core/types.ts';
import { NO_AUDITS } from './ledgerAudits.ts';
import type { LedgerClock } from './ledgerClock.ts';
import { LedgerUnavailableError, whyNotOpened } from './ledgerFaults.ts';
import { type LedgerDeps, type LedgerFile, startLedger } from './ledgerFile.ts';
import { ledgerFiles, REBUILD, readMirror, setAside, whyNotStartAnew } from './ledgerMirror.ts';
import { NO_ANSWERS } from './ledgerReports.ts';
import { examine } from './ledgerTrust.ts';
import { type DiskFacts, diskFactsOf, networkKind, whyNotOn } from './networkDisk.ts';
import { isAnyOwnerAlive } from './ownerLock.ts';
import { faultOf, fileId, openSqlite, patiently } from './sqliteFile.ts';
import { integer } from './sqliteRows.ts';

export interface OpenLedgerOptions {
  /** The database, `ledger.sqlite` in the data folder; its mirror and owner locks lie beside it. */
  readonly path: string;
  /** A `LedgerClock` in the program: a plain clock is believed whatever it says. */
  readonly clock: Clock & Partial<LedgerClock>;
  /** Its ids must never repeat, also not between processes. */
  readonly newId: NewId;
  readonly sha256?: (text: string) => string;
  /** @default 5000 */
  readonly busyRetryMs?: number;
  readonly sleep?: (ms: number) => Promise<void>;
  readonly random?: () => number;
  /** Waits for further writes that may be committed with the first. @default one turn of the event loop */
  readonly gather?: () => Promise<void>;
  /** After so long without a hold, what was booked is brought to the disk and into the mirror. @default 500 */
  readonly calmMs?: number;
  /** What is known of the disk that a folder lies on. @default asks the system */
  readonly diskFacts?: (folder: string) => DiskFacts;
}

export type OpenedLedger =
  | { readonly kind: 'open'; readonly ledger: LedgerFile }
  /** `ledger` answers `unavailable`, so that local answers can go on. */
  | { readonly kind: 'unavailable'; readonly why: string; readonly ledger: Ledger };

export async function openLedger(options: OpenLedgerOptions): Promise<OpenedLedger> {
  const files = ledgerFiles(options.path);
  const deps: LedgerDeps = {
    files,
    clock: options.clock,
    ownerId: options.newId(),
    sha256: options.sha256 ?? ((text) => hash('sha256', text)),
    busyRetryMs: options.busyRetryMs ?? 5000,
    sleep: options.sleep ?? ((ms) => sleepFor(ms)),
    random: options.random ?? Math.random,
    gather: options.gather ?? (() => nextTurn()),
    calmMs: options.calmMs ?? 500,
  };
  let db: DatabaseSync | undefined;
  let why: string;
  try {
    mkdirSync(dirname(files.ledger), { recursive: true, mode: 0o700 });
    const folder = dirname(files.ledger);
    const remote = whyNotOn(folder, networkKind((options.diskFacts ?? diskFactsOf)(folder)));
    if (remote !== undefined) return unavailable(remote);
    const size = fileId(files.ledger)?.size ?? 0;
    const missing = size === 0 ? whyNotStartAnew(files) : undefined;
    if (missing !== undefined) return unavailable(missing);
    const patience = { limitMs: deps.busyRetryMs, sleep: deps.sleep, random: deps.random };
    const opened = await patiently(patience, () =>
      openSqlite(files.ledger, { synchronous: 'FULL' }),
    );
    db = opened;
    const distrust = await patiently(patience, () => examine(opened, deps, options.newId));
    if (distrust === undefined) {
      const newestMs = await patiently(patience, () => newestEntryMs(opened));
      options.clock.begin?.(newestMs);
      return { kind: 'open', ledger: await startLedger(opened, deps) };
    }
    db.close();
    why = distrust.damaged ? setAsideIfUnused(distrust.why) : distrust.why;
  } catch (error) {
    if (db?.isOpen === true) db.close();
    const fault = whyNotOpened(error, files.ledger);
    if (fault === undefined) throw error;
    why =
      faultOf(error) === 'damaged' && error instanceof Error
        ? setAsideIfUnused(error.message)
        : fault;
  }
  return unavailable(why);

  function unavailable(reason: string): OpenedLedger {
    const read = readMirror(files.mirror);
    const spentNanoUsd = read.kind === 'read' ? read.mirror.spentNanoUsd : undefined;
    const ledger = closedLedger({ why: reason, clock: options.clock, spentNanoUsd });
    return { kind: 'unavailable', why: reason, ledger };
  }

  /** SQLite names its journals by the path it opened, so a database is never renamed while any process has it open. */
  function setAsideIfUnused(finding: string): string {
    const what = `expected a sound ledger in ${files.ledger}, but it is damaged (${finding.replaceAll(/\s+/g, ' ')})`;
    try {
      if (isAnyOwnerAlive(files.owners))
        return `${what}; close all programs that use it, then restart`;
      const target = setAside(files, options.clock.now());
      return `${what}; it was set aside as ${target}: rebuild it (${REBUILD}), or put a backup in its place`;
    } catch (error) {
      return `${what} and could not be set aside (${error instanceof Error ? error.message : error})`;
    }
  }
}

function newestEntryMs(db: DatabaseSync): number | undefined {
  const row = db.prepare('SELECT at_ms FROM events ORDER BY seq DESC LIMIT 1').get();
  return row && integer(row, 'at_ms');
}

export interface ClosedLedgerFacts {
  readonly why: string;
  readonly clock: Clock;
  /** Spend by month as far as it is known, from the mirror of the lost ledger. @default none */
  readonly spentNanoUsd?: Readonly<Record<string, NanoUsd>>;
}

/**
 * The ledger that stands in when the real one can't be trusted: it closes the cloud tier and says why, while local
 * answers go on. Their records are dropped, since there is no place that could keep them.
 */
export function closedLedger({ why, clock, spentNanoUsd = {} }: ClosedLedgerFacts): Ledger {
  function budget(limits: BudgetLimits): BudgetState {
    const month = monthOf(clock.now());
    return {
      month,
      limitNanoUsd: limits.monthlyNanoUsd,
      spentNanoUsd: spentNanoUsd[month] ?? ZERO_USD,
      heldNanoUsd: ZERO_USD,
    };
  }
  return {
    budget: async (limits) => budget(limits),
    reserve: async () => ({ kind: 'unavailable', why }),
    dispatch: async () => {
      throw new LedgerUnavailableError(why);
    },
    settle: async () => {
      throw new LedgerUnavailableError(why);
    },
    record: async () => {},
    recordAudit: async () => {},
    spend: async (limits) => ({
      budget: budget(limits),
      ...NO_ANSWERS,
      audits: NO_AUDITS,
      unreadable: why,
    }),
    frozenModels: async () => new Set(),
    answered: async () => false,
  };
}
