/**
 * The team ledger: the same port on PostgreSQL, so that one limit holds for all machines of a team. The check of the
 * limit and the hold are one transaction that no other writer can come between, every write is on the server's disk
 * before its promise resolves, and every wait has an end.
 */
import { createHash } from 'node:crypto';
import { setTimeout as sleepFor } from 'node:timers/promises';
import type { LedgerEvent } from '../core/ledgerAudit.ts';
import {
  dispatchIn,
  endHoldsIn,
  reserveDispatchedIn,
  reserveIn,
  resolveDeadIn,
  settleIn,
  unfreezeIn,
} from '../core/ledgerRules.ts';
import type {
  BudgetLimits,
  Clock,
  Ledger,
  ReservationRequest,
  ReserveResult,
} from '../core/ports.ts';
import type { RouteReports, Verdict } from '../core/routeReports.ts';
import { closedLedger } from './ledger.ts';
import type { LedgerClock } from './ledgerClock.ts';
import { LedgerUnavailableError } from './ledgerFaults.ts';
import { readMirror } from './ledgerMirror.ts';
import { addAnswer, addAudit, addVerdict, newestAnswers } from './ledgerPostgresAnswers.ts';
import { checkTeamFully, teamEvents } from './ledgerPostgresCheck.ts';
import { whyTeamUnavailable } from './ledgerPostgresFaults.ts';
import { createTeamNews } from './ledgerPostgresNews.ts';
import { examineTeamLedger, type TeamMirror, teamMirror } from './ledgerPostgresOpening.ts';
import { createTeamOwner } from './ledgerPostgresOwner.ts';
import { askedFor, createTeamPast } from './ledgerPostgresPast.ts';
import { createTeamReadings } from './ledgerPostgresReadings.ts';
import { createWriter, type Write } from './ledgerPostgresWrite.ts';
import type { StoredAnswer } from './ledgerReports.ts';
import { createLane, patientlyRemote } from './postgresLane.ts';
import {
  connectPostgres,
  POSTGRES_TIMES,
  type PostgresPlace,
  type PostgresTimes,
  placeOf,
} from './postgresSession.ts';

export interface TeamLedger extends Ledger {
  /** Walks the whole hash chain and recomputes every state and counter. An empty list means sound. */
  verify(): Promise<readonly string[]>;
  /** Every event in order, for export. */
  events(): AsyncIterable<LedgerEvent>;
  answers(page: {
    readonly limit: number;
    readonly beforeSeq?: number;
  }): Promise<readonly StoredAnswer[]>;
  readonly reports: RouteReports;
  /** The same verdict on the same prompt twice is kept once. */
  judge(promptId: string, verdict: Verdict): Promise<void>;
  /** Tells when another process has committed, at most every `everyMs`. Returns how to stop it. */
  onChanged(listener: () => void, everyMs?: number): () => void;
  unfreeze(modelId: string): Promise<void>;
  /** Ends this process's open reservations as if it had died. The ledger only answers `unavailable` afterwards. */
  close(): Promise<void>;
}

export interface OpenTeamLedgerOptions {
  /** May hold a password, and is never repeated in a message. */
  readonly url: string;
  /** Folder of this machine's note of what the ledger had spent, so that an emptied one is noticed. */
  readonly dataDir: string;
  /** A `LedgerClock` in the program: a plain clock is believed whatever it says. */
  readonly clock: Clock & Partial<LedgerClock>;
  /** Its ids must never repeat, also not between processes. */
  readonly newId: () => string;
  readonly sha256?: (text: string) => string;
  /** How long a write goes on trying while the server is away or the ledger busy. @default 5000 */
  readonly retryMs?: number;
  /** Read anew for every connection and every reply. @default POSTGRES_TIMES */
  readonly times?: PostgresTimes;
}

export type OpenedTeamLedger =
  | { readonly kind: 'open'; readonly ledger: TeamLedger }
  /** `ledger` answers `unavailable`, so that local answers can go on. */
  | { readonly kind: 'unavailable'; readonly why: string; readonly ledger: Ledger };

