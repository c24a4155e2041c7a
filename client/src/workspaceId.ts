/** Tells workspaces apart without naming them: a short hash of the first folder's address. */
import { createHash } from 'node:crypto';
import * as vscode from 'vscode';

export function workspaceId(): string | null {
  const folder = vscode.workspace.workspaceFolders?.[0];
  if (folder === undefined) return null;
  return createHash('sha256').update(folder.uri.toString()).digest('hex').slice(0, 16);
}
