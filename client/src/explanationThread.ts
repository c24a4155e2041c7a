/** One inline explanation as data: its turns, how they are drawn as comments, and what of them is told on and stored. */
import * as vscode from 'vscode';
import type { AskParams, CodeTaskResult } from '../../server/src/protocol.ts';
import { type AnswerSoFar, explanationMarkdown } from './explanationText.ts';

export interface AnswerTurn {
  readonly kind: 'answer';
  promptId: string;
  answer: AnswerSoFar;
  /** Its line of tier, cost and time once it is complete, as it is stored. */
  line: string | null;
  note: string;
  /** Another model was asked the same: that answer then stands for both. */
  superseded: boolean;
}

type Turn = { readonly kind: 'question'; readonly text: string } | AnswerTurn;

export interface Thread {
  readonly view: vscode.CommentThread;
  readonly task: CodeTaskResult;
  readonly turns: Turn[];
  runningId: string | null;
  stale: boolean;
  redraw: NodeJS.Timeout | undefined;
  replyable: NodeJS.Timeout | undefined;
  /** By `performance.now()`: until then VS Code may be at work on the reply box, and no comment is replaced. */
  boxMadeAtMs: number;
}

interface TurnComment extends vscode.Comment {
  readonly thread: Thread;
  readonly turn: Turn;
}

export function commentOf(thread: Thread, turn: Turn, icon: vscode.Uri): TurnComment {
  const mode = vscode.CommentMode.Preview;
  if (turn.kind === 'question') {
    const body = new vscode.MarkdownString().appendText(turn.text);
    const author = { name: vscode.l10n.t('You') };
    return { thread, turn, body, author, mode, contextValue: 'question' };
  }
  return {
    thread,
    turn,
    body: answerBody(turn, thread.stale),
    author: { name: 'Cost-Aware Router', iconPath: icon },
    mode,
    contextValue: turn.line === null ? 'unfinished' : 'answer',
    ...(turn.note === '' ? {} : { label: turn.note }),
  };
}

export function answerBody(turn: AnswerTurn, stale: boolean): vscode.MarkdownString {
  const body = new vscode.MarkdownString(explanationMarkdown(turn.answer, stale, vscode.l10n.t));
  body.isTrusted = false;
  body.supportHtml = false;
  return body;
}

/** The conversation so far, as the next question carries it. */
export function historyOf(task: CodeTaskResult, turns: readonly Turn[]): AskParams['history'] {
  const told = turns
    .filter(stands)
    .map((turn) =>
      turn.kind === 'question'
        ? { role: 'user' as const, text: turn.text }
        : { role: 'assistant' as const, text: turn.answer.text },
    );
  return [{ role: 'user' as const, text: task.text }, ...told].filter(({ text }) => text !== '');
}

/** The whole conversation about a piece of code is one explanation of it. */
export function storedText(turns: readonly Turn[]): string {
  return turns
    .filter(stands)
    .map((turn) => (turn.kind === 'question' ? `**${turn.text}**` : turn.answer.text))
    .filter((text) => text !== '')
    .join('\n\n');
}

/** The question that a turn answered, with what was said before it; `null` where that was the opening one. */
export function questionBefore(
  turns: readonly Turn[],
  turn: AnswerTurn,
): { readonly text: string; readonly earlier: readonly Turn[] } | null {
  const before = turns.slice(0, turns.indexOf(turn));
  const at = before.findLastIndex(({ kind }) => kind === 'question');
  const question = before[at];
  return question?.kind === 'question'
    ? { text: question.text, earlier: before.slice(0, at) }
    : null;
}

export function lastAnswer(turns: readonly Turn[]): AnswerTurn | undefined {
  return turns.findLast((turn) => turn.kind === 'answer');
}

export function isTurnComment(value: unknown): value is TurnComment {
  return typeof value === 'object' && value !== null && 'turn' in value && 'thread' in value;
}

/** What was typed into a reply box, as VS Code hands it over. */
export function replyText(argument: unknown): string {
  return typeof argument === 'object' &&
    argument !== null &&
    'text' in argument &&
    typeof argument.text === 'string'
    ? argument.text
    : '';
}

function stands(turn: Turn): boolean {
  return turn.kind === 'question' || !turn.superseded;
}
