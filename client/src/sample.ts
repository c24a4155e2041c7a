/** The first question of the walkthrough: a small file to ask about, and the question already in the box. */
import * as vscode from 'vscode';

const SAMPLE = `/** Calls a service and tries once more when it fails. */
export async function fetchTwice(url: string): Promise<Response> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await fetch(url);
    } catch (error) {
      if (attempt === 1) throw error;
    }
  }
}
`;

export async function openSample(): Promise<string> {
  const document = await vscode.workspace.openTextDocument({
    language: 'typescript',
    content: SAMPLE,
  });
  const editor = await vscode.window.showTextDocument(document, vscode.ViewColumn.One);
  const last = document.lineAt(document.lineCount - 1).range.end;
  editor.selection = new vscode.Selection(new vscode.Position(0, 0), last);
  return vscode.l10n.t('When does this call the service twice?');
}
