/** Shows what a question would send off this machine, as a document that can only be read. Nothing is sent. */
import * as vscode from 'vscode';
import type { AskParams } from '../../server/src/protocol.ts';
import type { CodeActions } from './codeActions.ts';
import type { Server } from './server.ts';

export async function showWouldSend(
  server: Server,
  codeActions: CodeActions,
  params: AskParams,
): Promise<void> {
  const found = await server.request('costAwareRouter/wouldSend', params);
  switch (found.kind) {
    case 'text':
      return await codeActions.show('request.http', found.text);
    case 'refused':
      void vscode.window.showInformationMessage(found.message);
      return;
    case 'empty':
  }
}
