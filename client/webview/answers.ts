/**
 * The answers page: questions in the order they were asked, each with its answer, or with two side by side when the other
 * tier was asked as well. The extension tells everything by request id; the page only draws and reports what is pressed.
 */
import './answers.css';
import '@vscode-elements/elements/dist/vscode-button/index.js';
import type { AnswersToHost, HostToAnswers, QuestionMessage } from '../src/webviewMessages.ts';
import { type AnswerColumn, createAnswerColumn } from './answerColumn.ts';
import { el } from './dom.ts';
import { connect } from './host.ts';
import { parseHostToAnswers } from './hostMessages.ts';
import { t } from './strings.ts';

/** Older questions leave the page; the history keeps them where it is on. */
const KEPT_TURNS = 30;
/** This near to the end the page follows a growing answer. */
const FOLLOW_PX = 60;

interface Turn {
  readonly element: HTMLElement;
  readonly columns: HTMLElement;
  readonly answers: Map<string, AnswerColumn>;
}

const host = connect<AnswersToHost, HostToAnswers>(parseHostToAnswers);
const page = document.getElementById('page') ?? document.body;
const empty = el('p', { class: 'quiet', text: t('Ask a question and its answer appears here.') });
const turns = new Map<string, Turn>();
const answers = new Map<string, AnswerColumn>();

page.append(empty);
host.onMessage((message) => {
  const follow = nearEnd();
  receive(message);
  // Whoever asks wants to see it, wherever the page stood before.
  const asked = message.type === 'question' ? turns.get(message.requestId)?.element : undefined;
  if (follow || (asked !== undefined && asked === page.lastElementChild)) {
    window.scrollTo({ top: document.documentElement.scrollHeight });
  } else {
    asked?.scrollIntoView({ block: 'nearest' });
  }
});
host.post({ type: 'ready' });

function receive(message: HostToAnswers): void {
  switch (message.type) {
    case 'question':
      ask(message);
      return;
    case 'event':
      answers.get(message.requestId)?.event(message.event);
      return;
    case 'result':
      answers.get(message.requestId)?.result(message.result);
      return;
    case 'notice':
      answers.get(message.requestId)?.notice(message.message);
      return;
    case 'clear':
      turns.clear();
      answers.clear();
      page.replaceChildren(empty);
  }
}

function ask(question: QuestionMessage): void {
  const column = createAnswerColumn(question, (message) => host.post(message));
  const old = answers.get(question.requestId) ?? answers.get(question.replaces ?? '');
  const known =
    turns.get(question.requestId) ??
    turns.get(question.replaces ?? '') ??
    turns.get(question.retryOf ?? '');
  const turn = known ?? newTurn(question);
  // An extension that does not know what the page still shows tells everything again: the answer then starts anew.
  if (old) old.element.replaceWith(column.element);
  else turn.columns.append(column.element);
  turn.answers.delete(question.replaces ?? '');
  turn.answers.set(question.requestId, column);
  turns.set(question.requestId, turn);
  answers.set(question.requestId, column);
  if (turn.answers.size > 1) for (const answer of turn.answers.values()) answer.compare();
}

function newTurn(question: QuestionMessage): Turn {
  empty.remove();
  const columns = el('div', { class: 'columns' });
  const element = el(
    'section',
    { class: 'turn', attrs: { 'aria-label': t('Question and answer') } },
    [
      el('h2', { class: 'question', text: question.question }),
      question.context === '' ? null : el('p', { class: 'context', text: question.context }),
      columns,
    ],
  );
  page.append(element);
  const turn = { element, columns, answers: new Map<string, AnswerColumn>() };
  const all = [...new Set(turns.values())];
  for (const old of all.slice(0, Math.max(0, all.length + 1 - KEPT_TURNS))) forget(old);
  return turn;
}

function forget(turn: Turn): void {
  turn.element.remove();
  for (const requestId of turn.answers.keys()) {
    turns.delete(requestId);
    answers.delete(requestId);
  }
}

function nearEnd(): boolean {
  const { scrollHeight, clientHeight, scrollTop } = document.documentElement;
  return scrollHeight - clientHeight - scrollTop < FOLLOW_PX;
}
