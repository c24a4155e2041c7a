/**
 * The ledger: money in one SQLite file that all processes of a user share. The check of the limit and the hold are one
 * transaction that is on the disk before its promise resolves, and no wait for another process blocks the event loop. The
 * end of a call and the record of an answer do not wait for the disk: all processes see them at once, and they survive the
 * end of this one; a power cut in the next half second leaves the hold, which is booked at its bound.
 */
import type { DatabaseSync } from 'node:sqlite';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Balances, balancesAt, stateUnder } from '../core/budgetsInForce.ts';
import type { LedgerEvent } from '../core/ledgerAudit.ts';
import {
  dispatchIn,
  endHoldsIn,
  reserveDispatchedIn,
  reserveIn,
  settleIn,
  unfreezeIn,
} from '../core/ledgerRules.ts';
import type {
  BudgetLimits,
  BudgetScope,
  BudgetState,
  Clock,
  Ledger,
  ReserveResult,
  Settlement,
} from '../core/ports.ts';
import { exportHead, exportLines } from '../core/routeExport.ts';
import type { RouteReports, Verdict } from '../core/routeReports.ts';
import type { NanoUsd } from '../core/types.ts';
import { createGroupCommit, type WriteOptions } from './groupCommit.ts';
import { openBook } from './ledgerBook.ts';
import { verifyFile } from './ledgerCheck.ts';
import type { LedgerClock } from './ledgerClock.ts';
import { LedgerUnavailableError, whyUnavailable } from './ledgerFaults.ts';
import { type LedgerFiles, mirrorOf, writeMirror } from './ledgerMirror.ts';
import { createMirroring } from './ledgerMirroring.ts';
import { enterOwner } from './ledgerOwners.ts';
import { openPast } from './ledgerPast.ts';
import { createReadings } from './ledgerReadings.ts';
import type { StoredAnswer } from './ledgerReports.ts';
import { eventsFrom } from './ledgerRows.ts';
import { createUnsettled } from './ledgerUnsettled.ts';
import { isOwnerGone, type OwnerLock } from './ownerLock.ts';
import { faultOf, fileId, inSnapshot, patiently } from './sqliteFile.ts';

export interface LedgerFile extends Ledger {
  /** Walks the whole hash chain and recomputes every state and counter. An empty list means sound. */
  verify(): readonly string[];
  /** Every event in order, for export. */
  events(): Iterable<LedgerEvent>;
  answers(page: { readonly limit: number; readonly beforeSeq?: number }): readonly StoredAnswer[];
  readonly reports: RouteReports;
  /** The same verdict on the same prompt twice is kept once. */
  judge(promptId: string, verdict: Verdict): Promise<void>;
  /** Tells when another process has committed, by looking every `everyMs`. Returns how to stop it. */
  onChanged(listener: () => void, everyMs?: number): () => void;
  unfreeze(modelId: string): Promise<void>;
  /** Ends this process's open reservations as if it had died. The ledger only answers `unavailable` afterwards. */
  close(): Promise<void>;
}

export interface LedgerDeps {
  readonly files: LedgerFiles;
  readonly clock: Clock & Partial<LedgerClock>;
  readonly ownerId: string;
  readonly sha256: (text: string) => string;
  /** Longest sum of waits for a locked file. A settlement, whose money is spent already, waits longer. */
  readonly busyRetryMs: number;
  readonly sleep: (ms: number) => Promise<void>;
  readonly random: () => number;
  /** Waits for further writes that may be committed with the first. */
  readonly gather: () => Promise<void>;
  /** After so long without a hold, what was booked is brought to the disk and into the mirror. */
  readonly calmMs: number;
}

const SETTLE_PATIENCE = 6;
const HOUR_MS = 3_600_000;

