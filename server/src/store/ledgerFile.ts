/**
 * The ledger: money in one SQLite file that all processes of a user share. The check of the limit and the hold are one
 * transaction, every write is on the disk before its promise resolves, and no wait for another process blocks the event
 * loop.
 */
import type { DatabaseSync } from 'node:sqlite';
import { fits, isOpen, monthOf } from '../core/budget.ts';
import type {
  BudgetLimits,
  BudgetState,
  Clock,
  Ledger,
  ReservationRequest,
  ReserveResult,
  Settlement,
} from '../core/ports.ts';
import { type Book, openBook } from './ledgerBook.ts';
import { checkFully } from './ledgerCheck.ts';
import { LedgerUnavailableError, whyUnavailable } from './ledgerFaults.ts';
import { type LedgerFiles, type Mirror, writeMirror } from './ledgerMirror.ts';
import { openOwners } from './ledgerOwners.ts';
import { openAnswers, type StoredAnswer } from './ledgerReports.ts';
import { eventsFrom, type LedgerEvent } from './ledgerRows.ts';
import type { OwnerLock } from './ownerLock.ts';
import { faultOf, fileId, inSnapshot, inTransaction, patiently } from './sqliteFile.ts';
import { integer } from './sqliteRows.ts';

export interface LedgerFile extends Ledger {
  /** Walks the whole hash chain and recomputes every state and counter. An empty list means sound. */
  verify(): readonly string[];
  /** Every event in order, for export. */
  events(): Iterable<LedgerEvent>;
  answers(page: { readonly limit: number; readonly beforeSeq?: number }): readonly StoredAnswer[];
  unfreeze(modelId: string): Promise<void>;
  /** Ends this process's open reservations as if it had died. The ledger only answers `unavailable` afterwards. */
  close(): Promise<void>;
}

export interface LedgerDeps {
  readonly files: LedgerFiles;
  readonly clock: Clock;
  readonly ownerId: string;
  readonly sha256: (text: string) => string;
  /** Longest sum of waits for a locked file. A settlement, whose money is spent already, waits longer. */
  readonly busyRetryMs: number;
  readonly sleep: (ms: number) => Promise<void>;
  readonly random: () => number;
}

const SETTLE_PATIENCE = 6;

