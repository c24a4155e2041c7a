/**
 * What past prompts would have cost: the person picks a log, a folder of logs or a usage export, and the figures stand on the
 * dashboard. A path comes from the picker alone, so that nothing in a workspace can have a file read.
 */
import * as vscode from 'vscode';
import type { WhatIfResult, WhatIfWire } from '../../server/src/protocol.ts';
import { longRequest } from './longRequest.ts';
import type { Server } from './server.ts';

export interface WhatIf {
  /** True when there are new figures to show. */
  run(): Promise<boolean>;
  /** The last figures of this window, `null` before there were any or once they were put away. */
  current(): WhatIfWire | null;
  forget(): void;
  readonly onDidChange: vscode.Event<WhatIfWire | null>;
}

export function createWhatIf(server: Server): WhatIf & vscode.Disposable {
  const changed = new vscode.EventEmitter<WhatIfWire | null>();
  let current: WhatIfWire | null = null;

  function tell(next: WhatIfWire | null): void {
    current = next;
    changed.fire(next);
  }

  return {
    async run() {
      const path = await pickPath();
      const result = path === null ? null : await lookBack(server, path);
      if (result?.kind === 'failed') void vscode.window.showWarningMessage(result.message);
      if (result?.kind !== 'done') return false;
      tell(result.whatIf);
      return true;
    },
    current: () => current,
    forget: () => tell(null),
    onDidChange: changed.event,
    dispose: () => changed.dispose(),
  };
}

/** Only some systems have a dialog for files and folders at once. */
async function pickPath(): Promise<string | null> {
  const title = vscode.l10n.t('What would last month have cost?');
  const file = {
    label: vscode.l10n.t('A File...'),
    detail: vscode.l10n.t("A log of prompts (one JSON object a line), or OpenAI's usage export"),
    isFolder: false,
  };
  const folder = {
    label: vscode.l10n.t('A Folder...'),
    detail: vscode.l10n.t('Every .jsonl file in it and below'),
    isFolder: true,
  };
  const placeHolder = vscode.l10n.t(
    'It is read on this machine and put before the router; nothing is asked, sent or spent.',
  );
  const kind = await vscode.window.showQuickPick([file, folder], { title, placeHolder });
  if (kind === undefined) return null;
  const picked = await vscode.window.showOpenDialog({
    title,
    openLabel: vscode.l10n.t('Read'),
    canSelectFiles: !kind.isFolder,
    canSelectFolders: kind.isFolder,
    ...(kind.isFolder ? {} : { filters: { JSON: ['jsonl', 'ndjson', 'json'], CSV: ['csv'] } }),
  });
  const [uri] = picked ?? [];
  if (uri === undefined) return null;
  if (uri.scheme !== 'file') {
    throw new Error(
      vscode.l10n.t('Choose a file or folder on the machine that the router runs on.'),
    );
  }
  return uri.fsPath;
}

async function lookBack(server: Server, path: string): Promise<WhatIfResult | null> {
  const { result } = await longRequest(server, 'costAwareRouter/whatIf', {
    params: { path },
    message: vscode.l10n.t('Reading {0}', path),
    percentOf: ({ share }) => 100 * share,
  });
  return result;
}
