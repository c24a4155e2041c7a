/**
 * Runs questions: one request to the server, its events by request id, and an end that is always a value. A server that
 * goes away or a cancel ends the question like any other failure.
 */
import { randomUUID } from 'node:crypto';
import * as vscode from 'vscode';
import type {
  AnswerEvent,
  AnswerResultWire,
  AskParams,
  ContextWire,
  Destination,
} from '../../server/src/protocol.ts';
import { messageOf, type Server } from './server.ts';
import { workspaceId } from './workspaceId.ts';

export interface Question {
  readonly text: string;
  readonly context: readonly ContextWire[];
  readonly history?: AskParams['history'];
  readonly destination: Destination;
  readonly retryOf?: string;
}

export interface Answering {
  /** The question as the wire has it, with a new id. */
  paramsOf(question: Question): AskParams;
  run(params: AskParams, onEvent: (event: AnswerEvent) => void): Promise<AnswerResultWire>;
  cancel(requestId: string): void;
  cancelAll(): number;
}

export function createAnswering(server: Server): Answering & vscode.Disposable {
  const sessionId = randomUUID();
  const running = new Map<
    string,
    {
      readonly onEvent: (event: AnswerEvent) => void;
      readonly source: vscode.CancellationTokenSource;
    }
  >();
  const listening = server.on('costAwareRouter/answerEvent', ({ requestId, event }) => {
    running.get(requestId)?.onEvent(event);
  });

  return {
    paramsOf(question) {
      const folder = workspaceId();
      return {
        requestId: randomUUID(),
        text: question.text,
        context: question.context,
        history: question.history ?? [],
        destination: question.destination,
        sessionId,
        trusted: vscode.workspace.isTrusted,
        ...(folder === null ? {} : { workspaceId: folder }),
        ...(question.retryOf === undefined ? {} : { retryOf: question.retryOf, useCache: false }),
      };
    },
    async run(params, onEvent) {
      const source = new vscode.CancellationTokenSource();
      running.set(params.requestId, { onEvent, source });
      try {
        return await server.request('costAwareRouter/answer', params, source.token);
      } catch (error) {
        return source.token.isCancellationRequested
          ? {
              kind: 'failed',
              code: 'cancelled',
              message: vscode.l10n.t('Cancelled.'),
              nextStep: null,
            }
          : {
              kind: 'failed',
              code: 'server',
              message: connectionLost(error)
                ? vscode.l10n.t('The router stopped before the answer was complete.')
                : messageOf(error),
              nextStep: 'show_log',
            };
      } finally {
        running.delete(params.requestId);
        source.dispose();
      }
    },
    cancel: (requestId) => running.get(requestId)?.source.cancel(),
    cancelAll() {
      for (const { source } of running.values()) source.cancel();
      return running.size;
    },
    dispose() {
      for (const { source } of running.values()) source.cancel();
      listening.dispose();
    },
  };
}

/** What LSP's own library says of a request whose server has gone: pending requests rejected, or connection inactive. */
function connectionLost(error: unknown): boolean {
  const codes: readonly unknown[] = [-32097, -32096];
  return error instanceof Error && 'code' in error && codes.includes(error.code);
}
