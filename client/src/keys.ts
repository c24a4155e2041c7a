/**
 * The cloud key: kept in SecretStorage with the base URL that it was entered for, handed to the server over its own pipe,
 * never sent when the URL has changed, never logged.
 */
import * as vscode from 'vscode';
import { commandId } from './commandIds.ts';
import { messageOf, type Server } from './server.ts';
import { baseUrl } from './settings.ts';
import { parseStoredKey, type StoredKey } from './storedKey.ts';

const SECRET = 'costAwareRouter.openai';

export interface Keys {
  set(): Promise<void>;
  clear(): Promise<void>;
  test(): Promise<void>;
}

export function createKeys(
  secrets: vscode.SecretStorage,
  server: Server,
  log: vscode.LogOutputChannel,
): Keys & vscode.Disposable {
  let toldAbout: string | null = null;

  async function handOver(): Promise<void> {
    if (server.state().kind !== 'running') return;
    const stored = parseStoredKey(await secrets.get(SECRET));
    const url = baseUrl();
    const fits = stored !== null && stored.baseUrl === url;
    const done = await server.request('costAwareRouter/setKey', {
      key: fits ? stored.key : null,
      baseUrl: url,
    });
    if (done.kind === 'failed') log.warn(`Key not taken: ${done.message}`);
    if (stored !== null && !fits && toldAbout !== url) {
      toldAbout = url;
      await askForNewKey(stored, url);
    }
  }

  function handOverQuietly(): void {
    handOver().catch((error: unknown) => log.warn(`Key not handed over: ${messageOf(error)}`));
  }

  const subscriptions = [
    server.onDidChangeState(({ kind }) => {
      if (kind === 'running') handOverQuietly();
    }),
    secrets.onDidChange(({ key }) => {
      if (key === SECRET) handOverQuietly();
    }),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration('costAwareRouter.openai.baseUrl')) handOverQuietly();
    }),
  ];

  async function test(): Promise<void> {
    const done = await server.request('costAwareRouter/testKey', null);
    if (done.kind === 'done') void vscode.window.showInformationMessage(done.message);
    else void vscode.window.showWarningMessage(done.message);
  }

  return {
    async set() {
      const url = baseUrl();
      const key = await vscode.window.showInputBox({
        title: vscode.l10n.t('Key for {0}', url),
        prompt: vscode.l10n.t('Kept in the secret storage of VS Code, used at this address only.'),
        password: true,
        ignoreFocusOut: true,
        validateInput: (value) =>
          /\s/.test(value.trim()) ? vscode.l10n.t('A key has no spaces.') : undefined,
      });
      if (key === undefined || key.trim() === '') return;
      await secrets.store(SECRET, JSON.stringify({ key: key.trim(), baseUrl: url }));
      await handOver();
      const tryIt = vscode.l10n.t('Test Key');
      const chosen = await vscode.window.showInformationMessage(
        vscode.l10n.t('Key stored for {0}.', url),
        tryIt,
      );
      if (chosen === tryIt) await test();
    },
    async clear() {
      await secrets.delete(SECRET);
      await handOver();
      void vscode.window.showInformationMessage(
        vscode.l10n.t('Key forgotten. Answers stay local.'),
      );
    },
    test,
    dispose: () => vscode.Disposable.from(...subscriptions).dispose(),
  };
}

async function askForNewKey(stored: StoredKey, url: string): Promise<void> {
  const enter = vscode.l10n.t('Enter a Key');
  const chosen = await vscode.window.showWarningMessage(
    vscode.l10n.t(
      'The stored key was entered for {0} and is not sent to {1}. Enter a key for it.',
      stored.baseUrl,
      url,
    ),
    enter,
  );
  if (chosen === enter) await vscode.commands.executeCommand(commandId('setKey'));
}
