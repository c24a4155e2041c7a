/**
 * Write transactions of the team ledger: lock, read, rules, write, commit, in two flights. A commit whose answer was lost
 * is looked up by the hash of its last event before anything is tried again, so nothing is ever done twice.
 */
import { LedgerUnavailableError } from './ledgerFaults.ts';
import { LOCK_LEDGER, refuseNewer } from './ledgerPostgresSchema.ts';
import {
  type Asked,
  askDead,
  askFacts,
  type BufferedTx,
  type Facts,
  factsFrom,
  openTx,
  withDead,
} from './ledgerPostgresTx.ts';
import { type Lane, patientlyRemote, type RemotePatience } from './postgresLane.ts';
import {
  CHANGED,
  type PostgresPlace,
  type PostgresSession,
  ServerAwayError,
} from './postgresSession.ts';
import { integer, text } from './sqliteRows.ts';

export interface Write<T> {
  readonly asked: Asked;
  /** The owner of what is held here; one that others have ended in the meantime must enter anew. */
  readonly owner?: string;
  /** Whether dead owners must be known, asked first without a result and then with the one that was reached without them. */
  readonly needsDead?: (result: T | undefined) => boolean;
  run(tx: BufferedTx): T;
}

/** This process counts as dead, because the connection that proved it alive was lost. It must enter under a new id. */
export class OwnerGoneError extends ServerAwayError {
  override readonly name = 'OwnerGoneError';
}

/** A commit that may have happened: the place and hash of the last event it wrote. */
interface Doubt<T> {
  readonly seq: number;
  readonly hash: string;
  readonly result: T;
}

export interface Writer {
  /** @param prepare makes each try's work, since owner and time may change between two */
  write<T>(prepare: () => Promise<Write<T>>, limitMs?: number): Promise<T>;
}

export interface WriterDeps {
  readonly lane: Lane;
  readonly place: PostgresPlace;
  readonly sha256: (text: string) => string;
  readonly patience: RemotePatience;
  /** Told that this process was taken for dead, before the next try. */
  readonly onOwnerGone: () => Promise<void>;
  /** Told each month's spend after every commit. */
  readonly onMonths: (spentNanoUsd: ReadonlyMap<string, number>) => void;
}

const MONTHS = {
  name: 'months',
  text: `SELECT key, spent_nano_usd FROM balances WHERE scope = 'month'`,
};

export function createWriter(deps: WriterDeps): Writer {
  const { lane, place, sha256, patience, onOwnerGone, onMonths } = deps;
  return {
    async write<T>(prepare: () => Promise<Write<T>>, limitMs = patience.limitMs): Promise<T> {
      let doubt: Doubt<T> | undefined;
      return await patientlyRemote({ ...patience, limitMs }, async () => {
        const write = await prepare();
        return await lane.use((session) => inTransaction(session, write));
      });

      async function inTransaction(session: PostgresSession, write: Write<T>): Promise<T> {
        try {
          const [, , read] = await session.flight([
            { text: 'BEGIN' },
            { text: LOCK_LEDGER },
            askFacts(write.asked, write.owner, doubt?.seq),
          ]);
          let facts = factsFrom(read?.rows[0], write.asked);
          refuseNewer(facts.version, place);
          if (doubt !== undefined && facts.doubtfulHash === doubt.hash) {
            await session.flight([{ text: 'ROLLBACK' }]);
            return doubt.result;
          }
          doubt = undefined;
          if (write.owner !== undefined && !facts.isEntered) {
            throw new OwnerGoneError('this process was taken for dead and must enter again');
          }
          if (write.needsDead?.(undefined) === true) facts = await learnDead(session, facts);
          let tx = openTx(facts, sha256);
          let result = write.run(tx);
          if (facts.dead.length === 0 && write.needsDead?.(result) === true) {
            facts = await learnDead(session, facts);
            if (facts.dead.length > 0) {
              tx = openTx(facts, sha256);
              result = write.run(tx);
            }
          }
          await commit(session, tx, result);
          return result;
        } catch (error) {
          await rollBack(session);
          if (error instanceof OwnerGoneError) await onOwnerGone();
          throw error;
        }
      }

      async function commit(session: PostgresSession, tx: BufferedTx, result: T): Promise<void> {
        const written = tx.flush();
        if (written === undefined) {
          await session.flight([{ text: 'ROLLBACK' }]);
          return;
        }
        const appended = tx.lastAppended();
        doubt = appended === undefined ? undefined : { ...appended, result };
        const replies = await session.flight([
          written,
          MONTHS,
          { text: `NOTIFY ${CHANGED}` },
          { text: 'COMMIT' },
        ]);
        const [, months, , end] = replies;
        if (end?.command !== 'COMMIT') {
          throw new LedgerUnavailableError(
            `expected the team ledger at ${place.label} to commit, got ${end?.command}; try again`,
          );
        }
        const spent = months?.rows.map(
          (row) => [text(row, 'key'), integer(row, 'spent_nano_usd')] as const,
        );
        onMonths(new Map(spent));
      }
    },
  };
}

async function learnDead(session: PostgresSession, facts: Facts): Promise<Facts> {
  const [reply] = await session.flight([askDead()]);
  return withDead(facts, reply?.rows ?? []);
}

/** A connection that can't even do this is ended: its transaction then ends with it. */
async function rollBack(session: PostgresSession): Promise<void> {
  if (!session.isAlive()) return;
  try {
    await session.flight([{ text: 'ROLLBACK' }]);
  } catch {
    await session.end();
  }
}