/** A settlement's money is spent already, so it waits longer. */
const SETTLE_PATIENCE = 6;
/** An answer must not wait long for a figure that is only shown. */
const READ_RETRY_MS = 1_000;

export async function openTeamLedger(options: OpenTeamLedgerOptions): Promise<OpenedTeamLedger> {
  const place = placeOf(options.url);
  if (typeof place === 'string') return closed(place);
  const mirror = teamMirror(place, options.dataDir);
  try {
    return { kind: 'open', ledger: await startTeamLedger(place, mirror, options) };
  } catch (error) {
    const why = whyTeamUnavailable(error, place);
    if (why === undefined) throw error;
    return closed(why, mirror);
  }

  function closed(why: string, known?: TeamMirror): OpenedTeamLedger {
    const read = known === undefined ? undefined : readMirror(known.path);
    const spentNanoUsd = read?.kind === 'read' ? read.mirror.spentNanoUsd : undefined;
    const ledger = closedLedger({ why, clock: options.clock, spentNanoUsd });
    return { kind: 'unavailable', why, ledger };
  }
}

async function startTeamLedger(
  place: PostgresPlace,
  mirror: TeamMirror,
  { clock, newId, ...options }: OpenTeamLedgerOptions,
): Promise<TeamLedger> {
  const sha256 =
    options.sha256 ?? ((value: string) => createHash('sha256').update(value).digest('hex'));
  const retryMs = options.retryMs ?? 5_000;
  const patience = {
    limitMs: retryMs,
    sleep: (ms: number) => sleepFor(ms),
    random: Math.random,
    monotonicMs: () => clock.monotonicMs(),
  };
  const news = createTeamNews();
  const connect = () => connectPostgres(place, options.times ?? POSTGRES_TIMES);
  const writing = createLane(async () => news.own(await connect()));
  const reading = createLane(connect);
  let months: ReadonlyMap<string, number> = new Map();
  let closedWhy: string | undefined;

  const writer = createWriter({
    lane: writing,
    place,
    sha256,
    patience,
    onOwnerGone: () => owner.lose(),
    onMonths(spent) {
      months = spent;
    },
  });
  const owner = createTeamOwner({
    connect,
    newId,
    random: Math.random,
    onNews: news.tell,
    enter: (id, lockKey) =>
      writer.write<void>(async () => {
        const entry = { owner: id, atMs: clock.now() };
        return {
          asked: {},
          needsDead: (result) => result === undefined,
          run(tx) {
            resolveDeadIn(tx, entry);
            tx.enter(id, lockKey, entry.atMs);
          },
        };
      }, READ_RETRY_MS),
  });

  const readings = createTeamReadings({
    read: (work) =>
      patientlyRemote({ ...patience, limitMs: Math.min(retryMs, READ_RETRY_MS) }, () => {
        assertOpen();
        return reading.use(work);
      }),
    unavailable,
  });
  const past = createTeamPast({
    readings,
    clock,
    sha256,
    spentIn: (month) => months.get(month) ?? 0,
  });

  let ledgerId: string;
  try {
    const examined = await patientlyRemote(patience, () =>
      writing.use((session) => examineTeamLedger(session, place, mirror, { sha256, newId })),
    );
    ({ ledgerId, months } = examined);
    clock.begin?.(examined.newestEventMs);
    await patientlyRemote(patience, () => owner.ensure());
    await past.warmUp();
  } catch (error) {
    await Promise.all([owner.close(), writing.close(), reading.close()]);
    throw error;
  }
  const note = () => mirror.write(ledgerId, months, owner.lastId());
  note();

  /** A write about one reservation, by whoever this process is now. */
  function about<T>(
    reservationId: string,
    run: (tx: Parameters<Write<T>['run']>[0], entry: { owner: string; atMs: number }) => T,
  ): () => Promise<Write<T>> {
    return async () => {
      const entry = { owner: owner.lastId(), atMs: clock.now() };
      return { asked: { reservationId }, run: (tx) => run(tx, entry) };
    };
  }

  return {
    budget: past.budget,
    frozenModels: past.frozenModels,
    answered: past.answered,
    spend: past.spend,
    reports: past.reports,

    reserve: (request, limits) => holding(reserveIn, request, limits),
    reserveDispatched: (request, limits) => holding(reserveDispatchedIn, request, limits),
    async dispatch(reservationId) {
      await writeOrThrow(about(reservationId, (tx, entry) => dispatchIn(tx, reservationId, entry)));
    },
    async settle(reservationId, settlement) {
      const bookedNanoUsd = await writeOrThrow(
        about(reservationId, (tx, entry) => settleIn(tx, reservationId, settlement, entry)),
        retryMs * SETTLE_PATIENCE,
      );
      if (bookedNanoUsd > 0) note();
      return bookedNanoUsd;
    },
    async record(answer) {
      await keep((session) => addAnswer(session, answer));
    },
    async recordAudit(audit) {
      await keep((session) => addAudit(session, audit));
    },
    async judge(promptId, verdict) {
      await keep((session) => addVerdict(session, promptId, verdict, clock.now()));
    },
    async unfreeze(modelId) {
      await writeOrThrow(async () => {
        const entry = { owner: owner.lastId(), atMs: clock.now() };
        return { asked: {}, run: (tx) => unfreezeIn(tx, modelId, entry) };
      });
    },

    verify: () => readings.once((session) => checkTeamFully(session, sha256)),
    events: () => teamEvents(readings.once),
    answers: (page) => readings.once((session) => newestAnswers(session, page)),
    onChanged: news.listen,

    async close() {
      if (closedWhy !== undefined) return;
      news.close();
      try {
        await write(async () => {
          const entry = { owner: owner.lastId(), atMs: clock.now() };
          const { owner: id } = entry;
          return {
            asked: { owners: [id] },
            run: (tx) => endHoldsIn(tx, id, 'the ledger was closed', entry),
          };
        }, READ_RETRY_MS);
        note();
      } catch (error) {
        // Then the next process that enters finds this one gone and ends its holds in the same way.
        unavailable(error);
      } finally {
        closedWhy = `the team ledger at ${place.label} was closed by this process`;
        await owner.close();
        await writing.close();
        await reading.close();
      }
    },
  };

  async function holding(
    rule: typeof reserveIn,
    request: ReservationRequest,
    limits: BudgetLimits,
  ): Promise<ReserveResult> {
    const why = clock.closedWhy?.();
    if (why !== undefined) return { kind: 'unavailable', why };
    try {
      return await write(async () => {
        const entry = { owner: await owner.ensure(), atMs: clock.now() };
        return {
          asked: { reservationId: request.id, ...askedFor(request, entry.atMs) },
          owner: entry.owner,
          needsDead: (result) => result?.kind === 'exhausted',
          run: (tx) => rule(tx, request, limits, entry),
        };
      });
    } catch (error) {
      return { kind: 'unavailable', why: unavailable(error).message };
    }
  }

  function assertOpen(): void {
    if (closedWhy !== undefined) throw new LedgerUnavailableError(closedWhy);
  }

  /** A fault of the server as a sentence; what is no such fault is thrown. */
  function unavailable(error: unknown): LedgerUnavailableError {
    const why = whyTeamUnavailable(error, place);
    if (why === undefined) throw error;
    return error instanceof LedgerUnavailableError
      ? error
      : new LedgerUnavailableError(why, { cause: error });
  }

  async function write<T>(prepare: () => Promise<Write<T>>, limitMs?: number): Promise<T> {
    return await writer.write(async () => {
      assertOpen();
      return await prepare();
    }, limitMs);
  }

  async function writeOrThrow<T>(prepare: () => Promise<Write<T>>, limitMs?: number): Promise<T> {
    try {
      return await write(prepare, limitMs);
    } catch (error) {
      throw unavailable(error);
    }
  }

  /** What is kept once however often it is written, without the lock of the money. */
  async function keep(work: Parameters<typeof writing.use<void>>[0]): Promise<void> {
    try {
      await patientlyRemote(patience, () => {
        assertOpen();
        return writing.use(work);
      });
    } catch (error) {
      throw unavailable(error);
    }
  }
}
