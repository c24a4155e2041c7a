/** What the buttons on a piece of answered code do: copy it, insert it at the cursor, or compare it with the code asked about. */
import { randomUUID } from 'node:crypto';
import * as vscode from 'vscode';
import type { ContextWire } from '../../server/src/protocol.ts';
import type { CodeAction } from './webviewMessages.ts';

const SCHEME = 'cost-aware-router-code';
const KEPT_DOCUMENTS = 20;

export interface CodeActions {
  /** Does it and says how it went. `original` is what the question carried. */
  run(
    request: { readonly action: CodeAction; readonly code: string },
    original: ContextWire | null,
  ): Promise<string>;
  /** Opens a text that can be read but not changed; it has the language of its name's ending. */
  show(name: string, text: string): Promise<void>;
}

export function createCodeActions(): CodeActions & vscode.Disposable {
  const texts = new Map<string, string>();
  // While a webview has the focus there is no active editor: the last one is where the cursor is.
  let lastEditor = vscode.window.activeTextEditor;

  function virtualDocument(text: string, name: string): vscode.Uri {
    const uri = vscode.Uri.from({ scheme: SCHEME, path: `/${name}`, query: randomUUID() });
    texts.set(uri.query, text);
    for (const oldest of texts.keys()) {
      if (texts.size <= KEPT_DOCUMENTS) break;
      texts.delete(oldest);
    }
    return uri;
  }

  function editorBefore(): vscode.TextEditor | undefined {
    return (
      vscode.window.activeTextEditor ??
      vscode.window.visibleTextEditors.find(({ document }) => document === lastEditor?.document)
    );
  }

  async function insert(code: string): Promise<string> {
    const editor = editorBefore();
    if (editor === undefined) return vscode.l10n.t('Open an editor to insert into.');
    const inserted = await editor.edit((edit) => edit.replace(editor.selection, code));
    return inserted ? vscode.l10n.t('Inserted.') : vscode.l10n.t('The editor is read-only.');
  }

  async function diff(code: string, original: ContextWire | null): Promise<string> {
    if (original === null) return vscode.l10n.t('The question had no code to compare with.');
    // Named as the file is, so that both sides have its language.
    const name = original.path?.split('/').at(-1) || 'code';
    await vscode.commands.executeCommand(
      'vscode.diff',
      virtualDocument(original.text, `asked/${name}`),
      virtualDocument(endedAs(original.text, code), `answered/${name}`),
      vscode.l10n.t('Code asked about ↔ answer'),
      // With the code, so that the answer stays in sight.
      { viewColumn: editorBefore()?.viewColumn ?? vscode.ViewColumn.One },
    );
    return '';
  }

  const subscriptions = [
    vscode.workspace.registerTextDocumentContentProvider(SCHEME, {
      provideTextDocumentContent: (uri) => texts.get(uri.query) ?? '',
    }),
    vscode.window.onDidChangeActiveTextEditor((editor) => {
      if (editor !== undefined && editor.document.uri.scheme !== SCHEME) lastEditor = editor;
    }),
  ];
  return {
    async run({ action, code }, original) {
      switch (action) {
        case 'copy':
          await vscode.env.clipboard.writeText(code);
          return vscode.l10n.t('Copied.');
        case 'insert':
          return await insert(code);
        case 'diff':
          return await diff(code, original);
      }
    },
    async show(name, text) {
      await vscode.window.showTextDocument(virtualDocument(text, name), { preview: true });
    },
    dispose: () => vscode.Disposable.from(...subscriptions).dispose(),
  };
}

/** With a line break at its end only where the other has one: a block of code always has, a selection seldom. */
function endedAs(other: string, code: string): string {
  const bare = code.replace(/\r?\n$/, '');
  return other.endsWith('\n') ? `${bare}\n` : bare;
}
