/**
 * One write transaction of the team ledger for the rules of the core, which know no waiting: what they may read is
 * fetched before, what they write is kept here and sent at the end. Reading what was not fetched throws; it is never
 * taken for nothing.
 */
import { type Balance, EMPTY_BALANCE, isOpen, rebalance } from '../core/budget.ts';
import { countersOf } from '../core/budgetsInForce.ts';
import { eventHash, type LedgerEvent } from '../core/ledgerAudit.ts';
import type { LedgerTx, Reservation } from '../core/ledgerRules.ts';
import type { BudgetPeriod, BudgetScope } from '../core/ports.ts';
import { nanoUsd } from '../core/price.ts';
import { balanceFrom, reservationFrom } from './ledgerRows.ts';
import type { Statement } from './postgresSession.ts';
import { integer, optionalText, type Row, text } from './sqliteRows.ts';

/** What the rules will ask for. */
export interface Asked {
  readonly reservationId?: string;
  /** Day and month of the clock, and whose budgets are to be checked. */
  readonly budgets?: BudgetScope & { readonly month: string; readonly day: string };
  /** Owners whose open reservations are needed. */
  readonly owners?: readonly string[];
}

export interface Facts {
  readonly ledgerId: string;
  readonly version: number;
  readonly asked: Asked;
  readonly found: Reservation | undefined;
  readonly latest: { readonly month: string | undefined; readonly day: string | undefined };
  /** By scope and key; a counter that was asked for and is not among them has counted nothing yet. */
  readonly balances: ReadonlyMap<string, Balance>;
  readonly frozen: ReadonlySet<string>;
  readonly open: ReadonlyMap<string, readonly Reservation[]>;
  readonly dead: readonly string[];
  readonly lastEvent: { readonly seq: number; readonly hash: string };
  /** Whether the owner that asks is entered still. */
  readonly isEntered: boolean;
  /** The hash of the event of which it is not known whether it was committed. */
  readonly doubtfulHash: string | undefined;
}

/** After the lock of the ledger is held, one statement reads all that a rule needs. */
export function askFacts(
  asked: Asked,
  owner: string | undefined,
  doubtfulSeq: number | undefined,
): Statement {
  const { reservationId, budgets, owners } = asked;
  return {
    name: 'facts',
    text: `WITH latest AS (SELECT (SELECT max(key) FROM balances WHERE scope = 'month') AS month,
        (SELECT max(key) FROM balances WHERE scope = 'day') AS day),
      wanted AS (SELECT greatest(latest.month, $2) AS month, greatest(latest.day, $3) AS day FROM latest WHERE $2::text IS NOT NULL),
      keys (scope, key) AS (SELECT 'month', month FROM wanted UNION ALL SELECT 'day', day FROM wanted
        UNION ALL SELECT 'session', $4 FROM wanted UNION ALL SELECT 'workspace', month || ' ' || $5 FROM wanted)
      SELECT ledger.id AS ledger_id, ledger.version, latest.month AS latest_month, latest.day AS latest_day,
        (SELECT row_to_json(r) FROM reservations r WHERE r.id = $1) AS found,
        (SELECT json_agg(b) FROM balances b JOIN keys ON b.scope = keys.scope AND b.key = keys.key) AS balances,
        (SELECT json_agg(model_id) FROM frozen_models) AS frozen,
        (SELECT json_agg(r) FROM reservations r WHERE r.owner = ANY ($6) AND r.booked_nano_usd IS NULL) AS open,
        (SELECT row_to_json(e) FROM (SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1) e) AS last_event,
        (SELECT count(*) FROM owners WHERE id = $7) AS entered,
        (SELECT hash FROM events WHERE seq = $8) AS doubtful_hash
      FROM ledger, latest`,
    values: [
      reservationId ?? null,
      budgets?.month ?? null,
      budgets?.day ?? null,
      budgets?.sessionId ?? null,
      budgets?.workspaceId ?? null,
      owners ?? [],
      owner ?? null,
      doubtfulSeq ?? null,
    ],
  };
}

