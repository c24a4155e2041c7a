/** `@router` in VS Code's chat: asks the router, explains code, and says why, what it cost and what both tiers answer. */
import * as vscode from 'vscode';
import type { ContextWire, Destination } from '../../../server/src/protocol.ts';
import type { Answering } from '../answering.ts';
import { referencePart } from '../attachments.ts';
import { targetRange } from '../codeContext.ts';
import { commandId, stepCommand } from '../commandIds.ts';
import type { Server } from '../server.ts';
import { escaped, stepLabel } from '../statusBarView.ts';
import {
  comparedMarkdown,
  historyOf,
  type KeptAnswer,
  keptAnswer,
  spendMarkdown,
  whyMarkdown,
} from './participantText.ts';

const ID = 'cost-aware-router.router';
const { l10n } = vscode;

interface Turn {
  readonly request: vscode.ChatRequest;
  /** Answers of this chat, oldest first. */
  readonly earlier: readonly KeptAnswer[];
  readonly stream: vscode.ChatResponseStream;
  readonly token: vscode.CancellationToken;
}

export function registerParticipant(
  server: Server,
  answering: Answering,
  icon: vscode.Uri,
): vscode.Disposable {
  /** Streams an answer; what it was stands below it. */
  async function answer(
    { request, earlier, stream, token }: Turn,
    text: string,
    context: readonly ContextWire[],
  ): Promise<vscode.ChatResult> {
    const params = answering.paramsOf({
      text,
      context,
      history: historyOf(earlier),
      destination: 'auto',
      standing: true,
    });
    const result = await answering.run(
      params,
      (event) => {
        if (event.kind === 'delta') stream.markdown(event.text);
        if (event.kind === 'route') stream.progress(`${event.route.model} · ${event.route.reason}`);
        if (event.kind === 'deferred') stream.progress(event.line);
        if (event.kind === 'fallback') stream.progress(event.reason);
      },
      token,
    );
    if (result.kind === 'answered') {
      const { line, trace } = result.answer;
      stream.markdown(`\n\n*${escaped([line, ...trace.leftOut].join(' · '))}*`);
      return { metadata: { question: request.prompt || text, text: result.answer.text } };
    }
    if (result.kind === 'failed' && result.nextStep !== null) {
      const command = stepCommand(result.nextStep);
      stream.button({ command, title: stepLabel(result.nextStep, l10n.t) });
    }
    if (result.kind === 'at_limit') {
      stream.button({ command: commandId('openBudget'), title: l10n.t('Change the Budget') });
    }
    return { errorDetails: { message: result.message } };
  }

  async function explain(turn: Turn): Promise<vscode.ChatResult> {
    const attached = await attachedTo(turn.request);
    const { prompt } = turn.request;
    if (attached.length > 0) {
      const question = prompt || l10n.t('Explain this: what it does, how, and what to watch for.');
      return await answer(turn, question, attached);
    }
    const range = targetRange(undefined);
    const task =
      range && (await server.request('costAwareRouter/codeTask', { task: 'explain', range }));
    if (task === null) {
      turn.stream.markdown(
        l10n.t('There is no code here to explain. Put the cursor into it, select it or attach it.'),
      );
      return {};
    }
    const question = prompt === '' ? task.text : `${task.text}\n\n${prompt}`;
    return await answer(turn, question, task.context);
  }

  async function why({ stream }: Turn): Promise<vscode.ChatResult> {
    const { rows } = await server.request('costAwareRouter/routes', { offset: 0, limit: 1 });
    const [last] = rows;
    if (last === undefined) {
      stream.markdown(l10n.t('Nothing was asked yet.'));
      return {};
    }
    const { promptId } = last;
    const trace = await server.request('costAwareRouter/trace', { promptId });
    stream.markdown(whyMarkdown(last, trace, l10n.t));
    stream.button({ command: commandId('showLastRoute'), title: l10n.t('Open in the Dashboard') });
    return {};
  }

  async function spend({ stream }: Turn): Promise<vscode.ChatResult> {
    const [report, { budgets }] = await Promise.all([
      server.request('costAwareRouter/report', {}),
      server.request('costAwareRouter/status', null),
    ]);
    stream.markdown(spendMarkdown(report, budgets, l10n.t));
    stream.button({ command: commandId('openDashboard'), title: l10n.t('Open the Dashboard') });
    return {};
  }

  /** Without words of its own it compares the last question of this chat. */
  async function compare({ request, earlier, stream, token }: Turn): Promise<vscode.ChatResult> {
    const last = earlier.at(-1);
    const text = request.prompt || (last?.question ?? '');
    if (text === '') {
      stream.markdown(l10n.t('Say what to compare: a question after the command.'));
      return {};
    }
    const before = request.prompt === '' ? earlier.slice(0, -1) : earlier;
    const context = await attachedTo(request);
    const asks = (['local', 'cloud'] satisfies Destination[]).map((destination) => ({
      title: destination === 'local' ? l10n.t('Local') : l10n.t('Cloud'),
      params: answering.paramsOf({
        text,
        context,
        history: historyOf(before),
        destination,
        standing: true,
      }),
    }));
    // All before the first answer: what stands above a later step, VS Code folds away.
    for (const { title, params } of asks) {
      const preview = await server.request('costAwareRouter/preview', params, token);
      if (preview.kind !== 'route') continue;
      stream.progress(`${title}: ${preview.route.model}, ${preview.route.bound}`);
    }
    for (const { title, params } of asks) {
      const result = await answering.run(params, () => {}, token);
      if (token.isCancellationRequested) return {};
      stream.markdown(
        result.kind === 'answered'
          ? comparedMarkdown(title, result.answer.text, result.answer.line)
          : comparedMarkdown(title, result.message, l10n.t('no answer')),
      );
    }
    return {};
  }

  async function handle(turn: Turn): Promise<vscode.ChatResult> {
    switch (turn.request.command) {
      case 'explain':
        return await explain(turn);
      case 'why':
        return await why(turn);
      case 'spend':
        return await spend(turn);
      case 'compare':
        return await compare(turn);
      default:
        if (turn.request.prompt.trim() === '') {
          turn.stream.markdown(l10n.t('Ask anything, or use /explain, /why, /spend or /compare.'));
          return {};
        }
        return await answer(turn, turn.request.prompt, await attachedTo(turn.request));
    }
  }

  const participant = vscode.chat.createChatParticipant(ID, (request, { history }, stream, token) =>
    handle({ request, earlier: answersIn(history), stream, token }),
  );
  participant.iconPath = icon;
  return participant;
}

function answersIn(history: vscode.ChatContext['history']): KeptAnswer[] {
  return history.flatMap((turn) => {
    const kept = 'result' in turn ? keptAnswer(turn.result.metadata) : null;
    return kept === null ? [] : [kept];
  });
}

async function attachedTo({ references }: vscode.ChatRequest): Promise<ContextWire[]> {
  const parts = await Promise.all(references.map(({ value }) => referencePart(value)));
  return parts.filter((part) => part !== null);
}
