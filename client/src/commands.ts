/** The command table: every command of the manifest and what it does. A command that fails says so in one sentence. */
import * as vscode from 'vscode';
import type { ExplainTask } from '../../server/src/protocol.ts';
import type { Answering } from './answering.ts';
import type { Answers } from './answers.ts';
import type { AskBox } from './ask.ts';
import { contextLine } from './askPreview.ts';
import type { Calibration } from './calibration.ts';
import type { CodeActions } from './codeActions.ts';
import { type CodeContext, codeContext, targetRange } from './codeContext.ts';
import { COMMAND_NAMES, type CommandName, commandId } from './commandIds.ts';
import type { Dashboard } from './dashboardView.ts';
import type { Explanations } from './explanations.ts';
import { chooseExport } from './exportRoutes.ts';
import { clearHistory, showHistory } from './history.ts';
import type { Keys } from './keys.ts';
import type { Models } from './models.ts';
import { openSample } from './sample.ts';
import { messageOf, type Server } from './server.ts';
import type { Training } from './training.ts';
import type { WhatIf } from './whatIf.ts';
import { showWouldSend } from './wouldSend.ts';

export interface CommandTargets {
  readonly extensionId: string;
  readonly log: vscode.LogOutputChannel;
  readonly server: Server;
  readonly answering: Answering;
  readonly askBox: AskBox;
  readonly answers: Answers;
  readonly codeActions: CodeActions;
  readonly explanations: Explanations;
  readonly dashboard: Dashboard;
  readonly keys: Keys;
  readonly models: Models;
  readonly training: Training;
  readonly calibration: Calibration;
  readonly whatIf: WhatIf;
}

type Handler = (argument?: unknown) => unknown;

export function registerCommands(targets: CommandTargets): vscode.Disposable {
  const table = commandTable(targets);
  return vscode.Disposable.from(
    ...COMMAND_NAMES.map((name) =>
      vscode.commands.registerCommand(commandId(name), async (argument?: unknown) => {
        try {
          return await table[name](argument);
        } catch (error) {
          targets.log.error(`${name}: ${messageOf(error)}`);
          const showLog = vscode.l10n.t('Show Log');
          const chosen = await vscode.window.showErrorMessage(messageOf(error), showLog);
          if (chosen === showLog) targets.log.show();
          return undefined;
        }
      }),
    ),
  );
}

