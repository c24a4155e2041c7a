/** Messages of either wire format as the core's conversation: what is asked, what was before, what tools have returned since. */
import type { Prompt, Turn } from '../../core/types.ts';
import type { Problem } from '../problems.ts';

export type Conversation = Pick<Prompt, 'instructions' | 'history' | 'text' | 'toolTurns'>;

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
): Read<Conversation> {
  const asked = turns.findLastIndex(({ role }) => role === 'user');
  const question = turns[asked];
  if (question === undefined || question.text.trim() === '') {
    return refused('expected a user message with some text, got none; add what is asked', path);
  }
  const problem = strayResult(turns, path);
  if (problem !== undefined) return { kind: 'refused', problem };
  const toolTurns = turns.slice(asked + 1);
  const said = instructions.filter((text) => text.trim() !== '');
  return {
    kind: 'read',
    value: {
      text: question.text,
      history: turns.slice(0, asked),
      ...(said.length === 0 ? {} : { instructions: said.join('\n\n') }),
      ...(toolTurns.length === 0 ? {} : { toolTurns }),
    },
  };
}

/** A provider refuses a result without its call; it is cheaper to be told here. */
function strayResult(turns: readonly Turn[], path: string): Problem | undefined {
  const calls = new Set<string>();
  for (const turn of turns) {
    if (turn.role === 'assistant') for (const { id } of turn.toolCalls ?? []) calls.add(id);
    if (turn.role === 'tool' && !calls.has(turn.toolCallId)) {
      return {
        code: 'invalid_request',
        message:
          'expected every result of a tool to follow the call of its id, got one without; send the assistant message that called it',
        path,
      };
    }
  }
  return undefined;
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
