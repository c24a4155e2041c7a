/** The code lens on a selection. Drawn by the client: plain LSP does not tell a server what is selected. */
import * as vscode from 'vscode';
import { commandId } from './commandIds.ts';
import { lensSetting } from './settings.ts';

const SETTLE_MS = 200;

export function createSelectionLens(): vscode.Disposable {
  const changed = new vscode.EventEmitter<void>();
  let settle: NodeJS.Timeout | undefined;
  let shown = false;

  const provider: vscode.CodeLensProvider = {
    onDidChangeCodeLenses: changed.event,
    provideCodeLenses(document) {
      const editor = vscode.window.activeTextEditor;
      if (editor?.document !== document || editor.selection.isEmpty) return [];
      if (lensSetting() !== 'selection') return [];
      const { selection } = editor;
      return [
        new vscode.CodeLens(new vscode.Range(selection.start, selection.start), {
          title: vscode.l10n.t('Explain'),
          tooltip: vscode.l10n.t(
            'Explain this code here, with the cheapest model that is good enough',
          ),
          // Without a range: what is selected when it is pressed counts, and a lens may be a moment older than that.
          command: commandId('explain'),
        }),
      ];
    },
  };

  return vscode.Disposable.from(
    changed,
    vscode.languages.registerCodeLensProvider(
      ['file', 'untitled', 'vscode-remote', 'vscode-vfs'].map((scheme) => ({ scheme })),
      provider,
    ),
    vscode.window.onDidChangeTextEditorSelection(({ textEditor }) => {
      const selects = !textEditor.selection.isEmpty;
      if (!selects && !shown) return;
      shown = selects;
      clearTimeout(settle);
      settle = setTimeout(() => changed.fire(), SETTLE_MS);
    }),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration('costAwareRouter.lens')) changed.fire();
    }),
    new vscode.Disposable(() => clearTimeout(settle)),
  );
}
