/** Ending an answer where a caller wants it to end: before the stop sequence that is complete first, which a stream may bring in pieces. */

export interface StopCut {
  /** Of the text so far, what is new and certain to stand. */
  take(text: string): string;
  /** What was held back because it could have begun a stop sequence, when no more text comes. */
  rest(): string;
  readonly stopped: () => boolean;
}

/** @param stops none of them empty */
export function createStopCut(stops: readonly string[]): StopCut {
  let held = '';
  let stopped = false;
  const release = (length: number): string => {
    const released = held.slice(0, length);
    held = held.slice(length);
    return released;
  };
  return {
    take(text) {
      if (stopped) return '';
      held += text;
      const end = firstStop(held, stops);
      if (end === undefined) return release(held.length - begunAtEnd(held, stops));
      stopped = true;
      const released = release(end);
      held = '';
      return released;
    },
    rest: () => release(held.length),
    stopped: () => stopped,
  };
}

export function cutAtStop(text: string, stops: readonly string[]): string {
  return text.slice(0, firstStop(text, stops));
}

export function hasStop(text: string, stops: readonly string[]): boolean {
  return stops.some((stop) => text.includes(stop));
}

/**
 * Where the one begins that is complete first; of two that end together, the longer. A model that writes the text stops there,
 * so no later text, and no cut of the stream, can change it.
 */
function firstStop(text: string, stops: readonly string[]): number | undefined {
  const found = stops
    .map((stop) => ({ start: text.indexOf(stop), length: stop.length }))
    .filter(({ start }) => start >= 0)
    .sort((a, b) => a.start + a.length - (b.start + b.length) || b.length - a.length);
  return found[0]?.start;
}

/** Length of the longest end of `text` that one of them begins with. */
function begunAtEnd(text: string, stops: readonly string[]): number {
  const longest = Math.max(0, ...stops.map(({ length }) => length - 1));
  for (let length = Math.min(longest, text.length); length > 0; length--) {
    const end = text.slice(-length);
    if (stops.some((stop) => stop.startsWith(end))) return length;
  }
  return 0;
}
