/**
 * Messages of VS Code's chat as the wire has them. Parts are told apart by their shape: forks of VS Code have classes of
 * their own, and kinds of parts that are only proposed come without one. Pure.
 */
import type { MessageWire, ToolCallWire } from '../../../server/src/protocol.ts';

export interface RequestMessage {
  readonly role: number;
  readonly content: readonly unknown[];
}

export type ReadMessages =
  | { readonly kind: 'read'; readonly messages: readonly MessageWire[] }
  /** A part that no model here reads; told rather than left out in silence. */
  | { readonly kind: 'unreadable'; readonly mimeType: string };

const ROLES: Readonly<Record<number, 'user' | 'assistant'>> = { 1: 'user', 2: 'assistant' };

export function messagesOf(messages: readonly RequestMessage[]): ReadMessages {
  const read: MessageWire[] = [];
  for (const { role, content } of messages) {
    const parts = content.map(partOf);
    const unreadable = parts.find((part) => part.kind === 'unreadable');
    if (unreadable !== undefined) return unreadable;
    const text = textOf(parts);
    switch (ROLES[role]) {
      case 'assistant': {
        const toolCalls = parts.flatMap((part) => (part.kind === 'call' ? [part.call] : []));
        if (text === '' && toolCalls.length === 0) break;
        read.push({ role: 'assistant', text, ...(toolCalls.length > 0 && { toolCalls }) });
        break;
      }
      case 'user':
        // A result belongs to the call before it; what the person says with it comes after.
        for (const part of parts) if (part.kind === 'result') read.push(part.message);
        if (text.trim() !== '') read.push({ role: 'user', text });
        break;
      // A role of its own that VS Code only proposes: the system's.
      case undefined:
        read.push({ role: 'instructions', text });
    }
  }
  return { kind: 'read', messages: read };
}

/** All that a model would read of a message, for counting its tokens. What can't be read counts for nothing. */
export function countedText(message: string | RequestMessage): string {
  if (typeof message === 'string') return message;
  return message.content
    .map(partOf)
    .map((part) => {
      switch (part.kind) {
        case 'text':
          return part.text;
        case 'call':
          return `${part.call.name} ${part.call.argumentsJson}`;
        case 'result':
          return part.message.text;
        default:
          return '';
      }
    })
    .join('\n');
}

type Part =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'call'; readonly call: ToolCallWire }
  | { readonly kind: 'result'; readonly message: Extract<MessageWire, { role: 'tool' }> }
  | { readonly kind: 'unreadable'; readonly mimeType: string }
  /** The editor's own marks (of a cache, of a thought) and what a later VS Code may bring. */
  | { readonly kind: 'mark' };

function partOf(part: unknown): Part {
  if (typeof part !== 'object' || part === null) return { kind: 'mark' };
  const { value, callId, name, input, content, data, mimeType } = part as Record<string, unknown>;
  if (typeof callId === 'string' && Array.isArray(content)) {
    const results = content.map(partOf);
    const unreadable = results.find((result) => result.kind === 'unreadable');
    if (unreadable !== undefined) return unreadable;
    return { kind: 'result', message: { role: 'tool', toolCallId: callId, text: textOf(results) } };
  }
  if (typeof callId === 'string' && typeof name === 'string') {
    return { kind: 'call', call: { id: callId, name, argumentsJson: JSON.stringify(input ?? {}) } };
  }
  if (data instanceof Uint8Array && typeof mimeType === 'string') return dataPart(data, mimeType);
  // A thought has an id beside its text, and is no part of what was said.
  if (typeof value === 'string' && !('id' in part)) return { kind: 'text', text: value };
  // A tree of `@vscode/prompt-tsx`, as some tools return it.
  if (typeof value === 'object' && value !== null && !('id' in part)) {
    return { kind: 'text', text: JSON.stringify(value) };
  }
  return { kind: 'mark' };
}

function dataPart(data: Uint8Array, mimeType: string): Part {
  // The editor's marks are data, too, under names that are no media types.
  if (!mimeType.includes('/')) return { kind: 'mark' };
  if (/^text\/|[/+](json|xml|yaml)\b/.test(mimeType)) {
    return { kind: 'text', text: new TextDecoder().decode(data) };
  }
  return { kind: 'unreadable', mimeType };
}

function textOf(parts: readonly Part[]): string {
  return parts.flatMap((part) => (part.kind === 'text' ? [part.text] : [])).join('\n');
}
