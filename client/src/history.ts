/** Stored questions and answers of this workspace, where the person has turned history on. */
import * as vscode from 'vscode';
import type { CodeActions } from './codeActions.ts';
import type { Server } from './server.ts';
import { keepsHistory } from './settings.ts';
import { workspaceId } from './workspaceId.ts';

export async function showHistory(server: Server, codeActions: CodeActions): Promise<void> {
  if (!keepsHistory()) {
    const settings = vscode.l10n.t('Open Settings');
    const chosen = await vscode.window.showInformationMessage(
      vscode.l10n.t('History is off: questions and answers are not kept.'),
      settings,
    );
    if (chosen === settings) {
      const query = 'costAwareRouter.history.enabled';
      await vscode.commands.executeCommand('workbench.action.openSettings', query);
    }
    return;
  }
  const id = workspaceId();
  const entries =
    id === null ? [] : await server.request('costAwareRouter/history', { workspaceId: id });
  if (entries.length === 0) {
    void vscode.window.showInformationMessage(vscode.l10n.t('Nothing was kept here yet.'));
    return;
  }
  const picked = await vscode.window.showQuickPick(
    entries.map((entry) => ({ entry, label: entry.question, detail: entry.line })),
    { title: vscode.l10n.t('Questions of this workspace'), matchOnDetail: true },
  );
  if (picked === undefined) return;
  const { question, answer, line } = picked.entry;
  await codeActions.show('answer.md', `# ${question}\n\n${answer}\n\n---\n\n${line}\n`);
}

export async function clearHistory(server: Server): Promise<void> {
  const here = vscode.l10n.t('Of This Workspace');
  const all = vscode.l10n.t('Of All Workspaces');
  const chosen = await vscode.window.showWarningMessage(
    vscode.l10n.t('Delete the stored questions and answers?'),
    {
      modal: true,
      detail: vscode.l10n.t('What was spent and saved stays: it holds no text.'),
    },
    ...(workspaceId() === null ? [all] : [here, all]),
  );
  if (chosen === undefined) return;
  const params = { workspaceId: chosen === here ? workspaceId() : null };
  const done = await server.request('costAwareRouter/clearHistory', params);
  void vscode.window.showInformationMessage(done.message);
}
