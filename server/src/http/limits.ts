/** How much this edge takes on at once: bytes of one body, and requests that are being worked on. */
import type { Problem } from './problems.ts';

export interface ApiLimits {
  /** @default 5 MB */
  readonly bodyBytes: number;
  /** Prompts that are answered at once; more are sent away with 503. @default 16 */
  readonly concurrent: number;
  /** A stream that nobody has read for so long is ended, because it holds a model. @default 60 s */
  readonly stalledMs: number;
}

export const DEFAULT_LIMITS: ApiLimits = {
  bodyBytes: 5_000_000,
  concurrent: 16,
  stalledMs: 60_000,
};

export type BodyText =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'refused'; readonly problem: Problem };

/** Reads a body whole, but never more than the limit: what it declares is believed only when it is too much. */
export async function readBody(request: Request, limitBytes: number): Promise<BodyText> {
  const problem: Problem = {
    code: 'body_too_large',
    message: `expected at most ${limitBytes} bytes of body, got more; send less context`,
    headers: { connection: 'close' },
  };
  if (Number(request.headers.get('content-length') ?? 0) > limitBytes)
    return { kind: 'refused', problem };
  if (request.body === null) return { kind: 'text', text: '' };
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const chunk of request.body) {
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
  return { kind: 'text', text: new TextDecoder().decode(Buffer.concat(chunks)) };
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
