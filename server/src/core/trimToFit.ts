/**
 * A prompt that no usable model can read whole, shortened until one can, and what was left out of it. The oldest turns go
 * first, then the largest attachments lose their ends, line by line; the question and the instructions stay. Sizes are bytes,
 * four to a token, as the decision counts them. Pure.
 */
import { english, type Translate } from './translate.ts';
import type { ContextPart, Prompt, Turn } from './types.ts';

/** What was left out, told without any of its text or its name: the ledger keeps it. */
export type LeftOut =
  | { readonly what: 'turns'; readonly turns: number; readonly tokens: number }
  | {
      readonly what: 'context';
      readonly kind: ContextPart['kind'];
      /** Which attachment, counted from one. */
      readonly part: number;
      /** The first line that is missing, counted from one. */
      readonly fromLine: number;
      readonly lines: number;
      readonly tokens: number;
    };

export interface Trimmed {
  readonly prompt: Prompt;
  readonly leftOut: readonly LeftOut[];
}

const BYTES_PER_TOKEN = 4;

/** @param excessTokens by how much the prompt is too long; `undefined` comes back where leaving out can't help */
export function trimToFit(prompt: Prompt, excessTokens: number): Trimmed | undefined {
  let excess = excessTokens * BYTES_PER_TOKEN;
  const leftOut: LeftOut[] = [];

  const turns = oldTurns(prompt.history, excess);
  if (turns.length > 0) {
    const gone = turns.reduce((sum, turn) => sum + sizeOf(turn.text), 0);
    excess -= gone;
    leftOut.push({ what: 'turns', turns: turns.length, tokens: tokensIn(gone) });
  }
  const context: ContextPart[] = [];
  const limit = excess > 0 ? levelFor(prompt.context, excess) : Number.POSITIVE_INFINITY;
  for (const [index, part] of prompt.context.entries()) {
    if (sizeOf(part.text) <= limit) {
      context.push(part);
      continue;
    }
    const lines = part.text.split('\n');
    const kept = headOf(lines, limit);
    const gone = sizeOf(lines.slice(kept).join('\n'));
    excess -= gone;
    leftOut.push({
      what: 'context',
      kind: part.kind,
      part: index + 1,
      fromLine: kept + 1,
      lines: lines.length,
      tokens: tokensIn(gone),
    });
    if (kept > 0) context.push({ ...part, text: lines.slice(0, kept).join('\n') });
  }
  if (excess > 0) return undefined;
  return { prompt: { ...prompt, history: prompt.history.slice(turns.length), context }, leftOut };
}

/** Whole exchanges from the oldest on, so that no answer loses its question and no result its call. */
function oldTurns(history: readonly Turn[], excess: number): readonly Turn[] {
  let gone = 0;
  let end = 0;
  while (gone < excess && end < history.length) {
    do {
      gone += sizeOf(history[end]?.text ?? '');
      end += 1;
    } while (end < history.length && history[end]?.role !== 'user');
  }
  return history.slice(0, end);
}

/** The size to which larger parts are cut so that together they lose `excess` bytes: small ones stay whole. */
function levelFor(parts: readonly ContextPart[], excess: number): number {
  const sizes = parts.map(({ text }) => sizeOf(text)).sort((one, other) => one - other);
  let room = sizes.reduce((sum, size) => sum + size, 0) - excess;
  for (const [index, size] of sizes.entries()) {
    const share = Math.floor(room / (sizes.length - index));
    if (size > share) return Math.max(0, share);
    room -= size;
  }
  return Number.POSITIVE_INFINITY;
}

/** How many whole lines fit into so many bytes. */
function headOf(lines: readonly string[], bytes: number): number {
  let size = 0;
  for (const [index, line] of lines.entries()) {
    size += sizeOf(line) + 1;
    if (size > bytes) return index;
  }
  return lines.length;
}

function sizeOf(text: string): number {
  return new TextEncoder().encode(text).length;
}

function tokensIn(bytes: number): number {
  return Math.ceil(bytes / BYTES_PER_TOKEN);
}

export function leftOutSentence(leftOut: LeftOut, t: Translate = english): string {
  const { tokens } = leftOut;
  if (leftOut.what === 'turns') {
    const { turns } = leftOut;
    return t('left out to fit: the {turns} oldest messages (≈ {tokens} tokens)', { turns, tokens });
  }
  const { part, fromLine, lines } = leftOut;
  return fromLine === 1
    ? t('left out to fit: attachment {part} (≈ {tokens} tokens)', { part, tokens })
    : t('left out to fit: lines {from} to {to} of attachment {part} (≈ {tokens} tokens)', {
        from: fromLine,
        to: lines,
        part,
        tokens,
      });
}
