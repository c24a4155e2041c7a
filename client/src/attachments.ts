/** What a question carries along, read from the workspace: files, ranges of them, and what a chat refers to. */
import * as vscode from 'vscode';
import type { ContextWire } from '../../server/src/protocol.ts';

/** What is longer is no text that a person means to ask about, and would slow every preview. */
const MOST_CHARS = 400_000;

/** A document, or a range of it. Throws the sentence of why it can't travel. */
export function documentPart(
  document: vscode.TextDocument,
  kind: ContextWire['kind'],
  range?: vscode.Range,
): ContextWire {
  const text = document.getText(range);
  const path = vscode.workspace.asRelativePath(document.uri);
  if (text.length > MOST_CHARS) {
    throw new Error(
      vscode.l10n.t('{0} is too long to ask about as a whole. Select the part that matters.', path),
    );
  }
  return { kind, text, path, language: document.languageId, uri: document.uri.toString() };
}

export async function filePart(uri: vscode.Uri): Promise<ContextWire> {
  return documentPart(await vscode.workspace.openTextDocument(uri), 'file');
}

/** What a chat's reference stands for; `null` for kinds that hold no text. */
export async function referencePart(value: unknown): Promise<ContextWire | null> {
  if (typeof value === 'string') return { kind: 'text', text: value };
  if (value instanceof vscode.Uri) {
    const { type } = await vscode.workspace.fs.stat(value);
    return (type & vscode.FileType.Directory) === 0 ? await filePart(value) : null;
  }
  if (value instanceof vscode.Location) {
    const document = await vscode.workspace.openTextDocument(value.uri);
    return documentPart(document, 'selection', value.range);
  }
  return null;
}
