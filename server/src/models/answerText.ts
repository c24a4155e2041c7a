/**
 * Turns the pieces of text that a model generates into the answer: thoughts are left out, stop texts end it, and nothing is
 * given out that might still turn into either. Pure. Joined, the texts given out are the answer, piece by piece with their log-probability.
 */
import type { TokenLogProb } from '../core/ports.ts';

export interface AnswerMarkers {
  /** Text that opens a thought, at the start of the answer only; `undefined` for models that do not think aloud. */
  readonly thoughtOpens: string | undefined;
  readonly thoughtCloses: string | undefined;
  readonly stops: readonly string[];
  /** True when the prompt itself ends inside a thought. */
  readonly startsInThought: boolean;
}

export interface AnswerText {
  push(piece: TokenLogProb): Pushed;
  /** Ends a thought from outside, because its budget is spent. */
  closeThought(): void;
  /** What is held back at the end of the generation. */
  flush(): readonly TokenLogProb[];
  inThought(): boolean;
}

interface Pushed {
  readonly released: readonly TokenLogProb[];
  readonly stopped: boolean;
}

const NOTHING: Pushed = { released: [], stopped: false };

export function createAnswerText(markers: AnswerMarkers): AnswerText {
  const { thoughtOpens, thoughtCloses, stops } = markers;
  let held: TokenLogProb[] = [];
  let thinking = markers.startsInThought;
  let started = false;
  let trimming = false;

  function release(pieces: readonly TokenLogProb[]): readonly TokenLogProb[] {
    const out = pieces.map((piece) => {
      if (!trimming) return piece;
      const text = piece.text.trimStart();
      trimming = text === '';
      return { ...piece, text };
    });
    started ||= out.some((piece) => piece.text.trim() !== '');
    return out;
  }

  function push(piece: TokenLogProb): Pushed {
    held.push(piece);
    const text = held.map((each) => each.text).join('');
    return thinking ? pushThought(text) : pushAnswer(text);
  }

  function pushThought(text: string): Pushed {
    const closes = thoughtCloses === undefined ? [] : [thoughtCloses];
    const at = closes.map((close) => text.indexOf(close)).find((index) => index >= 0);
    if (thoughtCloses === undefined || at === undefined) {
      held = tailThatMightBecome(held, closes).tail;
      return NOTHING;
    }
    const rest = text.slice(at + thoughtCloses.length);
    const logProb = held.at(-1)?.logProb ?? 0;
    closeThought();
    return rest === '' ? NOTHING : push({ text: rest, logProb });
  }

  function closeThought(): void {
    thinking = false;
    trimming = true;
    held = [];
  }

  function pushAnswer(text: string): Pushed {
    const opens = started ? undefined : thoughtOpens;
    if (opens !== undefined && text.trimStart().startsWith(opens)) {
      const rest = text.trimStart().slice(opens.length);
      const logProb = held.at(-1)?.logProb ?? 0;
      thinking = true;
      held = [];
      return rest === '' ? NOTHING : push({ text: rest, logProb });
    }
    const stopAt = stops.map((stop) => text.indexOf(stop)).filter((at) => at >= 0);
    if (stopAt.length > 0) {
      const kept = cutAt(held, Math.min(...stopAt));
      held = [];
      return { released: release(kept), stopped: true };
    }
    const watched = opens === undefined ? stops : [...stops, opens];
    const { head, tail } = tailThatMightBecome(held, watched);
    held = tail;
    return { released: release(head), stopped: false };
  }

  return {
    push,
    closeThought,
    flush() {
      const rest = thinking ? [] : held;
      held = [];
      return release(rest);
    },
    inThought: () => thinking,
  };
}

/** Splits off the last pieces whose text could be the beginning of one of `texts`. */
function tailThatMightBecome(
  pieces: readonly TokenLogProb[],
  texts: readonly string[],
): { readonly head: TokenLogProb[]; readonly tail: TokenLogProb[] } {
  const whole = pieces.map((piece) => piece.text).join('');
  let length = 0;
  for (const text of texts) {
    for (let size = Math.min(text.length - 1, whole.length); size > length; size -= 1) {
      if (whole.endsWith(text.slice(0, size))) length = size;
    }
  }
  let first = pieces.length;
  for (let left = length; left > 0 && first > 0; ) {
    first -= 1;
    left -= pieces[first]?.text.length ?? 0;
  }
  return { head: pieces.slice(0, first), tail: pieces.slice(first) };
}

/** The pieces up to a position in their joined text; the one that crosses it is shortened. */
function cutAt(pieces: readonly TokenLogProb[], position: number): readonly TokenLogProb[] {
  const kept: TokenLogProb[] = [];
  let left = position;
  for (const piece of pieces) {
    if (left <= 0) break;
    kept.push({ ...piece, text: piece.text.slice(0, left) });
    left -= piece.text.length;
  }
  return kept;
}
