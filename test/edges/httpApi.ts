/** The REST edge over a scripted router: what every test of the edge starts from, with one way to ask and one to read a stream. */

import { settingsSchema } from '../../server/src/core/schema.ts';
import { type ApiDeps, createApi } from '../../server/src/http/api.ts';
import { type ProblemReply, problemReply } from '../../server/src/http/problems.ts';
import { type Script, type ScriptedAnswer, scriptedRouter } from '../support/scriptedPorts.ts';

export const ORIGIN = 'http://127.0.0.1:5000';

export function scriptedApi(script: Script = {}, deps: Partial<ApiDeps> = {}) {
  const scripted = scriptedRouter(script);
  const defects: unknown[] = [];
  const api = createApi({
    router: scripted.router,
    ports: scripted.ports,
    settings: () => settingsSchema.parse({}),
    token: undefined,
    version: '1.2.3',
    onDefect: (error) => defects.push(error),
    ...deps,
  });
  return {
    ...scripted,
    api,
    defects,
    get: (path: string, headers: Record<string, string> = {}) =>
      api.fetch(new Request(`${ORIGIN}${path}`, { headers })),
    post: (path: string, body: unknown, init: RequestInit = {}) =>
      api.fetch(
        new Request(`${ORIGIN}${path}`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: typeof body === 'string' ? body : JSON.stringify(body),
          ...init,
        }),
      ),
  };
}

export interface StreamEvent {
  readonly event: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests read into replies of many shapes
  readonly data: any;
}

/** The events of a text stream, each as soon as it is whole. */
export async function* eventsOf(body: AsyncIterable<Uint8Array>): AsyncGenerator<StreamEvent> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true });
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const [, event = '', data = ''] =
        /^event: (\w+)\ndata: ([^\r\n]*)$/.exec(text.slice(0, end)) ?? [];
      text = text.slice(end + 2);
      yield { event, data: JSON.parse(data) };
    }
  }
}

export async function allEvents(response: Response): Promise<StreamEvent[]> {
  if (response.body === null) throw new Error('expected a body');
  const events: StreamEvent[] = [];
  for await (const event of eventsOf(response.body)) events.push(event);
  return events;
}

/** The one shape of every refusal and failure; a reply of another shape fails the test. */
export async function problemOf(response: Response): Promise<ProblemReply['error']> {
  return problemReply.parse(await response.json()).error;
}

/** An answer that says one word and then goes on until it is aborted. The promises tell when each has come about. */
export function endless(): {
  readonly answer: ScriptedAnswer;
  readonly started: Promise<void>;
  readonly stopped: Promise<void>;
} {
  const started = Promise.withResolvers<void>();
  const stopped = Promise.withResolvers<void>();
  return {
    started: started.promise,
    stopped: stopped.promise,
    async *answer(_request, signal) {
      signal.addEventListener('abort', () => stopped.resolve(), { once: true });
      yield { type: 'text-delta', text: 'well ' };
      started.resolve();
      await stopped.promise;
      yield {
        type: 'failed',
        failure: {
          code: 'cancelled',
          message: 'the request was cancelled',
          retryable: false,
          billing: 'unknown',
        },
      };
    },
  };
}
