/** A training run in a terminal of the editor, and its loss curve on the dashboard while it runs. */
import { readFile, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import * as vscode from 'vscode';
import {
  readCurve,
  readTrainingConfig,
  type TrainingConfig,
  type TrainingRun,
} from './trainingCurve.ts';

/** Stops at these exits of the command line are not failures: done, and cancelled by the person. */
const EXIT_OK = 0;
const EXIT_CANCELLED = 130;
const LOOK_EVERY_MS = 1000;
const TASK_TYPE = 'cost-aware-router-train';

export interface Training {
  /** Asks for a configuration and trains with it. False when the person turned away. */
  start(): Promise<boolean>;
  /** The last run of this window, `null` before there was one. */
  current(): TrainingRun | null;
  readonly onDidChange: vscode.Event<TrainingRun>;
}

export function createTraining(extensionUri: vscode.Uri): Training & vscode.Disposable {
  const changed = new vscode.EventEmitter<TrainingRun>();
  const following = new Set<vscode.Disposable>();
  let current: TrainingRun | null = null;

  function tell(run: TrainingRun): void {
    current = run;
    changed.fire(run);
  }

  async function start(): Promise<boolean> {
    const [folder] = vscode.workspace.workspaceFolders ?? [];
    if (!vscode.workspace.isTrusted || folder?.uri.scheme !== 'file') {
      throw new Error(vscode.l10n.t('Open a trusted folder on this machine to train in it.'));
    }
    if (current?.state === 'running') {
      throw new Error(vscode.l10n.t('A training run is going on; stop it in its terminal first.'));
    }
    const file = await chooseConfig(folder);
    if (file === undefined) return false;
    const config = readTrainingConfig(await readFile(file.fsPath, 'utf8'));
    if (config === null) {
      throw new Error(
        vscode.l10n.t(
          '{0} is not the configuration of a training run: it names no save_dir. The guide shows one.',
          file.fsPath,
        ),
      );
    }
    const curve = join(resolve(folder.uri.fsPath, config.saveDir), 'curve.jsonl');
    const resume = await chooseResume(curve);
    if (resume === undefined) return false;
    await run(folder, file, config, curve, resume);
    return true;
  }

  async function run(
    folder: vscode.WorkspaceFolder,
    file: vscode.Uri,
    config: TrainingConfig,
    curve: string,
    resume: boolean,
  ): Promise<void> {
    const name = basename(file.fsPath);
    const begun = { name, totalSteps: config.totalSteps, train: [], validation: [] };
    const beganMs = Date.now();
    const look = async (state: TrainingRun['state']) => {
      const written = await stat(curve).catch(() => undefined);
      // A curve from before belongs to a run that is gone.
      const isOurs = written !== undefined && (resume || written.mtimeMs >= beganMs);
      const points = isOurs ? readCurve(await readFile(curve, 'utf8').catch(() => '')) : {};
      tell({ ...begun, ...points, state });
    };
    const execution = await vscode.tasks.executeTask(
      trainingTask(extensionUri, folder, file, resume),
    );
    tell({ ...begun, state: 'running' });
    const timer = setInterval(() => void look('running'), LOOK_EVERY_MS);
    const done = vscode.tasks.onDidEndTaskProcess(({ execution: ended, exitCode }) => {
      if (ended !== execution) return;
      follow.dispose();
      void look(stateOf(exitCode));
    });
    const follow = new vscode.Disposable(() => {
      clearInterval(timer);
      done.dispose();
      following.delete(follow);
    });
    following.add(follow);
  }

  return {
    start,
    current: () => current,
    onDidChange: changed.event,
    dispose() {
      for (const one of following) one.dispose();
      changed.dispose();
    },
  };
}

/** The command line of the package, run by the editor's own Node, so that nothing needs to be installed. */
function trainingTask(
  extensionUri: vscode.Uri,
  folder: vscode.WorkspaceFolder,
  file: vscode.Uri,
  resume: boolean,
): vscode.Task {
  const cli = vscode.Uri.joinPath(extensionUri, 'dist', 'cli.js').fsPath;
  const args = [cli, 'train', '--config', file.fsPath, ...(resume ? ['--resume'] : [])];
  const task = new vscode.Task(
    { type: TASK_TYPE, config: file.fsPath },
    folder,
    basename(file.fsPath),
    vscode.l10n.t('Router training'),
    new vscode.ProcessExecution(process.execPath, args, {
      cwd: folder.uri.fsPath,
      env: { ELECTRON_RUN_AS_NODE: '1' },
    }),
    [],
  );
  task.presentationOptions = { reveal: vscode.TaskRevealKind.Always, showReuseMessage: false };
  return task;
}

function stateOf(exitCode: number | undefined): TrainingRun['state'] {
  if (exitCode === EXIT_OK) return 'ended';
  return exitCode === EXIT_CANCELLED || exitCode === undefined ? 'stopped' : 'failed';
}

async function chooseConfig(folder: vscode.WorkspaceFolder): Promise<vscode.Uri | undefined> {
  const pattern = new vscode.RelativePattern(folder, 'configs/*.json');
  const found = await vscode.workspace.findFiles(pattern, null, 50);
  const other = { label: vscode.l10n.t('Another File...'), uri: undefined };
  const items = found
    .map((uri) => ({ label: basename(uri.fsPath), description: uri.fsPath, uri }))
    .sort((one, two) => one.label.localeCompare(two.label));
  const title = vscode.l10n.t('Configuration of the training run');
  const chosen = await vscode.window.showQuickPick([...items, other], { title });
  if (chosen === undefined || chosen.uri !== undefined) return chosen?.uri;
  const [file] = (await vscode.window.showOpenDialog({ title, filters: { JSON: ['json'] } })) ?? [];
  return file;
}

/** `undefined` when the person turned away. */
async function chooseResume(curve: string): Promise<boolean | undefined> {
  if ((await stat(curve).catch(() => undefined)) === undefined) return false;
  const goOn = vscode.l10n.t('Go On from the Last Checkpoint');
  const anew = vscode.l10n.t('Begin Anew');
  const title = vscode.l10n.t('There is a run of this configuration');
  const chosen = await vscode.window.showQuickPick([goOn, anew], { title });
  return chosen === undefined ? undefined : chosen === goOn;
}
