/** Calibrating a local model: which, for what, with progress that can be cancelled; then what it changed, and the way back. */
import * as vscode from 'vscode';
import type { CalibrateTargetWire, CalibrationWire, ModelWire } from '../../server/src/protocol.ts';
import type { CodeActions } from './codeActions.ts';
import { commandId } from './commandIds.ts';
import { longRequest } from './longRequest.ts';
import type { Models } from './models.ts';
import type { Server } from './server.ts';

export interface Calibration {
  /** The model with this id, or one that the person picks. */
  run(modelId: unknown): Promise<void>;
  rollback(modelId: unknown): Promise<void>;
}

/** Enough to fit a gate by; all of them tell more and take several times as long. */
const FEW_QUESTIONS = 90;

interface Aim {
  readonly target: CalibrateTargetWire;
  readonly questions?: number;
}

export function createCalibration(
  server: Server,
  models: Models,
  codeActions: CodeActions,
): Calibration {
  async function chosen(modelId: unknown, title: string): Promise<string | null> {
    if (typeof modelId === 'string') return modelId;
    const isHere = ({ tier, state }: ModelWire) => tier === 'local' && state === 'ready';
    const none = vscode.l10n.t('No local model is on this machine yet. Download one first.');
    return (await models.pick(title, isHere, none))?.id ?? null;
  }

  async function run(modelId: unknown): Promise<void> {
    const id = await chosen(modelId, vscode.l10n.t('Calibrate which local model?'));
    const aim = id === null ? undefined : await pickAim();
    if (id === null || aim === undefined) return;
    // A cancel that the server answers with a value is told by that; any other is silence.
    const { result } = await longRequest(server, 'costAwareRouter/calibrate', {
      params: { modelId: id, ...aim },
      message: vscode.l10n.t('Calibrating {0}', id),
      percentOf: ({ done, total }) => (total === 0 ? 0 : (100 * done) / total),
    });
    switch (result?.kind) {
      case 'calibrated':
        // Not awaited: it stays until the person has read it.
        void tell(id, result.calibration);
        return;
      case 'cancelled':
        void offerToGoOn(id, result.message);
        return;
      case undefined:
        return;
      case 'failed':
        void vscode.window.showWarningMessage(result.message);
    }
  }

  async function tell(modelId: string, { summary, document }: CalibrationWire): Promise<void> {
    const show = vscode.l10n.t('Show Before and After');
    const takeBack = vscode.l10n.t('Take It Back');
    const chosenAction = await vscode.window.showInformationMessage(summary, show, takeBack);
    if (chosenAction === show) await codeActions.show('calibration.md', document);
    if (chosenAction === takeBack) await rollback(modelId);
  }

  async function rollback(modelId: unknown): Promise<void> {
    const id = await chosen(modelId, vscode.l10n.t('Take back the calibration of which model?'));
    if (id === null) return;
    const done = await server.request('costAwareRouter/rollbackCalibration', { modelId: id });
    void vscode.window.showInformationMessage(done.message);
  }

  return { run, rollback };
}

async function pickAim(): Promise<Aim | undefined> {
  const half = { kind: 'escalated', value: 0.5 } as const;
  const items: (vscode.QuickPickItem & Aim)[] = [
    {
      label: vscode.l10n.t('Quick: {0} questions', FEW_QUESTIONS),
      detail: vscode.l10n.t('The best quality with at most half of the questions in the cloud'),
      target: half,
      questions: FEW_QUESTIONS,
    },
    {
      label: vscode.l10n.t('Thorough: all questions'),
      detail: vscode.l10n.t('The best quality with at most half of the questions in the cloud'),
      target: half,
    },
    {
      label: vscode.l10n.t('Keep 95 % of the quality'),
      detail: vscode.l10n.t(
        "All questions; as little in the cloud as keeps the cloud model's quality",
      ),
      target: { kind: 'kept', value: 0.95 },
    },
    {
      label: vscode.l10n.t('Mostly local'),
      detail: vscode.l10n.t('All questions; at most a fifth in the cloud'),
      target: { kind: 'escalated', value: 0.2 },
    },
  ];
  const picked = await vscode.window.showQuickPick(items, {
    title: vscode.l10n.t('Calibrate for what?'),
    placeHolder: vscode.l10n.t(
      'The model answers built-in questions on this machine; nothing is sent or paid.',
    ),
  });
  if (picked === undefined) return undefined;
  const { target, questions } = picked;
  return { target, ...(questions === undefined ? {} : { questions }) };
}

async function offerToGoOn(modelId: string, message: string): Promise<void> {
  const goOn = vscode.l10n.t('Go On');
  const picked = await vscode.window.showInformationMessage(message, goOn);
  if (picked === goOn) {
    await vscode.commands.executeCommand(commandId('calibrateModel'), modelId);
  }
}
