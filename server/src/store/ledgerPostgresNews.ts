/** News of other processes' commits for whoever listens in this one, without those of its own. */
import type { PostgresSession } from './postgresSession.ts';

export interface TeamNews {
  /** Marks a connection as this process's own: what comes from it is no news. */
  own(session: PostgresSession): PostgresSession;
  /** @param backendPid who committed; `undefined` when something may have been missed */
  tell(backendPid: number | undefined): void;
  listen(listener: () => void, everyMs?: number): () => void;
  close(): void;
}

export function createTeamNews(): TeamNews {
  const ownPids = new Set<number>();
  const listeners = new Set<{ told(): void; stop(): void }>();
  return {
    own(session) {
      ownPids.add(session.backendPid);
      session.onLost(() => ownPids.delete(session.backendPid));
      return session;
    },
    tell(backendPid) {
      if (backendPid !== undefined && ownPids.has(backendPid)) return;
      for (const { told } of listeners) told();
    },
    listen(listener, everyMs = 500) {
      let timer: NodeJS.Timeout | undefined;
      const entry = {
        told() {
          // Many commits at once are told of once.
          timer ??= setTimeout(() => {
            timer = undefined;
            listener();
          }, everyMs).unref();
        },
        stop() {
          clearTimeout(timer);
          listeners.delete(entry);
        },
      };
      listeners.add(entry);
      return entry.stop;
    },
    close() {
      for (const { stop } of listeners) stop();
    },
  };
}