export function factsFrom(row: Row | undefined, asked: Asked): Facts {
  const ledgerId = text(row, 'ledger_id');
  const found = objectIn(row?.['found']);
  const last = objectIn(row?.['last_event']);
  const open = new Map((asked.owners ?? []).map((owner) => [owner, [] as Reservation[]]));
  for (const one of rowsIn(row?.['open'])) {
    const reservation = reservationFrom(one);
    open.get(reservation.owner)?.push(reservation);
  }
  const balances = rowsIn(row?.['balances']);
  return {
    ledgerId,
    version: integer(row, 'version'),
    asked,
    found: found && reservationFrom(found),
    latest: { month: optionalText(row, 'latest_month'), day: optionalText(row, 'latest_day') },
    balances: new Map(
      balances.map((one) => [`${text(one, 'scope')} ${text(one, 'key')}`, balanceFrom(one)]),
    ),
    frozen: new Set(listIn(row?.['frozen']).map(String)),
    open,
    dead: [],
    lastEvent:
      last === undefined
        ? { seq: 0, hash: ledgerId }
        : { seq: integer(last, 'seq'), hash: text(last, 'hash') },
    isEntered: integer(row, 'entered') > 0,
    doubtfulHash: optionalText(row, 'doubtful_hash'),
  };
}

/**
 * Owners whose connection has ended, with what they left open: their locks are free to take. Taken, they stay so to the
 * end of this transaction.
 */
export function askDead(): Statement {
  return {
    name: 'dead',
    text: `SELECT o.id, (SELECT json_agg(r) FROM reservations r WHERE r.owner = o.id AND r.booked_nano_usd IS NULL) AS open
      FROM owners o WHERE pg_try_advisory_xact_lock(o.lock_key) ORDER BY o.id`,
  };
}

export function withDead(facts: Facts, rows: readonly Row[]): Facts {
  const open = new Map(facts.open);
  for (const row of rows) {
    const left = rowsIn(row['open']);
    open.set(text(row, 'id'), left.map(reservationFrom));
  }
  return { ...facts, open, dead: rows.map((row) => text(row, 'id')) };
}

export interface BufferedTx extends LedgerTx {
  enter(owner: string, lockKey: string, atMs: number): void;
  /** All that was written as one statement; `undefined` when nothing was. */
  flush(): Statement | undefined;
  /** The last event that was appended here. */
  lastAppended(): { readonly seq: number; readonly hash: string } | undefined;
}

export function openTx(facts: Facts, sha256: (text: string) => string): BufferedTx {
  const balances = new Map(facts.balances);
  const reservations = new Map<string, Reservation>();
  for (const one of [...(facts.found ? [facts.found] : []), ...[...facts.open.values()].flat()]) {
    reservations.set(one.id, one);
  }
  const frozen = new Set(facts.frozen);
  const added = new Map<string, Reservation>();
  const moved = new Map<string, Reservation>();
  const events: LedgerEvent[] = [];
  const freezes: { readonly model_id: string; readonly event_seq: number }[] = [];
  const thawed: string[] = [];
  const entered: {
    readonly id: string;
    readonly lock_key: string;
    readonly entered_at_ms: number;
  }[] = [];
  const forgotten: string[] = [];
  let last = facts.lastEvent;

  function balance(period: BudgetPeriod, key: string): Balance {
    const { budgets } = facts.asked;
    if (budgets === undefined)
      throw new Error(`expected the counter ${period} ${key} to be fetched`);
    return balances.get(`${period} ${key}`) ?? EMPTY_BALANCE;
  }

  return {
    balance,
    latest: (period) => facts.latest[period],
    find(id) {
      const known = reservations.get(id);
      if (known === undefined && id !== facts.asked.reservationId) {
        throw new Error(`expected reservation ${id} to be fetched`);
      }
      return known;
    },
    isFrozen: (modelId) => frozen.has(modelId),
    openOf(owner) {
      const open = facts.open.get(owner);
      if (open === undefined) throw new Error(`expected the holds of ${owner} to be fetched`);
      return open.flatMap(({ id }) => {
        const now = reservations.get(id);
        return now !== undefined && isOpen(now.state) ? [now] : [];
      });
    },
    deadOwners: () => facts.dead,

    save(after, before) {
      reservations.set(after.id, after);
      if (before === undefined || added.has(after.id)) added.set(after.id, after);
      else moved.set(after.id, after);
      // Triggers keep the counters in the database; these are for what the rules read next.
      for (const { period, key } of countersOf(after)) {
        const name = `${period} ${key}`;
        const now = balances.get(name) ?? (before === undefined ? EMPTY_BALANCE : undefined);
        if (now !== undefined) balances.set(name, rebalance(now, before?.state, after.state));
      }
    },

    append({ kind, reservationId, amountNanoUsd, details }, { owner, atMs }) {
      const seq = last.seq + 1;
      const json = JSON.stringify(details);
      const event = { seq, kind, reservationId, atMs, owner, amountNanoUsd, details: json };
      last = { seq, hash: eventHash(sha256, last.hash, event) };
      events.push({ ...event, hash: last.hash });
    },

    freeze(modelId) {
      frozen.add(modelId);
      freezes.push({ model_id: modelId, event_seq: last.seq });
    },
    unfreeze(modelId) {
      if (!frozen.delete(modelId)) return false;
      thawed.push(modelId);
      return true;
    },
    forgetOwner: (owner) => void forgotten.push(owner),
    enter: (id, lockKey, atMs) => void entered.push({ id, lock_key: lockKey, entered_at_ms: atMs }),
    lastAppended: () => (events.length === 0 ? undefined : last),

    flush() {
      const written = [events, added, moved, thawed, entered, forgotten];
      if (written.every((one) => ('size' in one ? one.size : one.length) === 0)) return undefined;
      return {
        name: 'flush',
        text: FLUSH,
        values: [
          JSON.stringify(events.map(eventRow)),
          JSON.stringify([...added.values()].map(reservationRow)),
          JSON.stringify([...moved.values()].map(reservationRow)),
          JSON.stringify(freezes),
          thawed,
          JSON.stringify(entered),
          forgotten,
        ],
      };
    },
  };
}

