/** A failed answer as an error of VS Code's chat: its sentence, under the kind that callers of models can tell apart. */
import * as vscode from 'vscode';
import type { ChatResultWire } from '../../../server/src/protocol.ts';

type Failed = Extract<ChatResultWire, { kind: 'failed' }>;

export function chatFailure({ code, message }: Failed): Error {
  switch (code) {
    case 'cancelled':
      return new vscode.CancellationError();
    case 'unknown_model':
    case 'model_missing':
      return vscode.LanguageModelError.NotFound(message);
    case 'no_api_key':
    case 'bad_key':
      return vscode.LanguageModelError.NoPermissions(message);
    case 'budget_exhausted':
    case 'cost_limit':
    case 'privacy_floor':
      return vscode.LanguageModelError.Blocked(message);
    default:
      return chatError(message);
  }
}

/** The class that callers of models expect, with its sentence. */
export function chatError(message: string): Error {
  return new vscode.LanguageModelError(message);
}
