/** Tells once when a workspace tries to loosen what only the user may: by its settings file, or by the server's own words. */
import * as vscode from 'vscode';
import { commandId } from './commandIds.ts';
import { type SettingSchema, settingsNamed, userOnlySettings } from './looseningSettings.ts';
import type { StatusSource } from './statusBar.ts';

const MUTED = 'mutedNotices';

export function createNotices(
  context: vscode.ExtensionContext,
  status: StatusSource,
): vscode.Disposable {
  const told = new Set<string>();
  const names = userOnlySettings(propertiesOf(context.extension.packageJSON));

  async function tell(sentence: string): Promise<void> {
    const muted = context.workspaceState.get<readonly string[]>(MUTED, []);
    if (told.has(sentence) || muted.includes(sentence)) return;
    told.add(sentence);
    const budget = vscode.l10n.t('My Budget');
    const mute = vscode.l10n.t('Do Not Show Again');
    const chosen = await vscode.window.showWarningMessage(sentence, budget, mute);
    if (chosen === budget) await vscode.commands.executeCommand(commandId('openBudget'));
    if (chosen === mute) await context.workspaceState.update(MUTED, [...muted, sentence]);
  }

  async function read(file: vscode.Uri): Promise<void> {
    const bytes = await vscode.workspace.fs.readFile(file).then(
      (content) => content,
      () => null,
    );
    if (bytes === null) return;
    const found = settingsNamed(new TextDecoder().decode(bytes), names);
    if (found.length === 0) return;
    await tell(
      vscode.l10n.t(
        'This workspace sets {0}, which only your own settings may: ignored. A workspace can tighten the budget, not loosen it.',
        found.join(', '),
      ),
    );
  }

  const watchers = (vscode.workspace.workspaceFolders ?? []).flatMap((folder) => {
    const pattern = new vscode.RelativePattern(folder, '.vscode/settings.json');
    const watcher = vscode.workspace.createFileSystemWatcher(pattern);
    void read(vscode.Uri.joinPath(folder.uri, '.vscode', 'settings.json'));
    return [
      watcher,
      watcher.onDidCreate((file) => void read(file)),
      watcher.onDidChange((file) => void read(file)),
    ];
  });
  const { workspaceFile } = vscode.workspace;
  if (workspaceFile !== undefined && workspaceFile.scheme !== 'untitled') void read(workspaceFile);

  return vscode.Disposable.from(
    ...watchers,
    status.onDidChange(({ notices }) => {
      for (const notice of notices) void tell(notice);
    }),
  );
}

function propertiesOf(manifest: unknown): Readonly<Record<string, SettingSchema>> {
  const { contributes } = manifest as {
    contributes: { configuration: { properties: Record<string, SettingSchema> }[] };
  };
  return Object.assign({}, ...contributes.configuration.map(({ properties }) => properties));
}
