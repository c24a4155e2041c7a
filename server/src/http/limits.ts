/** How much this edge takes on: bytes of one body, requests that are being worked on, and requests in a second. */
import type { Problem } from './problems.ts';

export interface ApiLimits {
  /** @default 5 MB */
  readonly bodyBytes: number;
  /** Prompts that are answered at once; more are sent away with 503. @default 64 */
  readonly concurrent: number;
  /** A stream that nobody has read for so long is ended, because it holds a model. @default 60 s */
  readonly stalledMs: number;
  /** Requests of those who know the token. @default 1,000 a second, 2,000 at once after a quiet time */
  readonly rate: Rate;
  /** Requests of everybody else, who could only be guessing. @default 5 a second, 50 at once */
  readonly strangerRate: Rate;
}

export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

export const DEFAULT_LIMITS: ApiLimits = {
  bodyBytes: 5_000_000,
  concurrent: 64,
  stalledMs: 60_000,
  rate: { perSecond: 1000, burst: 2000 },
  strangerRate: { perSecond: 5, burst: 50 },
};

export type BodyText =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'refused'; readonly problem: Problem };

/** A request whose body is read once and kept for whoever asks for it next. */
interface BodyRequest {
  raw: Request;
  text(): Promise<string>;
}

/** Reads a body whole, but never more than the limit, and leaves it to be read again. */
export async function readBody(request: BodyRequest, limitBytes: number): Promise<BodyText> {
  const problem: Problem = {
    code: 'body_too_large',
    message: `expected at most ${limitBytes} bytes of body, got more; send less context`,
    headers: { connection: 'close' },
  };
  const { raw } = request;
  const declared = raw.headers.get('content-length');
  if (Number(declared ?? 0) > limitBytes) return { kind: 'refused', problem };
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    // The parser of HTTP takes no more than was declared, so such a body need not be counted piece by piece.
    if (declared !== null) return { kind: 'text', text: await request.text() };
    for await (const chunk of raw.body ?? []) {
      bytes += chunk.byteLength;
      // Leaving the loop cancels the body.
      if (bytes > limitBytes) return { kind: 'refused', problem };
      chunks.push(chunk);
    }
  } catch {
    // A sender that left or was too slow; the connection is gone, so this reply is for the record.
    return {
      kind: 'refused',
      problem: { code: 'cancelled', message: 'the body stopped before its end' },
    };
  }
  const text = new TextDecoder().decode(Buffer.concat(chunks));
  const { method, headers, url } = raw;
  request.raw = new Request(url, { method, headers, body: text });
  return { kind: 'text', text };
}

/** Parsing millions of levels holds the event loop for seconds; what this edge is sent has four. */
const MAX_LEVELS = 64;
const [QUOTE, BACKSLASH] = [0x22, 0x5c];
const [OPENS_LIST, CLOSES_LIST] = [0x5b, 0x5d];
const [OPENS_OBJECT, CLOSES_OBJECT] = [0x7b, 0x7d];

/** Looks at brackets outside of strings alone, so it is right for any JSON and quick for anything else. */
export function nestingProblem(text: string): Problem | undefined {
  let levels = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (quoted) {
      if (code === BACKSLASH) at++;
      else if (code === QUOTE) quoted = false;
    } else if (code === QUOTE) quoted = true;
    else if (code === CLOSES_LIST || code === CLOSES_OBJECT) levels--;
    else if ((code === OPENS_LIST || code === OPENS_OBJECT) && ++levels > MAX_LEVELS) {
      return {
        code: 'invalid_json',
        message: `expected JSON of at most ${MAX_LEVELS} levels, got more`,
      };
    }
  }
  return undefined;
}

export interface Slots {
  /** Takes a slot and returns the function that gives it back, or nothing when all are taken. */
  enter(): (() => void) | undefined;
}

export function createSlots(count: number): Slots {
  let taken = 0;
  return {
    enter() {
      if (taken >= count) return undefined;
      taken += 1;
      let held = true;
      return () => {
        if (held) taken -= 1;
        held = false;
      };
    },
  };
}

export const tooBusy: Problem = {
  code: 'too_busy',
  message:
    'expected fewer requests at once, got one more than this server answers; ask again a little later',
  retryAfterMs: 1000,
};

export interface Meter {
  /** Counts one request; tells how long to wait when it is one too many. */
  count(): { readonly waitMs: number } | undefined;
}

/** A bucket of `burst` requests that refills at `perSecond`; a request that is sent away takes nothing out of it. */
export function createMeter({ perSecond, burst }: Rate, monotonicMs: () => number): Meter {
  let left = burst;
  let atMs = monotonicMs();
  return {
    count() {
      const nowMs = monotonicMs();
      left = Math.min(burst, left + ((nowMs - atMs) / 1000) * perSecond);
      atMs = nowMs;
      if (left < 1) return { waitMs: ((1 - left) / perSecond) * 1000 };
      left -= 1;
      return undefined;
    },
  };
}

export function tooMany(waitMs: number): Problem {
  return {
    code: 'too_many_requests',
    message:
      'expected fewer requests in a second, got one more than this server takes; wait as long as Retry-After says',
    retryAfterMs: waitMs,
  };
}
