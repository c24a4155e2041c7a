/**
 * The answer panel beside the editor: one page for all questions of the window. Sends what the page draws and does what its
 * buttons say. What was sent is kept, so that a page that starts late or anew shows the same.
 */
import * as vscode from 'vscode';
import type {
  AnswerResultWire,
  AskParams,
  CodeRange,
  KeptTask,
} from '../../server/src/protocol.ts';
import type { Answering, Question } from './answering.ts';
import type { CodeActions } from './codeActions.ts';
import { messageOf, type Server } from './server.ts';
import { runPageCommand, showPage, tabIcon } from './webviewHost.ts';
import { type AnswersToHost, type HostToAnswers, parseAnswersMessage } from './webviewMessages.ts';

/** Questions that a new page is told again. */
const KEPT_QUESTIONS = 20;

export interface PanelQuestion extends Question {
  readonly shown: string;
  readonly contextLabel: string;
  /** The code that it is about and what was asked of it, where its answer can be kept there. */
  readonly about: { readonly range: CodeRange; readonly task: KeptTask } | null;
  /** The request that came to no answer and was asked again. */
  readonly replaces?: string;
}

interface Entry {
  readonly question: PanelQuestion;
  readonly params: AskParams;
  readonly sent: HostToAnswers[];
  result: AnswerResultWire | null;
}

export interface AnswersOptions {
  readonly extensionUri: vscode.Uri;
  readonly server: Server;
  readonly answering: Answering;
  readonly codeActions: CodeActions;
}

export interface Answers {
  ask(question: PanelQuestion): Promise<AnswerResultWire>;
}

export function createAnswers(options: AnswersOptions): Answers & vscode.Disposable {
  const { server, answering, codeActions } = options;
  const entries = new Map<string, Entry>();
  let panel: vscode.WebviewPanel | undefined;
  let listens = false;

  function send(entry: Entry, message: HostToAnswers): void {
    entry.sent.push(message);
    if (listens) void panel?.webview.postMessage(message);
  }

  function notice(entry: Entry, message: string): void {
    send(entry, { type: 'notice', requestId: entry.params.requestId, message });
  }

  function open(): void {
    if (panel !== undefined) {
      const editor = vscode.window.activeTextEditor;
      const covers = editor !== undefined && editor.viewColumn === panel.viewColumn;
      if (!covers) {
        panel.reveal(undefined, true);
        return;
      }
      // Never over the code that a question is about. A new one beside it: one that is moved becomes a preview tab, which
      // the next preview takes the place of.
      const old = panel;
      panel = undefined;
      listens = false;
      old.dispose();
    }
    const made = vscode.window.createWebviewPanel(
      'costAwareRouter.answers',
      vscode.l10n.t('Answers'),
      { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true },
      { retainContextWhenHidden: true, enableFindWidget: true },
    );
    panel = made;
    made.iconPath = tabIcon(options.extensionUri);
    made.onDidDispose(() => {
      if (panel !== made) return;
      panel = undefined;
      listens = false;
      for (const [id, entry] of entries) if (entry.result === null) answering.cancel(id);
    });
    made.webview.onDidReceiveMessage((raw: unknown) => {
      const message = parseAnswersMessage(raw);
      if (message !== null) void react(message);
    });
    showPage(made.webview, options.extensionUri, 'answers', vscode.l10n.t('Answers'));
  }

  function replay(): void {
    listens = true;
    for (const entry of entries.values()) {
      for (const message of entry.sent) void panel?.webview.postMessage(message);
    }
  }

  async function ask(question: PanelQuestion): Promise<AnswerResultWire> {
    const params = answering.paramsOf(question);
    const { requestId } = params;
    const entry: Entry = { question, params, sent: [], result: null };
    entries.set(requestId, entry);
    for (const [id, old] of entries) {
      if (entries.size <= KEPT_QUESTIONS) break;
      if (old.result !== null) entries.delete(id);
    }
    send(entry, {
      type: 'question',
      requestId,
      question: question.shown,
      context: question.contextLabel,
      destination: question.destination,
      retryOf: question.retryOf ?? null,
      replaces: question.replaces ?? null,
      canKeep: question.about !== null,
    });
    open();
    const result = await answering.run(params, (event) =>
      send(entry, { type: 'event', requestId, event }),
    );
    entry.result = result;
    send(entry, { type: 'result', requestId, result });
    return result;
  }

  async function react(message: AnswersToHost): Promise<void> {
    if (message.type === 'ready') return replay();
    if (message.type === 'command') return await runPageCommand(message.command, message.modelId);
    const entry = entries.get(message.requestId);
    if (entry === undefined) return;
    try {
      await reactTo(entry, message);
    } catch (error) {
      notice(entry, messageOf(error));
    }
  }

  async function reactTo(
    entry: Entry,
    message: Exclude<AnswersToHost, { readonly type: 'ready' | 'command' }>,
  ): Promise<void> {
    const promptId = message.requestId;
    switch (message.type) {
      case 'cancel':
        return answering.cancel(promptId);
      case 'ask_other':
        if (message.destination === 'cloud') {
          await server.request('costAwareRouter/outcome', { promptId, verdict: 'asked_bigger' });
        }
        await ask({ ...entry.question, destination: message.destination, retryOf: promptId });
        return;
      case 'ask_again':
        await ask({ ...entry.question, destination: message.destination, replaces: promptId });
        return;
      case 'verdict': {
        const { verdict } = message;
        const done = await server.request('costAwareRouter/outcome', { promptId, verdict });
        return notice(entry, done.message || vscode.l10n.t('Noted.'));
      }
      case 'keep_explanation':
        return notice(entry, await keep(entry));
      case 'copy_answer':
        if (entry.result?.kind !== 'answered') return;
        await vscode.env.clipboard.writeText(entry.result.answer.text);
        return notice(entry, vscode.l10n.t('Copied.'));
      case 'code': {
        const original = entry.question.context[0] ?? null;
        return notice(entry, await codeActions.run(message, original));
      }
    }
  }

  async function keep(entry: Entry): Promise<string> {
    const { result, question } = entry;
    if (result?.kind !== 'answered' || question.about === null) {
      return vscode.l10n.t('There is no answer about code here to keep.');
    }
    const task = await server.request('costAwareRouter/codeTask', {
      task: 'explain',
      range: question.about.range,
    });
    if (task === null) return vscode.l10n.t('The code that this was about is gone.');
    const { requestId: promptId, text, line } = result.answer;
    const { codeHash, range } = task;
    const kept = { codeHash, task: question.about.task, range, promptId, text, line };
    const done = await server.request('costAwareRouter/keepExplanation', kept);
    if (done.kind === 'done') {
      await server.request('costAwareRouter/outcome', { promptId, verdict: 'kept' });
    }
    return done.message;
  }

  return { ask, dispose: () => panel?.dispose() };
}
