/**
 * Our models in VS Code's own chat and agents: the router's choice and every model by itself. Each request goes through the
 * router, so the budget, the privacy rules and the ledger hold for it as for any other.
 */
import * as vscode from 'vscode';
import type { ChatModelWire } from '../../../server/src/protocol.ts';
import type { Answering } from '../answering.ts';
import type { Server } from '../server.ts';
import type { StatusSource } from '../statusBar.ts';
import { chatError, chatFailure } from './chatFailure.ts';
import { countedText, messagesOf } from './chatMessages.ts';

const VENDOR = 'cost-aware-router';

/** The list is asked for again at most so often: each answer changes the status, few change the list. */
const LOOK_AGAIN_MS = 3_000;

export function registerLanguageModels(
  server: Server,
  answering: Answering,
  status: StatusSource,
): vscode.Disposable {
  const changed = new vscode.EventEmitter<void>();
  let known: string | null = null;
  let looking: NodeJS.Timeout | undefined;

  async function models(): Promise<readonly ChatModelWire[]> {
    return await server.request('costAwareRouter/chatModels', null);
  }

  async function look(): Promise<void> {
    looking = undefined;
    if (known === null) return;
    const now = JSON.stringify(await models().catch(() => []));
    if (now === known) return;
    known = now;
    changed.fire();
  }

  const provider: vscode.LanguageModelChatProvider = {
    onDidChangeLanguageModelChatInformation: changed.event,
    async provideLanguageModelChatInformation() {
      const found = await models();
      known = JSON.stringify(found);
      return found.map(({ callsTools, ...model }) => ({
        ...model,
        capabilities: { toolCalling: callsTools, imageInput: false },
      }));
    },
    async provideLanguageModelChatResponse(model, messages, options, progress, token) {
      const read = messagesOf(messages);
      if (read.kind === 'unreadable') {
        throw chatError(
          vscode.l10n.t('No model here reads attachments of kind {0}. Send text.', read.mimeType),
        );
      }
      const { tools = [], toolMode, modelOptions = {} } = options;
      const { temperature, max_tokens: maxTokens } = modelOptions as Record<string, unknown>;
      const result = await answering.runChat(
        {
          modelId: model.id,
          messages: read.messages,
          tools: tools.map(({ name, description, inputSchema }) => ({
            name,
            description,
            ...(inputSchema !== undefined && {
              parameters: inputSchema as Readonly<Record<string, unknown>>,
            }),
          })),
          mustCall: toolMode === vscode.LanguageModelChatToolMode.Required,
          ...(typeof maxTokens === 'number' && { maxOutputTokens: maxTokens }),
          ...(typeof temperature === 'number' && { temperature }),
        },
        (event) => {
          if (event.kind === 'delta') progress.report(new vscode.LanguageModelTextPart(event.text));
        },
        token,
      );
      if (result.kind === 'failed') throw chatFailure(result);
      for (const { id, name, argumentsJson } of result.toolCalls) {
        progress.report(new vscode.LanguageModelToolCallPart(id, name, inputOf(argumentsJson)));
      }
    },
    async provideTokenCount(_model, text, token) {
      const counted = countedText(text);
      if (counted === '') return 0;
      const { tokens } = await server.request(
        'costAwareRouter/countTokens',
        { text: counted },
        token,
      );
      return tokens;
    },
  };

  const registered = vscode.lm.registerLanguageModelChatProvider(VENDOR, provider);
  // VS Code asks for a list when it is opened; a chat that is written to before has no model and says so, `@router` too.
  vscode.lm.selectChatModels({ vendor: VENDOR }).then(
    () => {},
    () => {},
  );
  return vscode.Disposable.from(
    changed,
    registered,
    status.onDidChange(() => {
      looking ??= setTimeout(() => void look(), LOOK_AGAIN_MS);
    }),
    new vscode.Disposable(() => clearTimeout(looking)),
  );
}

/** A model may write what is no JSON; the tool that it meant can't be called with it. */
function inputOf(argumentsJson: string): object {
  try {
    const input: unknown = argumentsJson.trim() === '' ? {} : JSON.parse(argumentsJson);
    if (typeof input === 'object' && input !== null) return input;
  } catch {
    // Told below, as anything else that is no object.
  }
  throw chatError(
    vscode.l10n.t('The model called a tool with arguments that are no JSON object. Ask again.'),
  );
}
