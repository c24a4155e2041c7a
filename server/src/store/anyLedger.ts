/** The ledger of this user in a file, or the one of their team on PostgreSQL. */
import type { Clock, NewId } from '../core/ports.ts';
import { type OpenedLedger, openLedger } from './ledger.ts';
import type { LedgerClock } from './ledgerClock.ts';
import type { OpenedTeamLedger } from './ledgerPostgres.ts';

export interface AnyLedgerOptions {
  /** A team's ledger; may hold a password. */
  readonly url: string | undefined;
  /** Where the file of one user lies. */
  readonly path: string;
  readonly dataDir: string;
  readonly clock: Clock & Partial<LedgerClock>;
  readonly newId: NewId;
  readonly sha256: (text: string) => string;
}

export async function openAnyLedger({
  url,
  path,
  dataDir,
  ...deps
}: AnyLedgerOptions): Promise<OpenedLedger | OpenedTeamLedger> {
  if (url === undefined) return await openLedger({ path, ...deps });
  // Loaded only where it is asked for: editors never do.
  const { openTeamLedger } = await import('./ledgerPostgres.ts');
  return await openTeamLedger({ url, dataDir, ...deps });
}
