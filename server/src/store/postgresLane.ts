/** One connection for work that comes one after the other. It is made when it is needed and again when it was lost. */
import { mayPass } from './ledgerPostgresFaults.ts';
import type { PostgresSession } from './postgresSession.ts';

export interface Lane {
  /** Runs `work` when the work before it has ended. */
  use<T>(work: (session: PostgresSession) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export function createLane(connect: () => Promise<PostgresSession>): Lane {
  let session: PostgresSession | undefined;
  let last: Promise<unknown> = Promise.resolve();

  async function alive(): Promise<PostgresSession> {
    if (session?.isAlive() !== true) session = await connect();
    return session;
  }

  return {
    use(work) {
      const next = last.then(async () => await work(await alive()));
      last = next.catch(() => undefined);
      return next;
    },
    async close() {
      await last;
      await session?.end();
    },
  };
}

export interface RemotePatience {
  /** The time after which a fault that may pass is thrown to the caller all the same. */
  readonly limitMs: number;
  readonly sleep: (ms: number) => Promise<void>;
  readonly random: () => number;
  readonly monotonicMs: () => number;
}

const LONGEST_WAIT_MS = 400;

/** Tries until it works or the time is over. The waits are random, so that processes don't meet again and again. */
export async function patientlyRemote<T>(
  { limitMs, sleep, random, monotonicMs }: RemotePatience,
  work: () => Promise<T>,
): Promise<T> {
  const endMs = monotonicMs() + limitMs;
  for (let ceiling = 10; ; ceiling = Math.min(LONGEST_WAIT_MS, ceiling * 2)) {
    try {
      return await work();
    } catch (error) {
      if (!mayPass(error) || monotonicMs() >= endMs) throw error;
    }
    await sleep(1 + random() * ceiling);
  }
}
