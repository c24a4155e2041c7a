/** The status bar item: keeps the newest status of the server and draws it; sets the context keys that menus use. */
import * as vscode from 'vscode';
import type { MissingWire, StatusWire } from '../../server/src/protocol.ts';
import type { Server } from './server.ts';
import { STATUS_LINKS, statusBarView } from './statusBarView.ts';

export interface StatusSource {
  current(): StatusWire | null;
  readonly onDidChange: vscode.Event<StatusWire>;
}

export function createStatusBar(
  server: Server,
  log: vscode.LogOutputChannel,
): StatusSource & vscode.Disposable {
  const item = vscode.window.createStatusBarItem(
    'costAwareRouter.status',
    vscode.StatusBarAlignment.Left,
    50,
  );
  item.name = 'Cost-Aware Router';
  const changed = new vscode.EventEmitter<StatusWire>();
  let status: StatusWire | null = null;

  /** As it was told, with what only this side knows. */
  function current(): StatusWire | null {
    if (status === null || vscode.workspace.isTrusted) return status;
    return { ...status, missing: [...status.missing, untrusted()] };
  }

  function draw(): void {
    const view = statusBarView(current(), server.state(), vscode.l10n.t);
    const tooltip = new vscode.MarkdownString(view.tooltip, true);
    tooltip.isTrusted = { enabledCommands: STATUS_LINKS };
    item.text = view.text;
    item.tooltip = tooltip;
    item.command = view.command;
    item.backgroundColor = view.background ? new vscode.ThemeColor(view.background) : undefined;
    item.accessibilityInformation = { label: view.spoken };
  }

  function tell(): void {
    draw();
    const now = current();
    if (now !== null) changed.fire(now);
  }

  function take(next: StatusWire): void {
    status = next;
    tell();
    // Before the server has read its files it can't say what is missing.
    if (next.text === 'starting') return;
    const lacks = (what: string) => next.missing.some((missing) => missing.what === what);
    setContext('hasModel', !lacks('model'));
    setContext('hasKey', !lacks('key'));
  }

  const subscriptions = [
    item,
    changed,
    server.on('costAwareRouter/statusChanged', take),
    vscode.workspace.onDidGrantWorkspaceTrust(tell),
    server.onDidChangeState((state) => {
      if (state.kind !== 'running') status = null;
      setContext('ready', state.kind === 'running');
      draw();
      if (state.kind !== 'running') return;
      server
        .request('costAwareRouter/status', null)
        .then(take, (error: unknown) => log.warn(`No status: ${String(error)}`));
    }),
  ];
  draw();
  item.show();
  return {
    current,
    onDidChange: changed.event,
    dispose: () => vscode.Disposable.from(...subscriptions).dispose(),
  };
}

function untrusted(): MissingWire {
  return {
    what: 'trust',
    message: vscode.l10n.t(
      'This workspace is not trusted, so nothing leaves this machine: answers stay local.',
    ),
    nextStep: 'trust_workspace',
  };
}

function setContext(key: 'ready' | 'hasModel' | 'hasKey', value: boolean): void {
  void vscode.commands.executeCommand('setContext', `costAwareRouter.${key}`, value);
}