/** The ledger in a checked, migrated database; enters this process among its owners. */
export async function startLedger(db: DatabaseSync, deps: LedgerDeps): Promise<LedgerFile> {
  const { files, clock, ownerId, sha256 } = deps;
  const patience = { limitMs: deps.busyRetryMs, sleep: deps.sleep, random: deps.random };
  const { book, answers, owners } = await patiently(patience, () =>
    // Preparing a statement reads the schema, for which the file may be busy too.
    inSnapshot(db, () => {
      const opened = openBook(db, sha256);
      return {
        book: opened,
        answers: openAnswers(db),
        owners: openOwners(db, opened, files.owners),
      };
    }),
  );
  const openedFile = fileId(files.ledger)?.id;
  const dataVersion = db.prepare('PRAGMA data_version');
  let ownWrites = 0;
  let closedWhy: string | undefined;

  const entry = () => ({ owner: ownerId, atMs: clock.now() });

  function write<T>(work: () => T, limitMs = deps.busyRetryMs): Promise<T> {
    return patiently({ ...patience, limitMs }, () => {
      if (closedWhy !== undefined) throw new LedgerUnavailableError(closedWhy);
      const result = inTransaction(db, work);
      // SQLite counts only the commits of others in data_version.
      ownWrites += 1;
      return result;
    });
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

  function mirror(): void {
    writeMirror(files.mirror, ownerId, () => mirrorOf(book));
  }

  /** Keeps what was read until this or another process commits. A file that is busy or broken answers with the last reading. */
  function remembered<T>(read: (key: string) => T): (key: string) => T {
    let last: { readonly key: string; readonly version: string; readonly value: T } | undefined;
    return (key) => {
      try {
        const version = `${integer(dataVersion.get(), 'data_version')}.${ownWrites}`;
        if (last?.key !== key || last.version !== version)
          last = { key, version, value: read(key) };
      } catch (error) {
        if (last === undefined || (db.isOpen && faultOf(error) === undefined)) throw error;
      }
      return last.value;
    };
  }

  /** The month whose budget is in force. A clock that was set back does not reopen an earlier one. */
  function budgetMonth(current: string): string {
    const latest = book.latestMonth();
    return latest !== undefined && latest > current ? latest : current;
  }

  function stateOf(month: string, limits: BudgetLimits): BudgetState {
    return { month, limitNanoUsd: limits.monthlyNanoUsd, ...book.balance(month) };
  }

  const balanceNow = remembered((current) => {
    const month = budgetMonth(current);
    return { month, ...book.balance(month) };
  });
  const frozenNow = remembered(() => book.frozenModels());
  const sumsOf = remembered((month) => answers.sums(month));

  function budget(limits: BudgetLimits): BudgetState {
    return { limitNanoUsd: limits.monthlyNanoUsd, ...balanceNow(monthOf(clock.now())) };
  }

  function tryReserve(request: ReservationRequest, limits: BudgetLimits): ReserveResult {
    const earlier = book.find(request.id);
    // Its dispatch can only happen once, so the first result may be told again.
    if (earlier !== undefined) return { kind: isSame(earlier, request) ? 'held' : 'conflict' };
    if (book.frozenModels().has(request.modelId)) {
      const why = `model ${request.modelId} is frozen because a bill passed its bound; unfreeze it to use it again`;
      return { kind: 'unavailable', why };
    }
    const month = budgetMonth(monthOf(clock.now()));
    if (!fits(stateOf(month, limits), request.boundNanoUsd)) {
      // Holds of a process that died since may be what fills the budget.
      owners.resolveDead(entry());
      const state = stateOf(month, limits);
      if (!fits(state, request.boundNanoUsd)) return { kind: 'exhausted', state };
    }
    book.reserve(request, month, entry());
    return { kind: 'held' };
  }

  const lock = await enter();
  mirror();

  /** The lock is released again when its row could not be entered: a later opener may then remove the file. */
  async function enter(): Promise<OwnerLock> {
    let entered: OwnerLock | undefined;
    try {
      return await write(() => {
        entered?.release();
        entered = owners.enter(entry());
        // The first readings, taken where no other process can keep the file busy.
        sumsOf(balanceNow(monthOf(clock.now())).month);
        frozenNow('');
        return entered;
      });
    } catch (error) {
      entered?.release();
      throw error;
    }
  }

  return {
    budget,
    frozen: (modelId) => frozenNow('').has(modelId),
    answered(promptId) {
      try {
        return answers.has(promptId);
      } catch (error) {
        // A file that can't be read knows of no answer; spending is refused by `reserve`.
        if (db.isOpen && faultOf(error) === undefined) throw error;
        return false;
      }
    },
    spend(limits) {
      const state = budget(limits);
      return { budget: state, ...sumsOf(state.month) };
    },

    async reserve(request, limits) {
      try {
        const why = moved();
        if (why !== undefined) return { kind: 'unavailable', why };
        return await write(() => tryReserve(request, limits));
      } catch (error) {
        return { kind: 'unavailable', why: unavailable(error) };
      }
    },

    async dispatch(reservationId) {
      const why = moved();
      if (why !== undefined) throw new LedgerUnavailableError(why);
      await writeOrThrow(() => book.advance(reservationId, { kind: 'dispatched' }, {}, entry()));
    },

    async settle(reservationId, settlement) {
      const state = await writeOrThrow(
        () => book.advance(reservationId, settlement, detailsOf(settlement), entry()),
        deps.busyRetryMs * SETTLE_PATIENCE,
      );
      if (isOpen(state)) throw new Error(`expected reservation ${reservationId} to have ended`);
      if (state.bookedNanoUsd > 0) mirror();
      return state.bookedNanoUsd;
    },

    async record(answer) {
      await writeOrThrow(() => answers.add(answer));
    },

    verify: () => inSnapshot(db, () => checkFully(db, sha256)),
    events: () => eventsFrom(db, 1),
    answers: (page) => answers.newest(page),

    async unfreeze(modelId) {
      await writeOrThrow(() => book.unfreeze(modelId, entry()));
    },

    async close() {
      if (!db.isOpen) return;
      try {
        await write(() => owners.leave(entry()));
        mirror();
      } catch (error) {
        // Then the next opener finds this owner gone and ends its reservations in the same way.
        unavailable(error);
      } finally {
        closedWhy = `the ledger ${files.ledger} was closed by this process`;
        lock.release();
        db.close();
      }
    },
  };

  async function writeOrThrow<T>(work: () => T, limitMs?: number): Promise<T> {
    try {
      return await write(work, limitMs);
    } catch (error) {
      if (error instanceof LedgerUnavailableError) throw error;
      throw new LedgerUnavailableError(unavailable(error), { cause: error });
    }
  }
}

export function mirrorOf(book: Book): Mirror {
  const spent = [...book.months()].map(([month, balance]) => [month, balance.spentNanoUsd]);
  return { version: 1, ledgerId: book.ledgerId, spentNanoUsd: Object.fromEntries(spent) };
}

function isSame(earlier: ReservationRequest, request: ReservationRequest): boolean {
  return (
    earlier.fingerprint === request.fingerprint &&
    earlier.promptId === request.promptId &&
    earlier.modelId === request.modelId &&
    earlier.priceRowId === request.priceRowId &&
    earlier.boundNanoUsd === request.boundNanoUsd
  );
}

/** What an event keeps of a settlement beside its kind and amount. */
function detailsOf(settlement: Settlement): Readonly<Record<string, unknown>> {
  return settlement.kind === 'settled' ? { usage: settlement.usage } : { why: settlement.why };
}
