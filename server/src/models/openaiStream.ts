/**
 * The events of a streamed answer as the wire brings them: each piece with all events that it completes, so that a fast
 * answer of many small events costs little. The SDK reads events one by one, and drops the connection when they end.
 */
import { createParser } from 'eventsource-parser';
import { APIError } from 'openai/core/error';

/** After the last event the rest is read for so long, so that the next call finds its connection open. */
const REST_MS = 1_000;

export interface WireStream {
  /** At least one event each. Ends with `[DONE]` or with the wire; throws what the SDK would throw. */
  readonly pieces: AsyncGenerator<readonly unknown[], void>;
  /** Ends reading after a last event; the connection is kept where the provider ends the reply soon. */
  finish(): void;
  /** Nothing more is wanted of the connection. */
  isOver(): boolean;
}

export function wireStream(response: Response): WireStream {
  const reader = response.body?.getReader();
  let over = reader === undefined;

  async function* pieces(): AsyncGenerator<readonly unknown[], void> {
    if (reader === undefined) return;
    const decoder = new TextDecoder();
    let events: unknown[] = [];
    const last: { kind: 'none' | 'told' | 'broken'; error?: unknown } = { kind: 'none' };
    const parser = createParser({
      onEvent({ event, data }) {
        if (last.kind !== 'none') return;
        if (data === '[DONE]') {
          last.kind = 'told';
          return;
        }
        try {
          events.push(eventOf(event, data, response.headers));
        } catch (error) {
          // What came before it is read first.
          last.kind = 'broken';
          last.error = error;
        }
      },
    });
    try {
      while (!over) {
        const next = await reader.read();
        if (next.done) {
          over = true;
          return;
        }
        parser.feed(decoder.decode(next.value, { stream: true }));
        if (events.length > 0) {
          const piece = events;
          events = [];
          yield piece;
        }
        if (last.kind === 'told') finish();
        else if (last.kind === 'broken') throw last.error;
      }
    } finally {
      if (!over) {
        over = true;
        void reader.cancel().catch(() => {});
      }
    }
  }

  function finish(): void {
    if (over || reader === undefined) return;
    over = true;
    void readOut(reader);
  }

  return { pieces: pieces(), finish, isOver: () => over };
}

function eventOf(name: string | undefined, data: string, headers: Headers): unknown {
  let event: unknown;
  try {
    event = JSON.parse(data);
  } catch {
    throw new SyntaxError('expected an event of JSON');
  }
  const told = typeof event === 'object' && event !== null && 'error' in event && event.error;
  if (name === 'error' || told) {
    throw new APIError(undefined, (told || event) as object, undefined, headers);
  }
  return event;
}

async function readOut(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  const timer = setTimeout(() => void reader.cancel().catch(() => {}), REST_MS).unref();
  try {
    while (!(await reader.read()).done);
  } catch {
    // The answer is whole; how its connection ends is nobody's matter.
  } finally {
    clearTimeout(timer);
  }
}
