/** Registers what this editor has room for in its own chat; a fork without the API has everything else all the same. */
import * as vscode from 'vscode';
import type { Answering } from '../answering.ts';
import type { Server } from '../server.ts';
import type { StatusSource } from '../statusBar.ts';
import { registerAgentTools } from './agentTools.ts';
import { chatSurfaces } from './chatSurfaces.ts';
import { registerLanguageModels } from './languageModels.ts';
import { registerParticipant } from './participant.ts';

export interface ChatOptions {
  readonly server: Server;
  readonly answering: Answering;
  readonly status: StatusSource;
  readonly icon: vscode.Uri;
  readonly log: vscode.LogOutputChannel;
}

export function registerChat(options: ChatOptions): vscode.Disposable {
  const { server, answering, status, icon, log } = options;
  const has = chatSurfaces(vscode);
  const made: vscode.Disposable[] = [];
  /** A surface that is there in name only must not keep the extension from starting. */
  const add = (name: string, isThere: boolean, register: () => vscode.Disposable) => {
    if (!isThere) return log.info(`This editor has no ${name}.`);
    try {
      made.push(register());
    } catch (error) {
      log.warn(`${name}: ${String(error)}`);
    }
  };
  add('language models', has.models, () => registerLanguageModels(server, answering, status));
  add('chat participants', has.participant, () => registerParticipant(server, answering, icon));
  add('language model tools', has.tools, () => registerAgentTools(server, answering));
  return vscode.Disposable.from(...made);
}
