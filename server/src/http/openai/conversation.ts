/** Messages of either wire format as the core's conversation, or the field of the request that is at fault. */
import { type CallerConversation, callerConversation } from '../../core/callerConversation.ts';
import type { Turn } from '../../core/types.ts';
import type { Problem } from '../problems.ts';

export type Read<Value> =
  | { readonly kind: 'read'; readonly value: Value }
  | { readonly kind: 'refused'; readonly problem: Problem };

export function refused(
  message: string,
  path: string,
  code: Problem['code'] = 'invalid_request',
): Read<never> {
  return { kind: 'refused', problem: { code, message, path } };
}

/** @param path the field that held the messages, for the sentence of a refusal */
export function conversationOf(
  instructions: readonly string[],
  turns: readonly Turn[],
  path: string,
): Read<CallerConversation> {
  const read = callerConversation(instructions, turns);
  return read.kind === 'read' ? read : refused(read.message, path);
}

interface ContentPart {
  readonly type: string;
  readonly text?: string | undefined;
  readonly refusal?: string | undefined;
}

/** The text of a message's content. Pictures, sound and files are refused, never dropped in silence. */
export function textOf(
  content: string | readonly ContentPart[] | null | undefined,
  path: string,
): Read<string> {
  if (content === null || content === undefined) return { kind: 'read', value: '' };
  if (typeof content === 'string') return { kind: 'read', value: content };
  const texts: string[] = [];
  for (const part of content) {
    const text = part.text ?? part.refusal;
    if (text === undefined) {
      return refused(
        `expected content of text only, got ${JSON.stringify(part.type.slice(0, 40))}; no model here reads it`,
        path,
      );
    }
    texts.push(text);
  }
  return { kind: 'read', value: texts.join('\n') };
}
