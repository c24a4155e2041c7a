/** The page's line to the extension: messages out, messages in, and questions that wait for the answer with their `id`. */
import type { DashboardToHost, HostToDashboard } from '../src/webviewMessages.ts';

interface VsCodeApi {
  postMessage(message: unknown): void;
  getState(): unknown;
  setState(state: unknown): void;
}

declare function acquireVsCodeApi(): VsCodeApi;

export interface Host<Out, In> {
  post(message: Out): void;
  onMessage(listener: (message: In) => void): void;
  readonly api: VsCodeApi;
}

/** @param parse reads what comes in; what it does not know is dropped */
export function connect<Out, In>(parse: (value: unknown) => In | null): Host<Out, In> {
  const api = acquireVsCodeApi();
  return {
    api,
    post: (message) => api.postMessage(message),
    onMessage: (listener) =>
      window.addEventListener('message', (event: MessageEvent<unknown>) => {
        const message = parse(event.data);
        if (message !== null) listener(message);
      }),
  };
}

type Question = Extract<DashboardToHost, { readonly id: number }>;
type Answer<Q extends Question> = Extract<HostToDashboard, { readonly type: Q['type'] }>;

type WithoutId<Q> = Q extends Question ? Omit<Q, 'id'> : never;

export interface Questions {
  /** Rejects with the extension's sentence when it can't answer. */
  ask<T extends Question['type']>(
    question: WithoutId<Extract<Question, { readonly type: T }>> & { readonly type: T },
  ): Promise<Answer<Extract<Question, { readonly type: T }>>>;
}

export function createQuestions(host: Host<DashboardToHost, HostToDashboard>): Questions {
  const waiting = new Map<
    number,
    { readonly resolve: (message: HostToDashboard) => void; readonly reject: (why: Error) => void }
  >();
  let lastId = 0;
  host.onMessage((message) => {
    if (!('id' in message)) return;
    const question = waiting.get(message.id);
    waiting.delete(message.id);
    if (message.type === 'failed') question?.reject(new Error(message.message));
    else question?.resolve(message);
  });
  return {
    ask: (question) => {
      lastId += 1;
      const id = lastId;
      return new Promise((resolve, reject) => {
        waiting.set(id, { resolve: resolve as (message: HostToDashboard) => void, reject });
        host.post({ ...question, id } as unknown as DashboardToHost);
      });
    },
  };
}
