/** The question box: a quick pick with a live preview below. Enter sends, Esc closes, Tab changes where it goes. */
import * as vscode from 'vscode';
import type {
  AskParams,
  ContextWire,
  Destination,
  PreviewResult,
} from '../../server/src/protocol.ts';
import type { Answering } from './answering.ts';
import { contextLine, destinationLabel, nextDestination, previewItems } from './askPreview.ts';
import { changeAttachments } from './attachPicker.ts';
import type { CodeActions } from './codeActions.ts';
import { messageOf, type Server } from './server.ts';
import { showWouldSend } from './wouldSend.ts';

const DEBOUNCE_MS = 150;
const ICONS: Readonly<Record<Destination, string>> = {
  auto: 'arrow-swap',
  local: 'device-desktop',
  cloud: 'cloud',
};

export interface Asked {
  readonly text: string;
  readonly destination: Destination;
  readonly context: readonly ContextWire[];
}

export interface AskBox {
  /** Resolves when a question is sent, with `null` when the box is closed. */
  open(context: readonly ContextWire[], text?: string): Promise<Asked | null>;
  /** Changes where the question in the open box goes. */
  nextDestination(): void;
}

export function createAskBox(
  server: Server,
  answering: Answering,
  codeActions: CodeActions,
): AskBox {
  let turn: (() => void) | undefined;

  async function open(given: readonly ContextWire[], text = ''): Promise<Asked | null> {
    const pick = vscode.window.createQuickPick();
    let destination: Destination = 'auto';
    let timer: NodeJS.Timeout | undefined;
    let asking: vscode.CancellationTokenSource | undefined;
    const showsRequest: vscode.QuickInputButton = {
      iconPath: new vscode.ThemeIcon('eye'),
      tooltip: vscode.l10n.t('Preview What Would Be Sent'),
    };
    const attaches: vscode.QuickInputButton = {
      iconPath: new vscode.ThemeIcon('attach'),
      tooltip: vscode.l10n.t('Add Context'),
    };
    let context = given;
    let attaching = false;

    function show(preview: PreviewResult): void {
      const items = previewItems(preview, contextLine(context, vscode.l10n.t), vscode.l10n.t);
      pick.items = items.map((item) => ({ ...item, alwaysShow: true }));
    }

    function asked(): AskParams {
      return answering.paramsOf({ text: pick.value, context, destination });
    }

    async function refresh(): Promise<void> {
      asking?.cancel();
      const mine = new vscode.CancellationTokenSource();
      asking = mine;
      if (pick.value.trim() === '') {
        pick.busy = false;
        show({ kind: 'empty' });
        return;
      }
      pick.busy = true;
      const preview = await server
        .request('costAwareRouter/preview', asked(), mine.token)
        .catch((error: unknown): PreviewResult => ({ kind: 'refused', message: messageOf(error) }));
      if (mine.token.isCancellationRequested) return;
      pick.busy = false;
      show(preview);
    }

    function schedule(): void {
      clearTimeout(timer);
      timer = setTimeout(() => void refresh(), DEBOUNCE_MS);
    }

    function drawDestination(): void {
      pick.title = vscode.l10n.t(
        'Ask (Enter sends, Esc closes) · goes: {0}',
        destinationLabel(destination, vscode.l10n.t),
      );
      pick.buttons = [
        {
          iconPath: new vscode.ThemeIcon(ICONS[destination]),
          tooltip: vscode.l10n.t(
            'Goes: {0}. Tab changes it.',
            destinationLabel(destination, vscode.l10n.t),
          ),
        },
        attaches,
        showsRequest,
      ];
    }

    /** Another list takes the place of the box for a while; the question stands there again afterwards. */
    async function attach(): Promise<void> {
      attaching = true;
      pick.hide();
      context = await changeAttachments(server, context);
      attaching = false;
      setAsking(true);
      pick.show();
      await refresh();
    }

    turn = () => {
      destination = nextDestination(destination);
      drawDestination();
      schedule();
    };
    pick.placeholder = vscode.l10n.t('What do you want to know?');
    pick.ignoreFocusOut = true;
    pick.matchOnDescription = false;
    pick.value = text;
    drawDestination();
    show({ kind: 'empty' });
    setAsking(true);
    try {
      return await new Promise<Asked | null>((resolve) => {
        pick.onDidChangeValue(schedule);
        pick.onDidTriggerButton((pressed) => {
          if (pressed === attaches) void attach();
          else if (pressed === showsRequest) {
            void showWouldSend(server, codeActions, asked()).catch(showFailure);
          } else turn?.();
        });
        pick.onDidAccept(() => {
          const question = pick.value.trim();
          if (question === '') return;
          resolve({ text: question, destination, context });
          pick.hide();
        });
        pick.onDidHide(() => {
          if (attaching) setAsking(false);
          else resolve(null);
        });
        pick.show();
        if (text !== '') schedule();
      });
    } finally {
      turn = undefined;
      setAsking(false);
      clearTimeout(timer);
      asking?.cancel();
      pick.dispose();
    }
  }

  return { open, nextDestination: () => turn?.() };
}

function showFailure(error: unknown): void {
  void vscode.window.showErrorMessage(messageOf(error));
}

function setAsking(asking: boolean): void {
  void vscode.commands.executeCommand('setContext', 'costAwareRouter.asking', asking);
}