function commandTable(targets: CommandTargets): Readonly<Record<CommandName, Handler>> {
  const { server, askBox, answers, explanations, dashboard, keys, models, calibration } = targets;

  async function ask(context: CodeContext | null, text?: unknown): Promise<void> {
    const given = context === null ? [] : [context.part];
    const asked = await askBox.open(given, typeof text === 'string' ? text : '');
    if (asked === null) return;
    const isAbout = context !== null && asked.context.includes(context.part);
    await answers.ask({
      ...asked,
      shown: asked.text,
      contextLabel: contextLine(asked.context, vscode.l10n.t),
      about: isAbout ? { range: context.range, task: 'question' } : null,
    });
  }

  async function askAboutSelection(text?: unknown): Promise<void> {
    const editor = vscode.window.activeTextEditor;
    if (editor === undefined) return say(vscode.l10n.t('Open a file to ask about.'));
    await ask(codeContext(editor), text);
  }

  async function codeTask(task: ExplainTask, argument: unknown): Promise<void> {
    const range = targetRange(argument);
    if (range === null) return say(vscode.l10n.t('Open a file to ask about.'));
    const made = await server.request('costAwareRouter/codeTask', { task, range });
    if (made === null) {
      return say(vscode.l10n.t('There is no code here to ask about. Select some lines.'));
    }
    if (task === 'explain') return await explanations.explain(made);
    const lines = made.range.endLine - made.range.startLine + 1;
    await answers.ask({
      text: made.text,
      shown: made.title,
      context: made.context,
      contextLabel: vscode.l10n.t('selection ({0} lines)', lines),
      destination: 'auto',
      about: { range: made.range, task },
    });
  }

  return {
    ask: (text) => ask(null, text),
    askAboutSelection,
    showRequest: () => showRequest(targets),
    explain: (argument) => codeTask('explain', argument),
    findProblems: (argument) => codeTask('find_problems', argument),
    writeTest: (argument) => codeTask('write_test', argument),
    document: (argument) => codeTask('document', argument),
    askBigger: (argument) => explanations.askBigger(argument),
    keepExplanation: (argument) => explanations.keep(argument),
    dismissExplanation: (argument) => explanations.dismiss(argument),
    thumbsUp: (argument) => explanations.rate(argument, 'up'),
    thumbsDown: (argument) => explanations.rate(argument, 'down'),
    replyToExplanation: (argument) => explanations.reply(argument),
    openDashboard: () => vscode.commands.executeCommand('costAwareRouter.dashboard.focus'),
    openDashboardTab: () => dashboard.openTab(),
    setKey: () => keys.set(),
    clearKey: () => keys.clear(),
    testKey: () => keys.test(),
    chooseModel: () => models.choose(),
    downloadModel: (modelId) => models.download(modelId),
    useOwnModel: () => models.useOwnFile(),
    calibrateModel: (modelId) => calibration.run(modelId),
    rollbackCalibration: (modelId) => calibration.rollback(modelId),
    export: () => chooseExport(server),
    whatIf: async () => {
      if (await targets.whatIf.run()) dashboard.openTab();
    },
    openSettings: () => openSettings(`@ext:${targets.extensionId}`),
    openBudget: () => openSettings('costAwareRouter.budget'),
    openWalkthrough: () =>
      vscode.commands.executeCommand(
        'workbench.action.openWalkthrough',
        `${targets.extensionId}#start`,
        false,
      ),
    trainModel: () => trainModel(targets),
    openTrainingGuide: () => openTrainingGuide(targets.extensionId),
    trySample: async () => askAboutSelection(await openSample()),
    stayLocal: () => say(vscode.l10n.t('Answers stay local. A key can be added at any time.')),
    showLastRoute: () => showLastRoute(targets),
    showLog: () => targets.log.show(),
    showHistory: () => showHistory(server, targets.codeActions),
    clearHistory: () => clearHistory(server),
    refreshPrices: async () =>
      say((await server.request('costAwareRouter/refreshPrices', null)).message),
    restartServer: () => server.restart(),
    cancel: () => {
      const cancelled = targets.answering.cancelAll();
      if (cancelled === 0) say(vscode.l10n.t('Nothing is being answered.'));
    },
    nextDestination: () => askBox.nextDestination(),
  };
}

/** Asks for the question, then shows what it would send with the selection or the file, and where. */
async function showRequest({ answering, server, codeActions }: CommandTargets): Promise<void> {
  const editor = vscode.window.activeTextEditor;
  const context = editor === undefined ? null : codeContext(editor);
  const text = await vscode.window.showInputBox({
    title: vscode.l10n.t('Preview What Would Be Sent'),
    prompt: vscode.l10n.t('Nothing is sent: the request opens as a document.'),
    placeHolder: vscode.l10n.t('What do you want to know?'),
  });
  if (text === undefined || text.trim() === '') return;
  const parts = context === null ? [] : [context.part];
  const question = { text, context: parts, destination: 'auto' as const };
  await showWouldSend(server, codeActions, answering.paramsOf(question));
}

function say(message: string): void {
  void vscode.window.showInformationMessage(message);
}

async function openSettings(query: string): Promise<void> {
  await vscode.commands.executeCommand('workbench.action.openSettings', query);
}

/** The tab opens at once; the trace of the newest route opens in it when the server has named it. */
async function showLastRoute({ server, dashboard }: CommandTargets): Promise<void> {
  dashboard.openTab();
  const page = await server.request('costAwareRouter/routes', { offset: 0, limit: 1 });
  const [last] = page.rows;
  if (last === undefined) say(vscode.l10n.t('Nothing was asked yet.'));
  else dashboard.openRoute(last.promptId);
}

/** The loss curve is on the dashboard, which opens beside the terminal. */
async function trainModel({ training, dashboard }: CommandTargets): Promise<void> {
  if (await training.start()) dashboard.openTab();
}

/** The guide is the project's own docs/training.md, which the build puts beside the programs. */
async function openTrainingGuide(extensionId: string): Promise<void> {
  const extension = vscode.extensions.getExtension(extensionId);
  if (extension === undefined) return;
  const guide = vscode.Uri.joinPath(extension.extensionUri, 'dist', 'training.md');
  await vscode.commands.executeCommand('markdown.showPreview', guide);
}
