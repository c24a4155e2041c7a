/** Choosing, downloading and bringing models: lists what the server knows, writes the person's choice into the settings. */
import { randomUUID } from 'node:crypto';
import * as vscode from 'vscode';
import type { DownloadProgress, ModelWire } from '../../server/src/protocol.ts';
import { commandId } from './commandIds.ts';
import type { Server } from './server.ts';
import { saveModel, saveOwnModel } from './settings.ts';

export type Tier = 'cheap' | 'escalation' | 'baseline';

export interface Models {
  choose(): Promise<void>;
  /** The model with this id, or one that the person picks. */
  download(modelId: unknown): Promise<void>;
  useOwnFile(): Promise<void>;
}

interface ModelItem extends vscode.QuickPickItem {
  readonly model: ModelWire;
}

export function createModels(server: Server): Models {
  const modelItem = (model: ModelWire): ModelItem => ({
    model,
    label: model.label,
    description: [stateWord(model.state), ...model.chosenAs.map(roleWord)].join(' · '),
    detail: [model.detail, model.price, model.speed].filter((part) => part !== '').join(' · '),
  });

  async function pickModel(
    title: string,
    wanted: (model: ModelWire) => boolean,
  ): Promise<ModelWire | null> {
    const models = await server.request('costAwareRouter/models', null);
    const items = models.filter(wanted).map(modelItem);
    if (items.length === 0) {
      void vscode.window.showInformationMessage(vscode.l10n.t('There is no such model to choose.'));
      return null;
    }
    const picked = await vscode.window.showQuickPick(items, {
      title,
      matchOnDescription: true,
      matchOnDetail: true,
    });
    return picked?.model ?? null;
  }

  async function download(modelId: unknown): Promise<void> {
    const id =
      typeof modelId === 'string'
        ? modelId
        : (
            await pickModel(
              vscode.l10n.t('Download a local model'),
              (model) => model.tier === 'local' && model.state === 'missing',
            )
          )?.id;
    if (id === undefined) return;
    await vscode.window.withProgress(
      {
        location: vscode.ProgressLocation.Notification,
        title: vscode.l10n.t('Downloading {0}', id),
        cancellable: true,
      },
      async (progress, token) => {
        const requestId = randomUUID();
        let shownPercent = 0;
        const listening = server.on('costAwareRouter/downloadProgress', (event) => {
          if (event.requestId !== requestId) return;
          const percent = percentOf(event);
          progress.report({ message: event.message, increment: percent - shownPercent });
          shownPercent = percent;
        });
        try {
          const params = { requestId, modelId: id };
          const done = await server.request('costAwareRouter/download', params, token);
          if (token.isCancellationRequested) return;
          if (done.kind === 'done') void vscode.window.showInformationMessage(done.message);
          else void offerAgain(done.message, id);
        } catch (error) {
          if (!token.isCancellationRequested) throw error;
        } finally {
          listening.dispose();
        }
      },
    );
  }

  return {
    async choose() {
      const role = await vscode.window.showQuickPick(
        (['cheap', 'escalation', 'baseline'] as const).map((tier) => ({
          tier,
          label: roleWord(tier),
          detail: roleDetail(tier),
        })),
        { title: vscode.l10n.t('Choose which model?') },
      );
      if (role === undefined) return;
      const model = await pickModel(role.label, ({ tier }) =>
        role.tier === 'cheap' ? tier === 'local' : tier === 'cloud',
      );
      if (model === null) return;
      await saveModel(role.tier, model.id);
      if (model.tier === 'local' && model.state === 'missing') await download(model.id);
    },
    download,
    async useOwnFile() {
      const files = await vscode.window.showOpenDialog({
        title: vscode.l10n.t('Use a GGUF file of your own'),
        filters: { GGUF: ['gguf'] },
        canSelectMany: false,
      });
      const path = files?.[0]?.fsPath;
      if (path === undefined) return;
      await saveOwnModel(path);
      void vscode.window.showInformationMessage(
        vscode.l10n.t('Local answers now come from {0}.', path),
      );
    },
  };
}

async function offerAgain(message: string, modelId: string): Promise<void> {
  const again = vscode.l10n.t('Resume');
  const chosen = await vscode.window.showWarningMessage(message, again);
  if (chosen === again) {
    await vscode.commands.executeCommand(commandId('downloadModel'), modelId);
  }
}

function percentOf(event: DownloadProgress): number {
  return event.totalBytes === null || event.totalBytes === 0
    ? 0
    : Math.floor((100 * event.receivedBytes) / event.totalBytes);
}

function roleWord(tier: Tier): string {
  switch (tier) {
    case 'cheap':
      return vscode.l10n.t('answers first');
    case 'escalation':
      return vscode.l10n.t('answers what is too hard');
    case 'baseline':
      return vscode.l10n.t('baseline of the savings');
  }
}

function roleDetail(tier: Tier): string {
  switch (tier) {
    case 'cheap':
      return vscode.l10n.t('The local model, free');
    case 'escalation':
      return vscode.l10n.t('The cloud model, paid by the token');
    case 'baseline':
      return vscode.l10n.t('The model that would have answered everything; never asked');
  }
}

function stateWord(state: ModelWire['state']): string {
  switch (state) {
    case 'ready':
      return vscode.l10n.t('ready');
    case 'missing':
      return vscode.l10n.t('not downloaded');
    case 'no_key':
      return vscode.l10n.t('needs a key');
    case 'unavailable':
      return vscode.l10n.t('unavailable');
  }
}
