/** Choosing, downloading and bringing models: lists what the server knows, writes the person's choice into the settings. */
import { open } from 'node:fs/promises';
import * as vscode from 'vscode';
import type { ModelWire } from '../../server/src/protocol.ts';
import { commandId } from './commandIds.ts';
import { longRequest } from './longRequest.ts';
import type { Server } from './server.ts';
import { saveModel, saveOwnModel } from './settings.ts';

export type Tier = 'cheap' | 'escalation' | 'baseline';

export interface Models {
  choose(): Promise<void>;
  /** The model with this id, or one that the person picks. */
  download(modelId: unknown): Promise<void>;
  useOwnFile(): Promise<void>;
  /** One of the models that are wanted, as the person picks it; `null` where there is none or it is left. */
  pick(
    title: string,
    wanted: (model: ModelWire) => boolean,
    none?: string,
  ): Promise<ModelWire | null>;
}

interface ModelItem extends vscode.QuickPickItem {
  readonly model: ModelWire;
}

export function createModels(server: Server): Models {
  const modelItem = (model: ModelWire): ModelItem => ({
    model,
    label: model.label,
    description: [stateWord(model.state), ...model.chosenAs.map(roleWord)].join(' · '),
    // Of a model that is not here only its size counts so far.
    detail:
      model.state === 'missing'
        ? model.detail
        : [model.detail, model.price, model.speed].filter((part) => part !== '').join(' · '),
  });

  async function pickModel(
    title: string,
    wanted: (model: ModelWire) => boolean,
    none = vscode.l10n.t('There is no such model to choose.'),
  ): Promise<ModelWire | null> {
    const models = await server.request('costAwareRouter/models', null);
    const items = models.filter(wanted).map(modelItem);
    if (items.length === 0) {
      void vscode.window.showInformationMessage(none);
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
              vscode.l10n.t('Every local model of the list is on this machine already.'),
            )
          )?.id;
    if (id === undefined) return;
    const { result, cancelled } = await longRequest(server, 'costAwareRouter/download', {
      params: { modelId: id },
      message: vscode.l10n.t('Downloading {0}', id),
      percentOf: ({ receivedBytes, totalBytes }) =>
        totalBytes ? (100 * receivedBytes) / totalBytes : 0,
    });
    if (cancelled || result === null) return;
    if (result.kind === 'done') void useDownloaded(id, result.message);
    else void offerAgain(result.message, id);
  }

  /** A person who fetches a model wants its answers: at once where no other can give any, else when asked. */
  async function useDownloaded(id: string, message: string): Promise<void> {
    const models = await server.request('costAwareRouter/models', null);
    const first = models.find(({ chosenAs }) => chosenAs.includes('cheap'));
    if (first?.id === id) {
      void vscode.window.showInformationMessage(message);
    } else if (first?.state === 'ready') {
      const use = vscode.l10n.t('Answer with It');
      const chosen = await vscode.window.showInformationMessage(message, use);
      if (chosen === use) await saveModel('cheap', id);
    } else {
      await saveModel('cheap', id);
      void vscode.window.showInformationMessage(
        vscode.l10n.t('{0} It answers first from now on.', message),
      );
    }
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
      const model = await pickModel(vscode.l10n.t('Model: {0}', role.label), ({ tier }) =>
        role.tier === 'cheap' ? tier === 'local' : tier === 'cloud',
      );
      // The file of one's own is in the list only while it is the choice.
      if (model === null || model.chosenAs.includes(role.tier)) return;
      await saveModel(role.tier, model.id);
      if (model.tier === 'local' && model.state === 'missing') await download(model.id);
    },
    download,
    pick: pickModel,
    async useOwnFile() {
      const files = await vscode.window.showOpenDialog({
        title: vscode.l10n.t('Use a GGUF file of your own'),
        filters: { GGUF: ['gguf'] },
        canSelectMany: false,
      });
      const path = files?.[0]?.fsPath;
      if (path === undefined) return;
      if (!(await isGguf(path))) {
        void vscode.window.showWarningMessage(
          vscode.l10n.t('Not a GGUF file that can be read, so nothing was changed: {0}', path),
        );
        return;
      }
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

/** By its first four bytes, so that a slip in the dialog does not replace a model that answers. */
async function isGguf(path: string): Promise<boolean> {
  const file = await open(path).catch(() => null);
  if (file === null) return false;
  try {
    const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0);
    return buffer.toString('latin1') === 'GGUF';
  } catch {
    return false;
  } finally {
    await file.close();
  }
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
      return vscode.l10n.t(
        'The model that would have answered everything; asked by an audit alone',
      );
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
