/** Readings of the team ledger. While the server is away, one that was made before is told again, so that local answers go on. */
import { LedgerUnavailableError } from './ledgerFaults.ts';
import type { PostgresSession } from './postgresSession.ts';

type Read = <T>(work: (session: PostgresSession) => Promise<T>) => Promise<T>;

export interface TeamReadings {
  /** Throws a `LedgerUnavailableError` for every fault of the server. */
  readonly once: Read;
  /**
   * Remembers the last reading, for when the server is away.
   * @param retold makes the last reading fit to be told again; without it, one of another key is not
   */
  remembered<K, T>(
    read: (session: PostgresSession, key: K) => Promise<T>,
    retold?: (last: T, isSameKey: boolean) => T,
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
    remembered(read, retold) {
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
          const isSameKey = last.key === keyText;
          if (retold !== undefined) return retold(last.value, isSameKey);
          if (isSameKey) return last.value;
          throw error;
        }
      };
    },
  };
}
