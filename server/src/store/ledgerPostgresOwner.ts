/**
 * Tells whether the process behind a hold still lives, without process ids or clocks: each process holds an advisory
 * lock on a connection of its own, and the server drops that lock when the connection ends, however it ends. The same
 * connection hears of other processes' commits.
 */
import { createHash } from 'node:crypto';
import { CHANGED, type PostgresSession, ServerAwayError } from './postgresSession.ts';

export interface OwnerDeps {
  readonly connect: () => Promise<PostgresSession>;
  /** Its ids must never repeat, also not between processes. */
  readonly newId: () => string;
  /** Enters the owner among those of the ledger, in a transaction that also ends the holds of dead ones. */
  readonly enter: (ownerId: string, lockKey: string) => Promise<void>;
  /** Another process has committed, or may have while nobody listened. */
  readonly onNews: (backendPid: number | undefined) => void;
  readonly random: () => number;
}

export interface TeamOwner {
  /** The id under which this process may hold money now; enters it anew when its connection was lost. */
  ensure(): Promise<string>;
  /** The id entered last, for events that need no living owner. */
  lastId(): string;
  /** Others have taken this process for dead. */
  lose(): Promise<void>;
  close(): Promise<void>;
}

const HEARTBEAT_MS = 10_000;
const LONGEST_WAIT_MS = 5_000;

export function createTeamOwner({ connect, newId, enter, onNews, random }: OwnerDeps): TeamOwner {
  let current: { readonly id: string; readonly session: PostgresSession } | undefined;
  let lastId = '';
  let entering: Promise<string> | undefined;
  let again: NodeJS.Timeout | undefined;
  let closed = false;
  const heartbeat = setInterval(() => {
    // A connection that died without a word is noticed by the time limit of this question.
    void current?.session.flight([{ text: 'SELECT 1' }]).catch(() => undefined);
  }, HEARTBEAT_MS);
  heartbeat.unref();

  async function enterAnew(): Promise<string> {
    if (closed) throw new ServerAwayError('the ledger was closed by this process');
    const session = await connect();
    try {
      const id = newId();
      const lockKey = lockKeyOf(id);
      const [locked] = await session.flight([
        { text: 'SELECT pg_try_advisory_lock($1)::int AS got', values: [lockKey] },
        { text: `LISTEN ${CHANGED}` },
      ]);
      if (locked?.rows[0]?.['got'] !== 1) {
        throw new Error(`expected an owner id that was never used before, got ${id} again`);
      }
      session.onNotified(onNews);
      await enter(id, lockKey);
      if (!session.isAlive()) throw new ServerAwayError('the connection was lost while entering');
      current = { id, session };
      lastId = id;
      session.onLost(() => reenter(0));
      return id;
    } catch (error) {
      await session.end();
      throw error;
    }
  }

  /** Goes on until it works: others must be heard again, and the next hold should not have to wait for it. */
  function reenter(failures: number): void {
    if (closed) return;
    const waitMs = Math.min(LONGEST_WAIT_MS, 20 * 2 ** failures) * (0.5 + random() / 2);
    clearTimeout(again);
    again = setTimeout(() => {
      ensure().then(
        () => onNews(undefined),
        () => reenter(Math.min(failures + 1, 20)),
      );
    }, waitMs);
    again.unref();
  }

  async function ensure(): Promise<string> {
    if (current?.session.isAlive() === true) return current.id;
    entering ??= enterAnew().finally(() => {
      entering = undefined;
    });
    return await entering;
  }

  return {
    ensure,
    lastId: () => lastId,
    async lose() {
      const { session } = current ?? {};
      current = undefined;
      await session?.end();
    },
    async close() {
      closed = true;
      clearInterval(heartbeat);
      clearTimeout(again);
      await entering?.catch(() => undefined);
      await current?.session.end();
    },
  };
}

/** Advisory locks are numbered: 63 bits of the id's hash, which two ids of one ledger never share in practice; the table refuses it. */
function lockKeyOf(ownerId: string): string {
  const hash = createHash('sha256').update(ownerId).digest();
  return BigInt.asIntN(64, hash.readBigUInt64BE()).toString();
}
