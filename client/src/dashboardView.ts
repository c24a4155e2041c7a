/** Hosts the dashboard page, as a view and as an editor tab, and relays its questions to the server. */
import * as vscode from 'vscode';
import type { DownloadProgress, StatusWire } from '../../server/src/protocol.ts';
import { askFirst, type FirstQuestions } from './firstQuestions.ts';
import { messageOf, type Server } from './server.ts';
import type { StatusSource } from './statusBar.ts';
import type { Training } from './training.ts';
import { runPageCommand, showPage, tabIcon } from './webviewHost.ts';
import {
  type DashboardToHost,
  type HostToDashboard,
  parseDashboardMessage,
} from './webviewMessages.ts';
import type { WhatIf } from './whatIf.ts';

export interface DashboardOptions {
  readonly extensionUri: vscode.Uri;
  readonly server: Server;
  readonly status: StatusSource;
  /** The window's last training run, and its changes. */
  readonly training: Pick<Training, 'current' | 'onDidChange'>;
  /** The window's last look back, and its changes. */
  readonly whatIf: Omit<WhatIf, 'run'>;
  readonly onExport: (month: string, format: 'csv' | 'jsonl') => Promise<void>;
}

export interface Dashboard {
  /** Opens it as an editor tab, or shows the tab that is open. */
  openTab(): void;
  /** The same, with the trace of that route open. */
  openRoute(promptId: string): void;
}

export function createDashboard(options: DashboardOptions): Dashboard & vscode.Disposable {
  const { server, status, training, whatIf } = options;
  /** Those that listen. */
  const pages = new Set<vscode.Webview>();
  /** Of every page, from before it listens. */
  const firsts = new Map<vscode.Webview, FirstQuestions>();
  let tab: vscode.WebviewPanel | undefined;
  /** The route that the tab is to open once it listens. */
  let wanted: string | null = null;

  function send(webview: vscode.Webview, message: HostToDashboard): void {
    void webview.postMessage(message);
  }

  function changed(): void {
    for (const first of firsts.values()) first.forget();
  }

  function sendAll(message: HostToDashboard): void {
    for (const page of pages) send(page, message);
  }

  function sendWanted(): void {
    if (wanted === null || tab === undefined || !pages.has(tab.webview)) return;
    send(tab.webview, { type: 'open-route', promptId: wanted });
    wanted = null;
  }

  async function answer(
    webview: vscode.Webview,
    message: DashboardToHost,
    first: FirstQuestions,
  ): Promise<void> {
    switch (message.type) {
      case 'ready': {
        pages.add(webview);
        send(webview, serverMessage(server));
        const current = status.current();
        if (current !== null) send(webview, { type: 'status', status: current });
        const run = training.current();
        if (run !== null) send(webview, { type: 'training', run });
        const figures = whatIf.current();
        if (figures !== null) send(webview, { type: 'what-if', figures });
        sendWanted();
        return;
      }
      case 'export':
        return await options.onExport(message.month, message.format);
      case 'close_what_if':
        return whatIf.forget();
      case 'command':
        return await runPageCommand(message.command, message.modelId);
      default:
        send(webview, await reply(message, first).catch((error) => failure(message.id, error)));
    }
  }

  type Asking = Extract<DashboardToHost, { readonly id: number }>;

  async function reply(message: Asking, first: FirstQuestions): Promise<HostToDashboard> {
    const { id } = message;
    switch (message.type) {
      case 'report':
        return { type: 'report', id, report: await first.report(message) };
      case 'routes':
        return { type: 'routes', id, page: await first.routes(message) };
      case 'trace': {
        const { promptId } = message;
        return {
          type: 'trace',
          id,
          trace: await server.request('costAwareRouter/trace', { promptId }),
        };
      }
    }
  }

  function host(webview: vscode.Webview, onGone: vscode.Event<void>): void {
    const first = askFirst((method, params) => server.request(method, params));
    firsts.set(webview, first);
    onGone(() => {
      pages.delete(webview);
      firsts.delete(webview);
    });
    webview.onDidReceiveMessage((raw: unknown) => {
      const message = parseDashboardMessage(raw);
      if (message !== null) void answer(webview, message, first);
    });
    showPage(webview, options.extensionUri, 'dashboard', vscode.l10n.t('Dashboard'));
  }

  const subscriptions = [
    vscode.window.registerWebviewViewProvider('costAwareRouter.dashboard', {
      resolveWebviewView: (view) => host(view.webview, view.onDidDispose),
    }),
    server.onDidChangeState(() => {
      changed();
      sendAll(serverMessage(server));
    }),
    status.onDidChange((next: StatusWire) => {
      changed();
      sendAll({ type: 'status', status: next });
    }),
    training.onDidChange((run) => sendAll({ type: 'training', run })),
    whatIf.onDidChange((figures) => sendAll({ type: 'what-if', figures })),
    server.on('costAwareRouter/downloadProgress', (progress: DownloadProgress) =>
      sendAll({ type: 'download', progress }),
    ),
  ];

  function openTab(): void {
    if (tab !== undefined) {
      tab.reveal();
      return;
    }
    const panel = vscode.window.createWebviewPanel(
      'costAwareRouter.dashboardTab',
      vscode.l10n.t('Routes and Spend'),
      vscode.ViewColumn.Active,
      { retainContextWhenHidden: true },
    );
    panel.iconPath = tabIcon(options.extensionUri);
    tab = panel;
    panel.onDidDispose(() => {
      tab = undefined;
      wanted = null;
    });
    host(panel.webview, panel.onDidDispose);
  }

  return {
    openTab,
    openRoute(promptId) {
      wanted = promptId;
      openTab();
      sendWanted();
    },
    dispose: () => vscode.Disposable.from(...subscriptions, ...(tab ? [tab] : [])).dispose(),
  };
}

function serverMessage(server: Server): HostToDashboard {
  const state = server.state();
  return {
    type: 'server',
    state: state.kind,
    message:
      state.kind === 'stopped'
        ? vscode.l10n.t('The router is not running ({0}).', state.cause)
        : '',
  };
}

function failure(id: number, error: unknown): HostToDashboard {
  return { type: 'failed', id, message: messageOf(error) };
}
