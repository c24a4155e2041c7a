/** Which of VS Code's surfaces for chat and agents this editor has. Forks lack some, or have them in name only. Pure. */

export interface ChatSurfaces {
  readonly models: boolean;
  readonly participant: boolean;
  readonly tools: boolean;
}

/** @param editor the API as the editor hands it out */
export function chatSurfaces(editor: {
  readonly lm?: unknown;
  readonly chat?: unknown;
}): ChatSurfaces {
  return {
    models: has(editor.lm, 'registerLanguageModelChatProvider'),
    participant: has(editor.chat, 'createChatParticipant'),
    tools: has(editor.lm, 'registerTool'),
  };
}

function has(namespace: unknown, name: string): boolean {
  if (typeof namespace !== 'object' || namespace === null) return false;
  return typeof (namespace as Record<string, unknown>)[name] === 'function';
}
