/**
 * Runs the code tasks for editors that know nothing of this server's own requests: the answer is kept at its code, where a hover
 * shows all of it, and its beginning is shown as a message.
 */
import { z } from 'zod';
import type { CodeRange } from '../protocol.ts';
import { answer } from './answering.ts';
import { codeTask } from './code/codeTasks.ts';
import { taskOfCommand } from './code/features.ts';
import type { HandlerDeps } from './handlers.ts';
import { waysOut } from './wire/answer.ts';

export interface PlainCommand {
  readonly command: string;
  readonly args: readonly unknown[];
}

export interface PlainCommandContext {
  readonly requestId: string;
  readonly sessionId: string;
  readonly workspaceId: string | undefined;
  readonly signal: AbortSignal;
  /** Told of the work in words, for a progress display. */
  readonly onStep: (message: string) => void;
}

const place = z.number().int().min(0);

const rangeSchema = z.object({
  uri: z.string(),
  startLine: place,
  startCharacter: place,
  endLine: place,
  endCharacter: place,
}) satisfies z.ZodType<CodeRange>;

/** More lines than this are no message but a document; the hover has them. */
const SHOWN_LINES = 6;

/** The message to show, or why there is none. */
export async function runPlainCommand(
  { command, args }: PlainCommand,
  context: PlainCommandContext,
  deps: HandlerDeps,
): Promise<{ readonly kind: 'info' | 'error'; readonly message: string }> {
  const { live, documents, explanations, status, pathOf } = deps;
  const language = deps.language();
  const { t } = language;
  const task = taskOfCommand(command);
  if (task === undefined) {
    return error(t("expected one of this server's commands, got {command}", { command }));
  }
  const range = rangeSchema.safeParse(args[0]);
  if (!range.success) {
    return error(
      t('expected {command} to get {arguments}; use the code action', {
        command,
        arguments: '{uri, startLine, startCharacter, endLine, endCharacter}',
      }),
    );
  }
  const document = documents.get(range.data.uri);
  if (document === undefined) {
    return error(
      t('expected a document that is open, got {uri}; open it first', { uri: range.data.uri }),
    );
  }
  const app = await live.get();
  const asked = codeTask(task, document, range.data, await documents.units(document), {
    sha256: app.ports.sha256,
    pathOf,
    t,
  });
  if (asked === undefined) return error(t('There is no code here to ask about.'));

  const { requestId, sessionId, workspaceId, signal, onStep } = context;
  live.meetWorkspace(workspaceId);
  const result = await answer(
    app,
    {
      requestId,
      text: asked.text,
      context: asked.context,
      history: [],
      destination: 'auto',
      sessionId,
      ...(workspaceId === undefined ? {} : { workspaceId }),
      // A plain client tells nothing of trust, and its person asked for this.
      trusted: true,
    },
    {
      language,
      keepHistory: live.settings().keepHistory,
      onEvent(event) {
        if (event.kind === 'route')
          onStep(
            `${event.route.tier === 'local' ? t('local') : t('cloud')} · ${event.route.model}`,
          );
        if (event.kind === 'deferred') onStep(event.line);
      },
      watch: status.watch,
    },
    signal,
  );
  // A plain editor has no buttons to ask with.
  if (result.kind === 'at_limit') return error(`${result.message} ${waysOut(t)}`);
  if (result.kind === 'failed') return error(result.message);
  const { text, line } = result.answer;
  await explanations.keep(app, {
    codeHash: asked.codeHash,
    task,
    range: asked.range,
    promptId: requestId,
    text,
    line,
  });
  const lines = text.trim().split('\n');
  const shown = lines.slice(0, SHOWN_LINES).join('\n');
  const more = lines.length > SHOWN_LINES ? `\n… ${t('(hover over the code for all of it)')}` : '';
  return { kind: 'info', message: `${asked.title}\n${shown}${more}\n${line}` };
}

function error(message: string) {
  return { kind: 'error', message } as const;
}
