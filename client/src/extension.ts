/** Activation: builds the surfaces, registers the commands and starts the server without waiting for it. */
import * as vscode from 'vscode';
import { createAnswering } from './answering.ts';
import { createAnswers } from './answers.ts';
import { createAskBox } from './ask.ts';
import { createCalibration } from './calibration.ts';
import { registerChat } from './chat/registerChat.ts';
import { createCodeActions } from './codeActions.ts';
import { registerCommands } from './commands.ts';
import { createDashboard } from './dashboardView.ts';
import { createExplanations } from './explanations.ts';
import { exportRoutes } from './exportRoutes.ts';
import { createKeys } from './keys.ts';
import { createModels } from './models.ts';
import { networkEnvironment, onNetworkChanged } from './network.ts';
import { createNotices } from './notices.ts';
import { createSelectionLens } from './selectionLens.ts';
import { createServer, type Server } from './server.ts';
import { dataDir } from './settings.ts';
import { createStatusBar } from './statusBar.ts';
import { createTraining } from './training.ts';
import { createWhatIf } from './whatIf.ts';

let server: Server | undefined;

export function activate(context: vscode.ExtensionContext): void {
  const { extensionUri, subscriptions } = context;
  const log = vscode.window.createOutputChannel('Cost-Aware Router', { log: true });
  const running = createServer({
    modulePath: context.asAbsolutePath('dist/server.js'),
    log,
    environment: networkEnvironment,
    initOptions: () => {
      const folder = dataDir();
      return {
        locale: vscode.env.language,
        ...(folder === null ? {} : { dataDir: folder }),
      };
    },
    onCrash: (message, willRestart) => void tellCrash(message, willRestart, log, running),
  });
  server = running;

  const status = createStatusBar(running, log);
  const answering = createAnswering(running);
  const codeActions = createCodeActions();
  const askBox = createAskBox(running, answering, codeActions);
  const answers = createAnswers({ extensionUri, server: running, answering, codeActions });
  const icon = vscode.Uri.joinPath(extensionUri, 'media', 'icon.png');
  const explanations = createExplanations(running, answering, icon);
  const keys = createKeys(context.secrets, running, log);
  const models = createModels(running);
  const training = createTraining(extensionUri);
  const whatIf = createWhatIf(running);
  const dashboard = createDashboard({
    extensionUri,
    server: running,
    status,
    training,
    whatIf,
    onExport: (month, format) => exportRoutes(running, month, format),
  });
  subscriptions.push(
    onNetworkChanged(() => void running.restart()),
    log,
    status,
    answering,
    codeActions,
    answers,
    explanations,
    keys,
    training,
    whatIf,
    dashboard,
    createSelectionLens(),
    registerChat({ server: running, answering, status, icon, log }),
    registerCommands({
      extensionId: context.extension.id,
      log,
      server: running,
      answering,
      askBox,
      answers,
      codeActions,
      explanations,
      dashboard,
      keys,
      models,
      training,
      calibration: createCalibration(running, models, codeActions),
      whatIf,
    }),
    vscode.workspace.onDidChangeConfiguration((event) => {
      const atStart = ['costAwareRouter.dataDir', 'costAwareRouter.threads'];
      if (atStart.some((name) => event.affectsConfiguration(name))) void running.restart();
    }),
  );
  // After this turn: loading the language client and creating file watchers would hold up other extensions' activation.
  setImmediate(() => {
    subscriptions.push(createNotices(context, status));
    void running.start();
  });
}

export async function deactivate(): Promise<void> {
  await server?.stop();
}

async function tellCrash(
  message: string,
  willRestart: boolean,
  log: vscode.LogOutputChannel,
  running: Server,
): Promise<void> {
  const showLog = vscode.l10n.t('Show Log');
  const restart = vscode.l10n.t('Start Again');
  const chosen = await vscode.window.showWarningMessage(
    message,
    ...(willRestart ? [showLog] : [restart, showLog]),
  );
  if (chosen === showLog) log.show();
  if (chosen === restart) await running.restart();
}
