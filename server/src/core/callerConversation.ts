/** Messages as a program sends them, as the core's conversation: what is asked, what was before, what tools have returned since. */
import type { Prompt, Turn } from './types.ts';

export type CallerConversation = Pick<Prompt, 'instructions' | 'history' | 'text' | 'toolTurns'>;

export type ReadConversation =
  | { readonly kind: 'read'; readonly value: CallerConversation }
  /** What was expected, what came and what to do. */
  | { readonly kind: 'refused'; readonly message: string };

/** @param instructions in the order they were sent; blank ones say nothing */
export function callerConversation(
  instructions: readonly string[],
  turns: readonly Turn[],
): ReadConversation {
  const asked = turns.findLastIndex(({ role }) => role === 'user');
  const question = turns[asked];
  if (question === undefined || question.text.trim() === '') {
    return refused('expected a user message with some text, got none; add what is asked');
  }
  // A provider refuses a result without its call; it is cheaper to be told here.
  if (hasStrayResult(turns)) {
    return refused(
      'expected every result of a tool to follow the call of its id, got one without; send the assistant message that called it',
    );
  }
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

function hasStrayResult(turns: readonly Turn[]): boolean {
  const calls = new Set<string>();
  for (const turn of turns) {
    if (turn.role === 'assistant') for (const { id } of turn.toolCalls ?? []) calls.add(id);
    if (turn.role === 'tool' && !calls.has(turn.toolCallId)) return true;
  }
  return false;
}

function refused(message: string): ReadConversation {
  return { kind: 'refused', message };
}
