/**
 * The ledger's book: what the rules of the core read and write, on an open SQLite database. The methods of `LedgerTx` run
 * inside one write transaction; together they keep events, reservations and counters in step.
 */
import type { DatabaseSync } from 'node:sqlite';
import { type Balance, EMPTY_BALANCE, isOpen, rebalance } from '../core/budget.ts';
import { eventHash } from '../core/ledgerAudit.ts';
import type { LedgerTx } from '../core/ledgerRules.ts';
import { nanoUsd } from '../core/price.ts';
import { balanceFrom, reservationFrom } from './ledgerRows.ts';
import { integer, optionalText, type Row, readerOf, text } from './sqliteRows.ts';

export interface Book extends LedgerTx {
  readonly ledgerId: string;
  months(): ReadonlyMap<string, Balance>;
  /** This month's, by their keys. */
  workspaces(month: string): ReadonlyMap<string, Balance>;
  lastEvent(): { readonly seq: number; readonly hash: string } | undefined;
  hashOf(seq: number): string | undefined;
  frozenModels(): ReadonlySet<string>;
  owners(): readonly string[];
  enter(ownerId: string, atMs: number): void;
}

/** @param isGone whether the process of an owner has surely ended */
export function openBook(
  db: DatabaseSync,
  sha256: (text: string) => string,
  isGone: (owner: string) => boolean,
): Book {
  const reading = (sql: string) => readerOf(db.prepare(sql));
  const sql = {
    find: reading('SELECT * FROM reservations WHERE id = ?'),
    openOf: reading('SELECT * FROM reservations WHERE owner = ? AND booked_nano_usd IS NULL'),
    insert: db.prepare(
      `INSERT INTO reservations (id, prompt_id, model_id, price_row_id, fingerprint, bound_nano_usd,
         month, day, session_id, workspace_id, owner, state)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    update: db.prepare('UPDATE reservations SET state = ?, booked_nano_usd = ? WHERE id = ?'),
    balance: reading('SELECT * FROM balances WHERE scope = ? AND key = ?'),
    months: reading(`SELECT * FROM balances WHERE scope = 'month'`),
    workspaces: reading(
      `SELECT * FROM balances WHERE scope = 'workspace' AND key >= ? AND key < ?`,
    ),
    hashOf: reading('SELECT hash FROM events WHERE seq = ?'),
    latest: reading('SELECT max(key) AS key FROM balances WHERE scope = ?'),
    setMonth: db.prepare(
      `INSERT INTO balances (scope, key, spent_nano_usd, held_nano_usd) VALUES ('month', ?, ?, ?)
         ON CONFLICT (scope, key) DO UPDATE
         SET spent_nano_usd = excluded.spent_nano_usd, held_nano_usd = excluded.held_nano_usd`,
    ),
    lastEvent: reading('SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1'),
    append: db.prepare(
      `INSERT INTO events (seq, kind, reservation_id, at_ms, owner, amount_nano_usd, details, hash)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    frozen: reading('SELECT model_id FROM frozen_models'),
    isFrozen: reading('SELECT 1 FROM frozen_models WHERE model_id = ?'),
    freeze: db.prepare(
      'INSERT OR IGNORE INTO frozen_models (model_id, event_seq) SELECT ?, max(seq) FROM events',
    ),
    unfreeze: db.prepare('DELETE FROM frozen_models WHERE model_id = ?'),
    owners: reading('SELECT id FROM owners'),
    enter: db.prepare('INSERT INTO owners (id, entered_at_ms) VALUES (?, ?)'),
    forget: db.prepare('DELETE FROM owners WHERE id = ?'),
  };
  const ledgerId = text(db.prepare('SELECT id FROM ledger').get(), 'id');
  const owners = () => sql.owners.all().map((row) => text(row, 'id'));

  function balance(period: string, key: string): Balance {
    const row = sql.balance.get(period, key);
    return row === undefined ? EMPTY_BALANCE : balanceFrom(row);
  }

  return {
    ledgerId,
    balance,
    owners,
    find(reservationId) {
      const row = sql.find.get(reservationId);
      return row && reservationFrom(row);
    },
    latest: (period) => optionalText(sql.latest.get(period), 'key'),
    months: () => byKey(sql.months.all()),
    // '!' is the sign after the space.
    workspaces: (month) => byKey(sql.workspaces.all(`${month} `, `${month}!`)),
    lastEvent() {
      const row = sql.lastEvent.get();
      return row && { seq: integer(row, 'seq'), hash: text(row, 'hash') };
    },
    hashOf: (seq) => optionalText(sql.hashOf.get(seq), 'hash'),
    openOf: (owner) => sql.openOf.all(owner).map(reservationFrom),
    deadOwners: () => owners().filter(isGone),
    isFrozen: (modelId) => sql.isFrozen.get(modelId) !== undefined,
    frozenModels: () => new Set(sql.frozen.all().map((row) => text(row, 'model_id'))),

    save(after, before) {
      const { id, month, state } = after;
      if (before === undefined) {
        sql.insert.run(
          id,
          after.promptId,
          after.modelId,
          after.priceRowId,
          after.fingerprint,
          after.boundNanoUsd,
          month,
          after.day ?? null,
          after.sessionId ?? null,
          after.workspaceId ?? null,
          after.owner,
          state.kind,
        );
      } else {
        sql.update.run(state.kind, isOpen(state) ? null : nanoUsd(state.bookedNanoUsd), id);
      }
      // An open reservation has the same share in every counter, dispatched or not.
      if (before !== undefined && isOpen(before.state) && isOpen(state)) return;
      // Triggers keep the counters of days, sessions and workspaces.
      const next = rebalance(balance('month', month), before?.state, state);
      sql.setMonth.run(month, next.spentNanoUsd, next.heldNanoUsd);
    },

    append({ kind, reservationId, amountNanoUsd, details }, { owner, atMs }) {
      const last = sql.lastEvent.get();
      const seq = last === undefined ? 1 : integer(last, 'seq') + 1;
      const json = JSON.stringify(details);
      const event = { seq, kind, reservationId, atMs, owner, amountNanoUsd, details: json };
      const hash = eventHash(sha256, last === undefined ? ledgerId : text(last, 'hash'), event);
      sql.append.run(seq, kind, reservationId, atMs, owner, amountNanoUsd, json, hash);
    },

    freeze: (modelId) => void sql.freeze.run(modelId),
    unfreeze: (modelId) => sql.unfreeze.run(modelId).changes > 0,
    enter: (ownerId, atMs) => void sql.enter.run(ownerId, atMs),
    forgetOwner: (owner) => void sql.forget.run(owner),
  };
}

function byKey(rows: readonly Row[]): ReadonlyMap<string, Balance> {
  return new Map(rows.map((row) => [text(row, 'key'), balanceFrom(row)] as const));
}
