/** The few settings that the client itself reads; all others the server pulls. */
import * as vscode from 'vscode';
import type { Tier } from './models.ts';

const SECTION = 'costAwareRouter';
const DEFAULT_BASE_URL = 'https://api.openai.com/v1';

export function lensSetting(): string {
  return vscode.workspace.getConfiguration(SECTION).get('lens', 'selection');
}

export function keepsHistory(): boolean {
  return vscode.workspace.getConfiguration(SECTION).get('history.enabled', false);
}

/** Where the cloud tier is asked; a key is only good for the address that it was entered for. */
export function baseUrl(): string {
  const set = vscode.workspace.getConfiguration(SECTION).get<string | null>('openai.baseUrl', null);
  return set === null || set.trim() === '' ? DEFAULT_BASE_URL : set.trim();
}

export function dataDir(): string | null {
  const set = vscode.workspace.getConfiguration(SECTION).get<string | null>('dataDir', null);
  return set === null || set.trim() === '' ? null : set.trim();
}

/** Only ever called because a person chose a model just now. */
export async function saveModel(tier: Tier, modelId: string): Promise<void> {
  const settings = vscode.workspace.getConfiguration(SECTION);
  await settings.update(`models.${tier}`, modelId, vscode.ConfigurationTarget.Global);
  // A file of one's own would answer first whatever else is chosen.
  if (tier === 'cheap') await saveOwnModel(undefined);
}

export async function saveOwnModel(path: string | undefined): Promise<void> {
  const settings = vscode.workspace.getConfiguration(SECTION);
  await settings.update('models.ownFile', path, vscode.ConfigurationTarget.Global);
}