/** The ledger in a checked, migrated database; enters this process among its owners. */
export async function startLedger(db: DatabaseSync, deps: LedgerDeps): Promise<LedgerFile> {
  const { files, clock, ownerId, sha256 } = deps;
  const patience = { limitMs: deps.busyRetryMs, sleep: deps.sleep, random: deps.random };
  const { book, answers, routes, audits, sums, report } = await patiently(patience, () =>
    // Preparing a statement reads the schema, for which the file may be busy too.
    inSnapshot(db, () => {
      const isGone = (owner: string) => isOwnerGone(files.owners, owner);
      return { book: openBook(db, sha256, isGone), ...openPast(db) };
    }),
  );
  const openedFile = fileId(files.ledger)?.id;
  const stops = new Set<() => void>();
  let ownWrites = 0;
  let closedWhy: string | undefined;

  const entry = () => ({ owner: ownerId, atMs: clock.now() });

  const commitTogether = createGroupCommit(db, {
    patience,
    gather: deps.gather,
    assertOpen() {
      if (closedWhy !== undefined) throw new LedgerUnavailableError(closedWhy);
    },
    onCommitted(durable) {
      // SQLite counts only the commits of others in data_version.
      ownWrites += 1;
      mirroring.onCommitted(durable);
    },
  });

  function write<T>(work: () => T, options: Partial<WriteOptions> = {}): Promise<T> {
    return commitTogether(work, { limitMs: deps.busyRetryMs, durable: true, ...options });
  }

  /** Turns a fault of storage into a sentence, or throws what is no such fault. */
  function unavailable(error: unknown): string {
    const why = whyUnavailable(error, files.ledger);
    if (why === undefined) throw error;
    if (faultOf(error) === 'damaged') closedWhy = why;
    return why;
  }

  /** A file that was moved away or replaced still takes writes, but no other process would see them. */
  function moved(): string | undefined {
    if (fileId(files.ledger)?.id === openedFile) return undefined;
    return `expected the ledger ${files.ledger} that was opened, found it moved, deleted or replaced; restart to open the one that is there`;
  }

  const { remembered, version: commitsOfOthers } = createReadings(db, () => ownWrites);
  const mirroring = createMirroring(db, {
    read: () => mirrorOf(book),
    write: (mirror) => writeMirror(files.mirror, ownerId, mirror),
    commitsOfOthers,
    calmMs: deps.calmMs,
  });
  const balancesNow = remembered(({ hour, scope }: { hour: number; scope: BudgetScope }) =>
    balancesAt(book, hour * HOUR_MS, scope),
  );
  const frozenNow = remembered((_: '') => book.frozenModels());
  const sumsOf = remembered(sums);
  const reportOf = remembered(report);
  const monthBalanceOf = remembered((month: string) => book.balance('month', month));
  const pageOf = remembered(routes.routes);

  /** Budgets change with the day and the month, so a reading holds within one hour. */
  function balances({ sessionId, workspaceId }: BudgetScope): Balances {
    const hour = Math.floor(clock.now() / HOUR_MS);
    return balancesNow({ hour, scope: { sessionId, workspaceId } });
  }

  function budget(limits: BudgetLimits, scope: BudgetScope = {}): BudgetState {
    return stateUnder(limits, balances(scope));
  }

  const reports: RouteReports = {
    async month(limits, month) {
      const now = budget({ monthlyNanoUsd: limits.monthlyNanoUsd });
      const state =
        month === undefined || month === now.month
          ? now
          : { ...now, month, ...monthBalanceOf(month) };
      return { budget: state, ...reportOf(state.month) };
    },
    routes: async (query) => pageOf(query),
    trace: async (promptId) => routes.find(promptId),
    judged: async () => routes.judged(),
    async export(month, format) {
      let text = exportHead(format);
      for (const page of routes.pages(month)) {
        text += exportLines(page, format);
        // A year of work is seconds of writing; requests go on in between.
        await nextTurn();
      }
      return text;
    },
  };

  async function settleNow(
    reservationId: string,
    settlement: Settlement,
    limitMs?: number,
  ): Promise<NanoUsd> {
    const work = () => settleIn(book, reservationId, settlement, entry());
    return await writeOrThrow(work, { durable: false, ...(limitMs !== undefined && { limitMs }) });
  }

  async function settleAgain(
    reservationId: string,
    settlement: Settlement,
  ): Promise<'done' | 'later'> {
    try {
      await settleNow(reservationId, settlement);
      return 'done';
    } catch (error) {
      // What the rules refuse has ended in another way, as when this process was taken for dead.
      return error instanceof LedgerUnavailableError && db.isOpen ? 'later' : 'done';
    }
  }
  const unsettled = createUnsettled(settleAgain);

  const lock = await enter();
  mirroring.now();

  /** The lock is released again when its row could not be entered: a later opener may then remove the file. */
  async function enter(): Promise<OwnerLock> {
    let entered: OwnerLock | undefined;
    try {
      return await write(() => {
        entered?.release();
        entered = enterOwner(book, files.owners, entry());
        // The first readings, taken where no other process can keep the file busy.
        const { month } = balances({});
        sumsOf(month);
        reportOf(month);
        frozenNow('');
        return entered;
      });
    } catch (error) {
      entered?.release();
      throw error;
    }
  }

  return {
    budget: async (limits, scope) => budget(limits, scope),
    frozenModels: async () => frozenNow(''),
    async answered(promptId) {
      try {
        return answers.has(promptId);
      } catch (error) {
        // A file that can't be read knows of no answer; spending is refused by `reserve`.
        if (db.isOpen && faultOf(error) === undefined) throw error;
        return false;
      }
    },
    async spend(limits) {
      const state = budget(limits);
      return { budget: state, ...sumsOf(state.month) };
    },

    reserve: (request, limits) => holding(() => reserveIn(book, request, limits, entry())),

    async reserveDispatched(request, limits) {
      const work = () => reserveDispatchedIn(book, request, limits, entry());
      const result = await holding(work);
      // Before the call leaves, so that a ledger lost while it is under way can be rebuilt with its hold.
      if (result.kind === 'held') await mirroring.together();
      return result;
    },

    async dispatch(reservationId) {
      const why = moved();
      if (why !== undefined) throw new LedgerUnavailableError(why);
      await writeOrThrow(() => dispatchIn(book, reservationId, entry()));
      await mirroring.together();
    },

    async settle(reservationId, settlement) {
      try {
        return await settleNow(reservationId, settlement, deps.busyRetryMs * SETTLE_PATIENCE);
      } catch (error) {
        if (error instanceof LedgerUnavailableError) unsettled.keep(reservationId, settlement);
        throw error;
      }
    },

    record: (answer) => writeOrThrow(() => answers.add(answer), { durable: false }),
    recordAudit: (audit) => writeOrThrow(() => audits.add(audit), { durable: false }),

    verify: () => verifyFile(db, sha256),
    events: () => eventsFrom(db, 1),
    answers: (page) => answers.newest(page),
    reports,

    async judge(promptId, verdict) {
      await writeOrThrow(() => routes.judge(promptId, verdict, clock.now()));
    },

    onChanged(listener, everyMs = 500) {
      let seen = commitsOfOthers();
      const timer = setInterval(() => {
        const now = commitsOfOthers();
        if (now === undefined || now === seen) return;
        seen = now;
        listener();
      }, everyMs);
      timer.unref();
      stops.add(stop);
      return stop;

      function stop(): void {
        clearInterval(timer);
        stops.delete(stop);
      }
    },

    async unfreeze(modelId) {
      await writeOrThrow(() => unfreezeIn(book, modelId, entry()));
    },

    async close() {
      if (!db.isOpen) return;
      for (const stop of stops) stop();
      const bills = unsettled.stop();
      try {
        for (const [id, settlement] of bills) await settleAgain(id, settlement);
        await write(() => endHoldsIn(book, ownerId, 'the ledger was closed', entry()));
        mirroring.now();
      } catch (error) {
        // Then the next opener finds this owner gone and ends its reservations in the same way.
        unavailable(error);
      } finally {
        closedWhy = `the ledger ${files.ledger} was closed by this process`;
        mirroring.stop();
        lock.release();
        db.close();
      }
    },
  };

  async function holding(work: () => ReserveResult): Promise<ReserveResult> {
    try {
      const why = moved() ?? clock.closedWhy?.();
      if (why !== undefined) return { kind: 'unavailable', why };
      const result = await write(work);
      unsettled.retry();
      return result;
    } catch (error) {
      return { kind: 'unavailable', why: unavailable(error) };
    }
  }

  async function writeOrThrow<T>(work: () => T, options?: Partial<WriteOptions>): Promise<T> {
    try {
      return await write(work, options);
    } catch (error) {
      if (error instanceof LedgerUnavailableError) throw error;
      throw new LedgerUnavailableError(unavailable(error), { cause: error });
    }
  }
}
