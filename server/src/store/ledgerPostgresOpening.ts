/**
 * Why a team ledger may be trusted or not, found while opening it. This machine keeps a note of what it had spent, so that
 * an emptied or replaced database never starts again at zero unseen.
 */
import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { dollars, nanoUsd } from '../core/price.ts';
import { LedgerUnavailableError } from './ledgerFaults.ts';
import { readMirror, writeMirror } from './ledgerMirror.ts';
import { checkTeamAtOpening } from './ledgerPostgresCheck.ts';
import { migrateTeamLedger } from './ledgerPostgresSchema.ts';
import type { PostgresPlace, PostgresSession } from './postgresSession.ts';
import { integer, text } from './sqliteRows.ts';

export interface TeamMirror {
  readonly path: string;
  write(ledgerId: string, months: ReadonlyMap<string, number>, writerId: string): void;
}

/** One note for each ledger, named by where it lies, so that going from one team to another is no fault. */
export function teamMirror({ label }: PostgresPlace, dataDir: string): TeamMirror {
  const name = createHash('sha256').update(label).digest('hex').slice(0, 12);
  const path = join(dataDir, `ledger.team-${name}.mirror.json`);
  return {
    path,
    write(ledgerId, months, writerId) {
      const spent = [...months].map(([month, amount]) => [month, nanoUsd(amount)] as const);
      const mirror = { version: 1, ledgerId, spentNanoUsd: Object.fromEntries(spent) } as const;
      writeMirror(path, writerId, mirror);
    },
  };
}

export interface Examined {
  readonly ledgerId: string;
  readonly months: ReadonlyMap<string, number>;
  /** `undefined` while there is none. */
  readonly newestEventMs: number | undefined;
}

/** Migrates and checks. The note is read first: the ledger, read later, can then only say more. */
export async function examineTeamLedger(
  session: PostgresSession,
  place: PostgresPlace,
  mirror: TeamMirror,
  deps: { readonly sha256: (text: string) => string; readonly newId: () => string },
): Promise<Examined> {
  mkdirSync(join(mirror.path, '..'), { recursive: true, mode: 0o700 });
  const before = readMirror(mirror.path);
  const noted = before.kind === 'read' ? before.mirror : undefined;
  const notedNanoUsd = Object.values(noted?.spentNanoUsd ?? {}).reduce((sum, one) => sum + one, 0);
  await refuseUnfitServer(session, place);
  try {
    await migrateTeamLedger(session, place, deps.newId, () => {
      if (notedNanoUsd > 0) refuse(`found no ledger there`);
    });
  } catch (error) {
    await session.end();
    throw error;
  }
  const [finding] = await checkTeamAtOpening(session, deps.sha256);
  if (finding !== undefined) {
    throw new LedgerUnavailableError(
      `expected a sound team ledger at ${place.label}, but it is damaged (${finding}); restore it from a backup`,
    );
  }
  const [ledger, balances, newest] = await session.flight([
    { text: 'SELECT id FROM ledger' },
    { text: `SELECT key, spent_nano_usd FROM balances WHERE scope = 'month'` },
    { text: 'SELECT at_ms FROM events ORDER BY seq DESC LIMIT 1' },
  ]);
  const [newestRow] = newest?.rows ?? [];
  const ledgerId = text(ledger?.rows[0], 'id');
  const months = new Map(
    balances?.rows.map((row) => [text(row, 'key'), integer(row, 'spent_nano_usd')] as const),
  );
  if (notedNanoUsd > 0 && noted?.ledgerId !== ledgerId) refuse('found another ledger there');
  for (const [month, spent] of Object.entries(noted?.spentNanoUsd ?? {})) {
    if (spent > (months.get(month) ?? 0))
      refuse(`found less than the $${dollars(spent)} of ${month}`);
  }
  const newestEventMs = newestRow === undefined ? undefined : integer(newestRow, 'at_ms');
  return { ledgerId, months, newestEventMs };

  function refuse(found: string): never {
    throw new LedgerUnavailableError(
      `expected the team ledger at ${place.label} with $${dollars(notedNanoUsd)} of spend that this machine knows of, ` +
        `${found}; put the right ledger back, or move ${mirror.path} away to accept what is there`,
    );
  }
}

/** `synchronous_commit` is each connection's own matter; whether the disk is waited for at all is the server's. */
async function refuseUnfitServer(
  session: PostgresSession,
  { label }: PostgresPlace,
): Promise<void> {
  const [reply] = await session.flight([
    {
      text: `SELECT current_setting('fsync') AS fsync, current_setting('full_page_writes') AS pages, pg_is_in_recovery()::int AS standby`,
    },
  ]);
  const row = reply?.rows[0];
  for (const [setting, column] of [
    ['fsync', 'fsync'],
    ['full_page_writes', 'pages'],
  ] as const) {
    if (text(row, column) === 'on') continue;
    throw new LedgerUnavailableError(
      `expected a server at ${label} that keeps commits through a power cut, got ${setting} = ${text(row, column)}; turn it on`,
    );
  }
  if (integer(row, 'standby') === 1) {
    throw new LedgerUnavailableError(
      `expected the primary server of the team ledger at ${label}, got a standby, which takes no writes; name the primary`,
    );
  }
}
