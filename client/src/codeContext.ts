/** Code of the active editor as a question carries it, and ranges as the wire counts them. */
import * as vscode from 'vscode';
import type { CodeRange, ContextWire } from '../../server/src/protocol.ts';
import { documentPart } from './attachments.ts';

export interface CodeContext {
  readonly part: ContextWire;
  readonly range: CodeRange;
}

/** The selection, or the whole file where nothing is selected. */
export function codeContext(editor: vscode.TextEditor): CodeContext {
  const { document, selection } = editor;
  const selected = !selection.isEmpty;
  const last = document.lineAt(document.lineCount - 1).range.end;
  const range = selected ? selection : new vscode.Range(new vscode.Position(0, 0), last);
  return {
    part: documentPart(document, selected ? 'selection' : 'file', range),
    range: codeRange(document.uri, range),
  };
}

export function codeRange(uri: vscode.Uri, range: vscode.Range): CodeRange {
  return {
    uri: uri.toString(),
    startLine: range.start.line,
    startCharacter: range.start.character,
    endLine: range.end.line,
    endCharacter: range.end.character,
  };
}

export function editorRange(range: CodeRange): vscode.Range {
  return new vscode.Range(range.startLine, range.startCharacter, range.endLine, range.endCharacter);
}

/** What a lens, an action or the palette gave as the code to work on: their argument, or where the cursor is. */
export function targetRange(argument: unknown): CodeRange | null {
  if (isCodeRange(argument)) return argument;
  const editor = vscode.window.activeTextEditor;
  return editor === undefined ? null : codeRange(editor.document.uri, editor.selection);
}

function isCodeRange(value: unknown): value is CodeRange {
  if (typeof value !== 'object' || value === null) return false;
  const fields = value as Record<string, unknown>;
  return (
    typeof fields['uri'] === 'string' &&
    ['startLine', 'startCharacter', 'endLine', 'endCharacter'].every((name) =>
      Number.isSafeInteger(fields[name]),
    )
  );
}
