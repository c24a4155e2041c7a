/** Adds to what a question carries, and takes away again: selections, files, symbols and the changes since the last commit. */
import * as vscode from 'vscode';
import type { ContextWire } from '../../server/src/protocol.ts';
import { documentPart, filePart } from './attachments.ts';
import { editorRange } from './codeContext.ts';
import { gitChanges } from './gitChanges.ts';
import { messageOf, type Server } from './server.ts';

/** Files that are offered; a longer list would only be searched slowly. */
const MOST_FILES = 5_000;

type Attached = readonly ContextWire[];

interface Choice extends vscode.QuickPickItem {
  /** The attachments after it; `null` when the person changed their mind. */
  readonly pick?: () => Promise<Attached | null>;
}

/** The attachments as a person has changed them. Closing it changes nothing. */
export async function changeAttachments(server: Server, attached: Attached): Promise<Attached> {
  const chosen = await vscode.window.showQuickPick(choices(server, attached), {
    title: vscode.l10n.t('Add Context'),
    placeHolder: vscode.l10n.t('What the question is to carry along'),
  });
  try {
    return (await chosen?.pick?.()) ?? attached;
  } catch (error) {
    void vscode.window.showErrorMessage(messageOf(error));
    return attached;
  }
}

function choices(server: Server, attached: Attached): Choice[] {
  const editor = vscode.window.activeTextEditor;
  const withMore = (parts: Attached | null) => parts && [...attached, ...parts.filter(isNew)];
  const isNew = (part: ContextWire) =>
    !attached.some(
      ({ uri, kind, text }) => uri === part.uri && kind === part.kind && text === part.text,
    );
  const here: Choice[] = [];
  if (editor !== undefined) {
    const { document, selection } = editor;
    const name = vscode.workspace.asRelativePath(document.uri);
    if (!selection.isEmpty) {
      const lines = selection.end.line - selection.start.line + 1;
      here.push({
        label: `$(selection) ${vscode.l10n.t('Selection')}`,
        description: vscode.l10n.t('{0} ({1} lines)', name, lines),
        pick: async () => withMore([documentPart(document, 'selection', selection)]),
      });
    }
    here.push(
      {
        label: `$(file-code) ${vscode.l10n.t('This File')}`,
        description: name,
        pick: async () => withMore([documentPart(document, 'file')]),
      },
      {
        label: `$(symbol-method) ${vscode.l10n.t('Symbols of This File...')}`,
        description: name,
        pick: async () => withMore(await pickSymbols(server, document)),
      },
    );
  }
  const away = attached.map(
    (part, index): Choice => ({
      label: `$(close) ${vscode.l10n.t('Remove {0}', part.path ?? part.kind)}`,
      description: part.kind,
      pick: async () => attached.toSpliced(index, 1),
    }),
  );
  return [
    ...here,
    {
      label: `$(files) ${vscode.l10n.t('Files...')}`,
      pick: async () => withMore(await pickFiles()),
    },
    {
      label: `$(git-compare) ${vscode.l10n.t('Changes Since the Last Commit')}`,
      pick: async () => withMore(await changes()),
    },
    ...(away.length === 0
      ? []
      : [{ label: vscode.l10n.t('Attached'), kind: vscode.QuickPickItemKind.Separator }, ...away]),
  ];
}

async function pickFiles(): Promise<Attached | null> {
  const found = await vscode.workspace.findFiles('**/*', undefined, MOST_FILES);
  const items = found
    .map((uri) => ({ label: vscode.workspace.asRelativePath(uri), uri }))
    .sort((one, other) => one.label.localeCompare(other.label));
  const picked = await vscode.window.showQuickPick(items, {
    title: vscode.l10n.t('Add Context'),
    canPickMany: true,
  });
  return picked === undefined
    ? null
    : await Promise.all(picked.map(async ({ uri }) => await filePart(uri)));
}

async function pickSymbols(
  server: Server,
  document: vscode.TextDocument,
): Promise<Attached | null> {
  const symbols = await symbolsOf(server, document);
  if (symbols.length === 0) {
    throw new Error(
      vscode.l10n.t('This editor knows no symbols of this file. Select the code instead.'),
    );
  }
  const picked = await vscode.window.showQuickPick(
    symbols.map(({ name, depth, range }) => ({
      label: `${'  '.repeat(depth)}${name}`,
      description: vscode.l10n.t('line {0}', range.start.line + 1),
      range,
    })),
    { title: vscode.workspace.asRelativePath(document.uri), canPickMany: true },
  );
  return picked?.map(({ range }) => documentPart(document, 'symbol', range)) ?? null;
}

/** Ours first: they are there without any other extension. For other languages what the editor knows. */
async function symbolsOf(server: Server, document: vscode.TextDocument): Promise<FoundSymbol[]> {
  const uri = document.uri.toString();
  const ours = await server.request('costAwareRouter/symbols', { uri });
  if (ours.length > 0) {
    return ours.map(({ name, range }) => ({ name, depth: 0, range: editorRange(range) }));
  }
  const found = await vscode.commands.executeCommand<
    (vscode.DocumentSymbol | vscode.SymbolInformation)[] | undefined
  >('vscode.executeDocumentSymbolProvider', document.uri);
  return flat(found ?? [], 0);
}

interface FoundSymbol {
  readonly name: string;
  readonly depth: number;
  readonly range: vscode.Range;
}

function flat(
  symbols: readonly (vscode.DocumentSymbol | vscode.SymbolInformation)[],
  depth: number,
): FoundSymbol[] {
  return symbols.flatMap((symbol) =>
    'children' in symbol
      ? [{ name: symbol.name, depth, range: symbol.range }, ...flat(symbol.children, depth + 1)]
      : [{ name: symbol.name, depth, range: symbol.location.range }],
  );
}

async function changes(): Promise<Attached> {
  const found = await gitChanges();
  if (found.kind === 'none') throw new Error(found.why);
  if (found.leftOut > 0) {
    void vscode.window.showWarningMessage(
      vscode.l10n.t('{0} more changed files are left out.', found.leftOut),
    );
  }
  return found.parts;
}
