/** Tells once when a workspace tries to loosen what only the user may: by its settings file, or by the server's own words. */
import * as vscode from 'vscode';
import { type CommandName, commandId } from './commandIds.ts';
import { type SettingSchema, settingsNamed, userOnlySettings } from './looseningSettings.ts';
import type { StatusSource } from './statusBar.ts';

interface Next {
  readonly label: string;
  readonly command: CommandName;
}

const MUTED = 'mutedNotices';

export function createNotices(
  context: vscode.ExtensionContext,
  status: StatusSource,
): vscode.Disposable {
  const told = new Set<string>();
  const names = userOnlySettings(propertiesOf(context.extension.packageJSON));

  async function tell(sentence: string, next: Next): Promise<void> {
    const muted = context.workspaceState.get<readonly string[]>(MUTED, []);
    if (told.has(sentence) || muted.includes(sentence)) return;
    told.add(sentence);
    const mute = vscode.l10n.t('Do Not Show Again');
    const chosen = await vscode.window.showWarningMessage(sentence, next.label, mute);
    if (chosen === next.label) await vscode.commands.executeCommand(commandId(next.command));
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
      { label: vscode.l10n.t('My Budget'), command: 'openBudget' },
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

  let locked: readonly string[] = [];
  return vscode.Disposable.from(
    ...watchers,
    // VS Code has no lock for a setting of an extension, so a change of what is locked is answered by who holds it.
    vscode.workspace.onDidChangeConfiguration((event) => {
      const held = ['budget', 'models', 'openai'].some((name) =>
        event.affectsConfiguration(`costAwareRouter.${name}`),
      );
      if (held && locked.length > 0) void vscode.window.showInformationMessage(locked.join(' '));
    }),
    status.onDidChange(({ notices, locked: now }) => {
      locked = now;
      const next: Next = { label: vscode.l10n.t('Open Settings'), command: 'openSettings' };
      for (const notice of notices) void tell(notice, next);
    }),
  );
}

function propertiesOf(manifest: unknown): Readonly<Record<string, SettingSchema>> {
  const { contributes } = manifest as {
    contributes: { configuration: { properties: Record<string, SettingSchema> }[] };
  };
  return Object.assign({}, ...contributes.configuration.map(({ properties }) => properties));
}
