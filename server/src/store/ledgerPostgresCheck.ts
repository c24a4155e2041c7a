/** Checks of the team ledger against itself, each in one snapshot. An empty list means a sound ledger. */
import { z } from 'zod';
import type { Balance } from '../core/budget.ts';
import {
  balanceDifferences,
  chainFindings,
  type LedgerEvent,
  replayFindings,
  sumsOf,
} from '../core/ledgerAudit.ts';
import { balanceFrom, eventFrom, reservationFrom } from './ledgerRows.ts';
import type { PostgresSession } from './postgresSession.ts';
import { integer, type Row, text } from './sqliteRows.ts';

type Sha256 = (text: string) => string;

const TAIL_EVENTS = 256;
const PAGE_EVENTS = 5_000;

/** More would only say again that the ledger is damaged. */
const MOST_FINDINGS = 20;

/** The counters against their sums, and the end of the hash chain. */
export async function checkTeamAtOpening(
  session: PostgresSession,
  sha256: Sha256,
): Promise<readonly string[]> {
  return await inSnapshot(session, async () => {
    const counters = await counterFindings(session);
    const [reply] = await session.flight([
      { text: 'SELECT coalesce(max(seq), 0) AS n FROM events' },
    ]);
    const tail = Math.max(1, integer(reply?.rows[0], 'n') - TAIL_EVENTS + 1);
    return [...counters, ...(await chainFrom(session, sha256, tail)).findings];
  });
}

/** Everything: the whole chain, every reservation replayed from its events, and all counters. Holds all events in memory. */
export async function checkTeamFully(
  session: PostgresSession,
  sha256: Sha256,
): Promise<readonly string[]> {
  return await inSnapshot(session, async () => {
    const { findings, events } = await chainFrom(session, sha256, 1);
    return [...findings, ...(await derivedFindings(session, events))].slice(0, MOST_FINDINGS);
  });
}

/** Events in order, in pages. */
export async function* teamEvents(
  page: <T>(read: (session: PostgresSession) => Promise<T>) => Promise<T>,
  firstSeq = 1,
): AsyncGenerator<LedgerEvent> {
  let next = firstSeq;
  for (;;) {
    const [reply] = await page((session) =>
      session.flight([
        {
          text: `SELECT * FROM events WHERE seq >= $1 ORDER BY seq LIMIT ${PAGE_EVENTS}`,
          values: [next],
        },
      ]),
    );
    const events = (reply?.rows ?? []).map(eventFrom);
    yield* events;
    if (events.length < PAGE_EVENTS) return;
    next = (events.at(-1)?.seq ?? next) + 1;
  }
}

/** Whatever the check throws, a connection in the middle of a snapshot is not used on. */
async function inSnapshot(
  session: PostgresSession,
  check: () => Promise<readonly string[]>,
): Promise<readonly string[]> {
  await session.flight([{ text: 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY' }]);
  try {
    const findings = await check();
    await session.flight([{ text: 'COMMIT' }]);
    return findings;
  } catch (error) {
    await session.end();
    // A row that can't be read is a finding like any other.
    const unreadable = [TypeError, RangeError, SyntaxError, z.ZodError];
    if (unreadable.some((type) => error instanceof type)) {
      return [error instanceof Error ? error.message : String(error)];
    }
    throw error;
  }
}

async function chainFrom(
  session: PostgresSession,
  sha256: Sha256,
  fromSeq: number,
): Promise<{ readonly findings: readonly string[]; readonly events: readonly LedgerEvent[] }> {
  const [before] = await session.flight([
    fromSeq === 1
      ? { text: 'SELECT id AS hash FROM ledger' }
      : { text: 'SELECT hash FROM events WHERE seq = $1', values: [fromSeq - 1] },
  ]);
  const start = before?.rows[0];
  const events: LedgerEvent[] = [];
  for await (const event of teamEvents((read) => read(session), fromSeq)) events.push(event);
  const findings =
    start === undefined
      ? [`expected event ${fromSeq - 1}, got none`]
      : chainFindings(events, { hash: text(start, 'hash'), seq: fromSeq }, sha256);
  return { findings, events };
}

/** What each scope of the counters is a sum by. */
const COUNTER_KEYS = {
  month: 'month',
  day: 'day',
  session: 'session_id',
  workspace: "month || ' ' || workspace_id",
};

async function counterFindings(session: PostgresSession): Promise<readonly string[]> {
  const findings: string[] = [];
  for (const [scope, key] of Object.entries(COUNTER_KEYS)) {
    const [sums, stored] = await session.flight([
      {
        text: `SELECT ${key} AS key, sum(coalesce(booked_nano_usd, 0)) AS spent_nano_usd,
            sum(CASE WHEN booked_nano_usd IS NULL THEN bound_nano_usd ELSE 0 END) AS held_nano_usd
          FROM reservations WHERE ${key} IS NOT NULL GROUP BY 1`,
      },
      { text: 'SELECT * FROM balances WHERE scope = $1', values: [scope] },
    ]);
    findings.push(
      ...balanceDifferences(byKey(sums?.rows), byKey(stored?.rows), scope, 'its reservations'),
    );
  }
  return findings;
}

/** The tables that are derived from the events, against the events and each other. */
async function derivedFindings(
  session: PostgresSession,
  events: readonly LedgerEvent[],
): Promise<readonly string[]> {
  const [stored, balances, frozen] = await session.flight([
    { text: 'SELECT * FROM reservations' },
    { text: 'SELECT * FROM balances' },
    { text: 'SELECT model_id FROM frozen_models' },
  ]);
  const reservations = (stored?.rows ?? []).map(reservationFrom);
  const ofScope = (scope: string) =>
    byKey(balances?.rows.filter((row) => text(row, 'scope') === scope));
  const replayed = replayFindings(events, {
    reservations,
    months: ofScope('month'),
    frozen: new Set(frozen?.rows.map((row) => text(row, 'model_id'))),
  });
  const sums = sumsOf(reservations);
  const counted = Object.keys(COUNTER_KEYS).flatMap((scope) =>
    balanceDifferences(sums.get(scope) ?? new Map(), ofScope(scope), scope, 'its reservations'),
  );
  return [...replayed, ...counted];
}

function byKey(rows: readonly Row[] = []): Map<string, Balance> {
  return new Map(rows.map((row) => [text(row, 'key'), balanceFrom(row)]));
}