const RESERVATION_COLUMNS =
  'id, prompt_id, model_id, price_row_id, fingerprint, bound_nano_usd, month, day, session_id, workspace_id, owner, state, booked_nano_usd';

/** Its parts see one state of the tables and touch different rows of them, so their order does not matter. */
const FLUSH = `WITH
  appended AS (INSERT INTO events (seq, kind, reservation_id, at_ms, owner, amount_nano_usd, details, hash)
    SELECT seq, kind, reservation_id, at_ms, owner, amount_nano_usd, details, hash
    FROM json_populate_recordset(NULL::events, $1)),
  added AS (INSERT INTO reservations (${RESERVATION_COLUMNS})
    SELECT ${RESERVATION_COLUMNS} FROM json_populate_recordset(NULL::reservations, $2)),
  moved AS (UPDATE reservations r SET state = m.state, booked_nano_usd = m.booked_nano_usd
    FROM json_populate_recordset(NULL::reservations, $3) m WHERE r.id = m.id),
  frozen AS (INSERT INTO frozen_models SELECT * FROM json_populate_recordset(NULL::frozen_models, $4)
    ON CONFLICT DO NOTHING),
  thawed AS (DELETE FROM frozen_models WHERE model_id = ANY ($5)),
  entered AS (INSERT INTO owners SELECT * FROM json_populate_recordset(NULL::owners, $6) ON CONFLICT DO NOTHING)
  DELETE FROM owners WHERE id = ANY ($7)`;

function eventRow(event: LedgerEvent): Readonly<Record<string, unknown>> {
  const { seq, kind, owner, details, hash } = event;
  return {
    seq,
    kind,
    reservation_id: event.reservationId,
    at_ms: event.atMs,
    owner,
    amount_nano_usd: event.amountNanoUsd,
    details,
    hash,
  };
}

function reservationRow(one: Reservation): Readonly<Record<string, unknown>> {
  const { id, month, day, owner, state } = one;
  return {
    id,
    prompt_id: one.promptId,
    model_id: one.modelId,
    price_row_id: one.priceRowId,
    fingerprint: one.fingerprint,
    bound_nano_usd: one.boundNanoUsd,
    month,
    day,
    session_id: one.sessionId ?? null,
    workspace_id: one.workspaceId ?? null,
    owner,
    state: state.kind,
    booked_nano_usd: isOpen(state) ? null : nanoUsd(state.bookedNanoUsd),
  };
}

/** JSON columns come parsed; the integers in them are exact below 2^53, and `integer` refuses all others. */
function objectIn(value: unknown): Row | undefined {
  return typeof value === 'object' && value !== null ? (value as Row) : undefined;
}

function rowsIn(value: unknown): readonly Row[] {
  return listIn(value).flatMap((one) => {
    const row = objectIn(one);
    return row === undefined ? [] : [row];
  });
}

function listIn(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
