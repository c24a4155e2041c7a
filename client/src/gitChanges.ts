/** The changes of the open folders since the last commit, one part for each file, by VS Code's own git. */
import * as vscode from 'vscode';
import type { ContextWire } from '../../server/src/protocol.ts';

/** More are no longer a change that a question is about; what is left out is said. */
const MOST_FILES = 50;

interface Repository {
  readonly state: {
    readonly workingTreeChanges: readonly { readonly uri: vscode.Uri }[];
    readonly indexChanges: readonly { readonly uri: vscode.Uri }[];
  };
  status(): Promise<void>;
  diffWithHEAD(path: string): Promise<string>;
}

interface GitExtension {
  readonly enabled: boolean;
  getAPI(version: 1): GitApi;
}

interface GitApi {
  readonly repositories: readonly Repository[];
  openRepository(root: vscode.Uri): Promise<Repository | null>;
}

export type GitChanges =
  | { readonly kind: 'found'; readonly parts: readonly ContextWire[]; readonly leftOut: number }
  | { readonly kind: 'none'; readonly why: string };

export async function gitChanges(): Promise<GitChanges> {
  const extension = vscode.extensions.getExtension<GitExtension>('vscode.git');
  const git = extension && (await extension.activate());
  if (git?.enabled !== true) {
    return { kind: 'none', why: vscode.l10n.t('Git is not switched on in this editor.') };
  }
  const repositories = await repositoriesOf(git.getAPI(1));
  const changed = await Promise.all(
    repositories.map(async (repository) => {
      await repository.status();
      const { workingTreeChanges, indexChanges } = repository.state;
      const all = [...indexChanges, ...workingTreeChanges];
      const files = new Map(all.map(({ uri }) => [uri.toString(), uri]));
      return [...files.values()].map((uri) => ({ repository, uri }));
    }),
  );
  const files = changed.flat();
  const diffs = files.slice(0, MOST_FILES).map(async ({ repository, uri }) => ({
    kind: 'diff' as const,
    text: (await repository.diffWithHEAD(uri.fsPath)).trimEnd(),
    path: vscode.workspace.asRelativePath(uri),
    language: 'diff',
    uri: uri.toString(),
  }));
  const parts = (await Promise.all(diffs)).filter(({ text }) => text !== '');
  if (parts.length === 0) {
    const why = vscode.l10n.t(
      'Nothing has changed since the last commit. New files count once they are staged.',
    );
    return { kind: 'none', why };
  }
  return { kind: 'found', parts, leftOut: Math.max(0, files.length - MOST_FILES) };
}

/** A repository that was made while the window was open is not known yet. */
async function repositoriesOf(git: GitApi): Promise<readonly Repository[]> {
  if (git.repositories.length > 0) return git.repositories;
  const folders = vscode.workspace.workspaceFolders ?? [];
  const opened = await Promise.all(
    folders.map(({ uri }) => git.openRepository(uri).catch(() => null)),
  );
  return opened.filter((repository) => repository !== null);
}
