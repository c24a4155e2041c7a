/** A conversation that a program of the editor leads (its chat, its agents), answered by the router or by the model it names. */
import type { App } from '../../compose.ts';
import { callerConversation } from '../../core/callerConversation.ts';
import type { ToolUse } from '../../core/callerWishes.ts';
import type { Translate } from '../../core/translate.ts';
import type { Constraints, Prompt, Registry, Turn } from '../../core/types.ts';
import type { ChatParams, ChatResultWire } from '../../protocol.ts';
import { type AnswerOptions, answerPrompt } from '../answering.ts';
import { answerWire } from '../wire/answer.ts';
import { retold } from '../wire/retold.ts';
import { AUTO } from './chatModels.ts';

/** More than any model can write: its own cap then holds. Agents write whole files, where a person's question needs a page. */
const ALL_IT_CAN_WRITE = 1_000_000;

export async function answerChat(
  app: App,
  params: ChatParams,
  options: Omit<AnswerOptions, 'keepHistory'>,
  signal: AbortSignal,
): Promise<ChatResultWire> {
  const { t } = options.language;
  const asked = promptOf(params, app.catalogue.registry(), t);
  if (asked.kind === 'failed') return asked;
  const { trusted } = params;
  const ended = await answerPrompt(
    app,
    { prompt: asked.prompt, trusted, standing: true, asks: false },
    options,
    signal,
  );
  switch (ended.kind) {
    case 'ended': {
      const { result } = ended;
      const answer = answerWire(params.requestId, result, app.catalogue.registry(), t);
      return { kind: 'answered', answer, toolCalls: result.toolCalls };
    }
    case 'at_limit':
      throw new Error('expected a failure where nobody can be asked, got a question');
    case 'failed':
      return ended;
  }
}

type AskedPrompt =
  | { readonly kind: 'prompt'; readonly prompt: Prompt }
  | Extract<ChatResultWire, { kind: 'failed' }>;

function promptOf(params: ChatParams, registry: Registry, t: Translate): AskedPrompt {
  const { modelId, requestId, sessionId, workspaceId, trusted } = params;
  const forced = registry.models.find(({ id, enabled }) => enabled && id === modelId);
  if (modelId !== AUTO && forced === undefined) {
    const message = t(
      'expected an enabled model of the registry, got another name; choose one of the list',
    );
    return { kind: 'failed', code: 'unknown_model', message, nextStep: 'choose_model' };
  }
  const { messages } = params;
  const read = callerConversation(
    messages.flatMap(({ role, text }) => (role === 'instructions' ? [text] : [])),
    messages.filter((message): message is Turn => message.role !== 'instructions'),
  );
  if (read.kind === 'refused') {
    const message = retold(read.message, t);
    return { kind: 'failed', code: 'bad_request', message, nextStep: null };
  }
  const tools = toolsOf(params);
  const { temperature } = params;
  const constraints: Constraints = {
    maxOutputTokens: params.maxOutputTokens ?? ALL_IT_CAN_WRITE,
    ...(forced !== undefined && { forceModel: { id: forced.id } }),
    ...(!trusted && { privacy: 'untrusted-workspace' }),
  };
  return {
    kind: 'prompt',
    prompt: {
      id: requestId,
      ...read.value,
      context: [],
      constraints,
      sessionId,
      ...(workspaceId === undefined ? {} : { workspaceId }),
      ...(tools === undefined ? {} : { tools }),
      ...(temperature === undefined ? {} : { sampling: { temperature } }),
    },
  };
}

function toolsOf({ tools, mustCall }: ChatParams): ToolUse | undefined {
  if (tools.length === 0) return undefined;
  return { tools, ...(mustCall && { choice: 'required' as const }) };
}
