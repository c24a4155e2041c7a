/** Saves a month's answers, as the server writes them, to a file that the person chooses. */
import * as vscode from 'vscode';
import type { Server } from './server.ts';

type Format = 'csv' | 'jsonl';

export async function exportRoutes(server: Server, month: string, format: Format): Promise<void> {
  const { text } = await server.request('costAwareRouter/export', { month, format });
  const name = `cost-aware-router-${month}.${format}`;
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri;
  const file = await vscode.window.showSaveDialog({
    title: vscode.l10n.t('Export the routes of {0}', month),
    filters: format === 'csv' ? { CSV: ['csv'] } : { 'JSON Lines': ['jsonl'] },
    ...(folder === undefined ? {} : { defaultUri: vscode.Uri.joinPath(folder, name) }),
  });
  if (file === undefined) return;
  await vscode.workspace.fs.writeFile(file, new TextEncoder().encode(text));
  const open = vscode.l10n.t('Open');
  const chosen = await vscode.window.showInformationMessage(
    vscode.l10n.t('Exported to {0}.', vscode.workspace.asRelativePath(file)),
    open,
  );
  if (chosen === open) await vscode.window.showTextDocument(file);
}

/** From the palette: asks for the month and the format first. */
export async function chooseExport(server: Server): Promise<void> {
  const { months } = await server.request('costAwareRouter/report', {});
  const month = await vscode.window.showQuickPick([...months], {
    title: vscode.l10n.t('Export which month?'),
  });
  if (month === undefined) return;
  const format = await vscode.window.showQuickPick(
    [
      { label: 'CSV', detail: vscode.l10n.t('for a spreadsheet'), format: 'csv' as const },
      { label: 'JSONL', detail: vscode.l10n.t('for a program'), format: 'jsonl' as const },
    ],
    { title: vscode.l10n.t('Export as what?') },
  );
  if (format !== undefined) await exportRoutes(server, month, format.format);
}
