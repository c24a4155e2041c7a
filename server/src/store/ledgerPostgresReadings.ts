/** Readings of the team ledger. While the server is away, one that was made before is told again, so that local answers go on. */
import { LedgerUnavailableError } from './ledgerFaults.ts';
import type { PostgresSession } from './postgresSession.ts';

type Read = <T>(work: (session: PostgresSession) => Promise<T>) => Promise<T>;

export interface TeamReadings {
  /** Throws a `LedgerUnavailableError` for every fault of the server. */
  readonly once: Read;
  /**
   * Remembers the last reading, for when the server is away.
   * @param lessen makes a reading of another key fit to be told again, by what holds for all keys
   */
  remembered<K, T>(
    read: (session: PostgresSession, key: K) => Promise<T>,
    lessen?: (last: T) => T,
  ): (key: K) => Promise<T>;
}

export function createTeamReadings(deps: {
  readonly read: Read;
  /** The fault as the error to be thrown; throws what is none. */
  readonly unavailable: (error: unknown) => LedgerUnavailableError;
}): TeamReadings {
  const once: Read = async (work) => {
    try {
      return await deps.read(work);
    } catch (error) {
      throw deps.unavailable(error);
    }
  };
  return {
    once,
    remembered(read, lessen) {
      let last:
        | { readonly key: string; readonly value: Awaited<ReturnType<typeof read>> }
        | undefined;
      return async (key) => {
        const keyText = JSON.stringify(key);
        try {
          const value = await once((session) => read(session, key));
          last = { key: keyText, value };
          return value;
        } catch (error) {
          if (last === undefined || !(error instanceof LedgerUnavailableError)) throw error;
          if (last.key === keyText) return last.value;
          if (lessen === undefined) throw error;
          return lessen(last.value);
        }
      };
    },
  };
}
