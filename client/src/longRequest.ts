/** A request that may take long: a notification tells how far it is, and its button cancels it. */
import { randomUUID } from 'node:crypto';
import * as vscode from 'vscode';
import type { Notifications, Requests } from '../../server/src/protocol.ts';
import type { Server } from './server.ts';

/** The progress of these is told under their name, with the id that they were sent with. */
type LongRequest =
  | 'costAwareRouter/calibrate'
  | 'costAwareRouter/download'
  | 'costAwareRouter/whatIf';

interface Asked<M extends LongRequest> {
  readonly params: Omit<Requests[M][0], 'requestId'>;
  /** Stands there until the server's own words replace it. */
  readonly message: string;
  /** Of the whole work, in [0,100]. */
  readonly percentOf: (told: Notifications[`${M}Progress`]) => number;
}

interface Ended<M extends LongRequest> {
  /** `null` when it was cancelled and the server had nothing to say of that. */
  readonly result: Requests[M][1] | null;
  readonly cancelled: boolean;
}

export async function longRequest<M extends LongRequest>(
  server: Server,
  method: M,
  { params, message, percentOf }: Asked<M>,
): Promise<Ended<M>> {
  return await vscode.window.withProgress(
    { location: vscode.ProgressLocation.Notification, cancellable: true },
    async (progress, token) => {
      progress.report({ message });
      const requestId = randomUUID();
      let shownPercent = 0;
      const listening = server.on(`${method}Progress`, (told) => {
        if (told.requestId !== requestId) return;
        const percent = Math.floor(percentOf(told));
        progress.report({ message: told.message, increment: percent - shownPercent });
        shownPercent = percent;
      });
      try {
        const sent = { requestId, ...params } as Requests[M][0];
        const result = await server.request(method, sent, token);
        return { result, cancelled: token.isCancellationRequested };
      } catch (error) {
        if (!token.isCancellationRequested) throw error;
        return { result: null, cancelled: true };
      } finally {
        listening.dispose();
      }
    },
  );
}
