/** Faults of the team ledger as sentences: what was expected, what came, what to do. None of them holds the URL, which may hold a password. */
import { LedgerUnavailableError } from './ledgerFaults.ts';
import { type PostgresPlace, ServerAwayError, sqlStateOf } from './postgresSession.ts';

/** What an error says about the server; `undefined` for one that is no fault of it but a defect of this program. */
export type PostgresFault =
  | 'away'
  | 'busy'
  | 'full'
  | 'read_only'
  | 'denied'
  | 'missing'
  | 'damaged'
  | 'too_old'
  | 'io';

/** By SQLSTATE, or by its class of two signs. */
const FAULTS: Readonly<Record<string, PostgresFault>> = {
  '08': 'away',
  '28': 'denied',
  '3D': 'denied',
  '3F': 'missing',
  '40': 'busy',
  '42501': 'denied',
  '42704': 'too_old',
  '42P01': 'missing',
  '25006': 'read_only',
  // A transaction that was left open too long was ended by the server, and with it the connection.
  '25P03': 'away',
  '53': 'busy',
  '53100': 'full',
  '55P03': 'busy',
  '57014': 'busy',
  '57P01': 'away',
  '57P02': 'away',
  '57P03': 'away',
  '57P05': 'away',
  '58': 'io',
  F0: 'io',
  XX001: 'damaged',
  XX002: 'damaged',
};

export function postgresFaultOf(error: unknown): PostgresFault | undefined {
  if (error instanceof ServerAwayError) return 'away';
  const state = sqlStateOf(error);
  return state === undefined ? undefined : (FAULTS[state] ?? FAULTS[state.slice(0, 2)]);
}

/** Whether trying again soon may help. */
export function mayPass(error: unknown): boolean {
  const fault = postgresFaultOf(error);
  return fault === 'away' || fault === 'busy';
}

/** Why the ledger can't be used, or `undefined` for a defect. */
export function whyTeamUnavailable(error: unknown, { label }: PostgresPlace): string | undefined {
  if (error instanceof LedgerUnavailableError) return error.message;
  const fault = postgresFaultOf(error);
  const said = error instanceof Error ? error.message : String(error);
  switch (fault) {
    case 'away':
      return `expected the team ledger at ${label} to answer, got "${said}"; check that PostgreSQL runs there`;
    case 'busy':
      return `expected the team ledger at ${label} to become free, got "${said}"; try again`;
    case 'full':
      return `expected room for the team ledger at ${label}, but its disk is full; free some space`;
    case 'read_only':
      return `expected to write the team ledger at ${label}, but that server is read-only; name the primary one`;
    case 'denied':
      return `expected to open the team ledger at ${label}, got "${said}"; check user, password and rights`;
    case 'missing':
      return `expected the tables of the team ledger at ${label}, got "${said}"; restore them from a backup`;
    case 'damaged':
      return `expected the team ledger at ${label} to be readable, got "${said}"; restore it from a backup`;
    case 'too_old':
      return `expected PostgreSQL 14 or newer at ${label}, got "${said}"`;
    case 'io':
      return `expected to read and write the team ledger at ${label}, got "${said}"; check its server's disk`;
    case undefined:
      return undefined;
  }
}
