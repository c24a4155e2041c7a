/** Puts a page into a webview: its shell, its only folder, and its messages after they were checked. */
import * as vscode from 'vscode';
import { commandId, stepCommand } from './commandIds.ts';
import { type PageName, pageHtml, WEBVIEW_ROOT } from './webviewHtml.ts';
import type { PageCommand } from './webviewMessages.ts';

export function showPage(
  webview: vscode.Webview,
  extensionUri: vscode.Uri,
  page: PageName,
  title: string,
): void {
  const folder = vscode.Uri.joinPath(extensionUri, ...WEBVIEW_ROOT);
  webview.options = { enableScripts: true, localResourceRoots: [folder] };
  webview.html = pageHtml({
    page,
    title,
    cspSource: webview.cspSource,
    uriOf: (file) => webview.asWebviewUri(vscode.Uri.joinPath(folder, file)).toString(),
    language: vscode.env.language,
    strings: vscode.l10n.bundle ?? {},
  });
}

/** A page names a step; only these commands can come of it. */
export async function runPageCommand(command: PageCommand, modelId: string | null): Promise<void> {
  switch (command) {
    case 'ask':
      return await vscode.commands.executeCommand(commandId('ask'));
    case 'open_settings':
      return await vscode.commands.executeCommand(commandId('openSettings'));
    case 'open_walkthrough':
      return await vscode.commands.executeCommand(commandId('openWalkthrough'));
    case 'open_tab':
      return await vscode.commands.executeCommand(commandId('openDashboardTab'));
    case 'restart_server':
      return await vscode.commands.executeCommand(commandId('restartServer'));
    case 'what_if':
      return await vscode.commands.executeCommand(commandId('whatIf'));
    default:
      return await vscode.commands.executeCommand(stepCommand(command), modelId ?? undefined);
  }
}

/** Editor tabs draw a picture as it is, so each kind of theme needs its own. */
export function tabIcon(extensionUri: vscode.Uri): { light: vscode.Uri; dark: vscode.Uri } {
  const picture = (name: string) => vscode.Uri.joinPath(extensionUri, 'media', `${name}.svg`);
  return { light: picture('iconLight'), dark: picture('iconDark') };
}
