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
  ChatParams,
  ChatResultWire,
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
  readonly standing?: boolean;
}

export type Asker = Pick<AskParams, 'sessionId' | 'workspaceId' | 'trusted'>;

export interface Answering {
  /** The question as the wire has it, with a new id. */
  paramsOf(question: Question): AskParams;
  run(
    params: AskParams,
    onEvent: (event: AnswerEvent) => void,
    token?: vscode.CancellationToken,
  ): Promise<AnswerResultWire>;
  /** What a program of the editor asks, under this window's session and workspace. */
  runChat(
    chat: Omit<ChatParams, keyof Asker | 'requestId'>,
    onEvent: (event: AnswerEvent) => void,
    token: vscode.CancellationToken,
  ): Promise<ChatResultWire>;
  /** Whose budget and trust hold for what this window asks. */
  asker(): Asker;
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

  function asker(): Asker {
    const folder = workspaceId();
    return {
      sessionId,
      trusted: vscode.workspace.isTrusted,
      ...(folder === null ? {} : { workspaceId: folder }),
    };
  }

  /** One request under its id, with its events and every way to cancel it; what goes wrong on the way is its end. */
  async function ran<T>(
    requestId: string,
    onEvent: (event: AnswerEvent) => void,
    token: vscode.CancellationToken | undefined,
    ask: (token: vscode.CancellationToken) => Promise<T>,
  ): Promise<T | Failed> {
    const source = new vscode.CancellationTokenSource();
    const outer = token?.onCancellationRequested(() => source.cancel());
    if (token?.isCancellationRequested) source.cancel();
    running.set(requestId, { onEvent, source });
    try {
      return await ask(source.token);
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
      running.delete(requestId);
      outer?.dispose();
      source.dispose();
    }
  }

  return {
    asker,
    paramsOf(question) {
      const { text, context, history = [], destination, retryOf, standing } = question;
      return {
        requestId: randomUUID(),
        text,
        context,
        history,
        destination,
        ...asker(),
        ...(retryOf === undefined ? {} : { retryOf, useCache: false }),
        ...(standing === undefined ? {} : { standing }),
      };
    },
    run: (params, onEvent, token) =>
      ran(params.requestId, onEvent, token, (mine) =>
        server.request('costAwareRouter/answer', params, mine),
      ),
    runChat(chat, onEvent, token) {
      const params = { ...chat, ...asker(), requestId: randomUUID() };
      return ran(params.requestId, onEvent, token, (mine) =>
        server.request('costAwareRouter/chat', params, mine),
      );
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

type Failed = Extract<AnswerResultWire, { kind: 'failed' }>;

/** What LSP's own library says of a request whose server has gone: pending requests rejected, or connection inactive. */
function connectionLost(error: unknown): boolean {
  const codes: readonly unknown[] = [-32097, -32096];
  return error instanceof Error && 'code' in error && codes.includes(error.code);
}
