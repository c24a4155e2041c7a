/**
 * An async generator of events as a Server-Sent Events response. The reader sets the pace. However the reading ends
 * (done, cancelled, connection closed, nobody reads any more), the work behind it is stopped, once.
 */
export interface EventStreamOptions {
  /** Each as it stands on the wire; `eventText` writes one. */
  readonly events: AsyncIterator<string, void>;
  /** Aborts when the client's connection is gone. */
  readonly signal: AbortSignal;
  /** A reader that leaves an event unread for so long has gone away without saying so. */
  readonly stalledMs: number;
  /** Stops the work behind the events; called once, however the reading ended. */
  readonly onEnd: () => void;
  /** What follows an error that the events threw: a defect, told in a last event. */
  readonly onDefect: (error: unknown) => string;
  /** Beside those of every stream. */
  readonly headers?: Readonly<Record<string, string>>;
}

export function eventStreamResponse(options: EventStreamOptions): Response {
  const { events, signal, stalledMs, onDefect } = options;
  const encoder = new TextEncoder();
  let stall: NodeJS.Timeout | undefined;
  let ended = false;

  const end = () => {
    if (ended) return;
    ended = true;
    clearTimeout(stall);
    signal.removeEventListener('abort', end);
    options.onEnd();
    // `onEnd` aborts the work, so a pending step of the generator settles soon and this can't wait for long.
    void events.return?.().catch(() => undefined);
  };
  signal.addEventListener('abort', end, { once: true });
  if (signal.aborted) end();

  let cancelled = false;
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      clearTimeout(stall);
      const next = await step();
      if (cancelled) return;
      if (next.value !== undefined) controller.enqueue(encoder.encode(next.value));
      if (next.last) {
        end();
        controller.close();
      } else if (!ended) {
        stall = setTimeout(end, stalledMs).unref();
      }
    },
    cancel() {
      cancelled = true;
      end();
    },
  });
  return new Response(body, {
    headers: {
      ...options.headers,
      'content-type': 'text/event-stream; charset=utf-8',
      'x-accel-buffering': 'no',
    },
  });

  async function step(): Promise<{
    readonly value: string | undefined;
    readonly last: boolean;
  }> {
    try {
      const next = await events.next();
      return next.done === true
        ? { value: undefined, last: true }
        : { value: next.value, last: false };
    } catch (error) {
      return { value: onDefect(error), last: true };
    }
  }
}

/** JSON has no raw line ends, so one `data` line holds any text. Without a name it is an event of the default kind. */
export function eventText(name: string | undefined, data: unknown): string {
  return `${name === undefined ? '' : `event: ${name}\n`}data: ${JSON.stringify(data)}\n\n`;
}
