/**
 * Inline explanations: comment threads at the code. A thread streams its answer, takes follow-up questions with all it has
 * so far as context, and is stored by the hash of its code, so that it comes back for nothing while the code is unchanged.
 */
import * as vscode from 'vscode';
import type {
  AskParams,
  CodeTaskResult,
  Destination,
  ExplanationWire,
  Verdict,
} from '../../server/src/protocol.ts';
import type { Answering } from './answering.ts';
import { editorRange } from './codeContext.ts';
import { stepCommand } from './commandIds.ts';
import { answered, failed, nothingYet, withEvent } from './explanationText.ts';
import {
  type AnswerTurn,
  answerBody,
  commentOf,
  historyOf,
  isTurnComment,
  lastAnswer,
  questionBefore,
  replyText,
  storedText,
  type Thread,
} from './explanationThread.ts';
import { messageOf, type Server } from './server.ts';
import { stepLabel } from './statusBarView.ts';

/** At most ten redraws a second: each replaces all comments of the thread. */
const REDRAW_MS = 100;

/**
 * VS Code makes a thread's reply box in several steps. Comments that are replaced in between, also ones that were told before and
 * are still being drawn, have it draw the button of the box a second time. So the box is made with the thread, which may be
 * replied to until the first redraw, and that waits so long. Only a thread that was not shown then gets its box later: so
 * long after its last redraw.
 */
const BOX_MADE_MS = 1_000;
const BEFORE_BOX_MS = 500;

/** After an edit, before it is asked whether the explanations still fit. */
const SETTLE_MS = 500;

export interface Explanations {
  explain(task: CodeTaskResult): Promise<void>;
  reply(argument: unknown): Promise<void>;
  askBigger(argument: unknown): Promise<void>;
  keep(argument: unknown): Promise<void>;
  dismiss(argument: unknown): Promise<void>;
  rate(argument: unknown, verdict: 'up' | 'down'): Promise<void>;
}

export function createExplanations(
  server: Server,
  answering: Answering,
  icon: vscode.Uri,
): Explanations & vscode.Disposable {
  const controller = vscode.comments.createCommentController(
    'costAwareRouter.explanations',
    vscode.l10n.t('Explanations'),
  );
  controller.options = {
    prompt: vscode.l10n.t('Ask a follow-up question'),
    placeHolder: vscode.l10n.t('Ask a follow-up question'),
  };
  const threads = new Map<vscode.CommentThread, Thread>();

  function draw(thread: Thread): void {
    clearTimeout(thread.redraw);
    thread.redraw = undefined;
    if (!threads.has(thread.view)) return;
    const boxMadeInMs = thread.boxMadeAtMs - performance.now();
    if (boxMadeInMs > 0) {
      thread.redraw = setTimeout(() => draw(thread), boxMadeInMs);
      return;
    }
    thread.view.comments = thread.turns.map((turn) => commentOf(thread, turn, icon));
    thread.view.contextValue = thread.runningId === null ? 'explanation' : 'running';
    clearTimeout(thread.replyable);
    if (thread.runningId !== null) thread.view.canReply = false;
    else if (thread.view.canReply === false) {
      thread.replyable = setTimeout(() => {
        thread.view.canReply = true;
        thread.boxMadeAtMs = performance.now() + BOX_MADE_MS;
      }, BEFORE_BOX_MS);
    }
  }

  function drawSoon(thread: Thread): void {
    thread.redraw ??= setTimeout(() => draw(thread), REDRAW_MS);
  }

  /** @param body what stands there until the first redraw; an empty thread would open its reply box, to be written first */
  function open(task: CodeTaskResult, body: string | vscode.MarkdownString): Thread {
    const opening: vscode.Comment = {
      body,
      author: { name: 'Cost-Aware Router', iconPath: icon },
      mode: vscode.CommentMode.Preview,
    };
    // An editor that was there before this controller, as after a reload, may not know of it yet and drops the thread. This has
    // it look again, and what comes while it looks waits. Where threads are already shown, it would draw them twice.
    controller.commentingRangeProvider ??= { provideCommentingRanges: () => [] };
    const view = controller.createCommentThread(
      vscode.Uri.parse(task.range.uri),
      editorRange(task.range),
      [opening],
    );
    view.label = task.title;
    view.collapsibleState = vscode.CommentThreadCollapsibleState.Expanded;
    const thread: Thread = {
      view,
      task,
      turns: [],
      runningId: null,
      stale: false,
      redraw: undefined,
      replyable: undefined,
      boxMadeAtMs: performance.now() + BOX_MADE_MS,
    };
    threads.set(view, thread);
    return thread;
  }

  async function run(
    thread: Thread,
    text: string,
    history: AskParams['history'],
    destination: Destination,
    retryOf?: string,
  ): Promise<void> {
    const params = answering.paramsOf({
      text,
      context: thread.task.context,
      history,
      destination,
      ...(retryOf === undefined ? {} : { retryOf }),
    });
    const promptId = params.requestId;
    const turn: AnswerTurn = {
      kind: 'answer',
      promptId,
      answer: nothingYet(vscode.l10n.t),
      line: null,
      note: '',
      superseded: false,
    };
    thread.turns.push(turn);
    thread.runningId = promptId;
    draw(thread);
    const result = await answering.run(params, (event) => {
      turn.answer = withEvent(turn.answer, event, vscode.l10n.t);
      drawSoon(thread);
    });
    thread.runningId = null;
    if (result.kind === 'answered') {
      turn.promptId = result.answer.requestId;
      turn.answer = answered(turn.answer, result.answer, vscode.l10n.t);
      turn.line = result.answer.line;
    } else {
      turn.answer = failed(turn.answer, result.message);
    }
    draw(thread);
    if (result.kind === 'answered' && result.answer.complete) {
      for (const each of thread.turns) {
        if (each.kind === 'answer' && each.promptId === retryOf) each.superseded = true;
      }
      await store(thread, turn);
      if (result.answer.served === 'local') await tellBigger(thread, turn, params);
    }
    if (!threads.has(thread.view)) return;
    if (result.kind === 'at_limit' && (await asksForLocal(result.message))) {
      thread.turns.splice(thread.turns.indexOf(turn), 1);
      await run(thread, text, history, 'local');
    }
    if (result.kind === 'failed' && result.nextStep !== null) {
      const label = stepLabel(result.nextStep, vscode.l10n.t);
      const chosen = await vscode.window.showWarningMessage(result.message, label);
      if (chosen === label) await vscode.commands.executeCommand(stepCommand(result.nextStep));
    }
  }

  /** What the bigger model would cost at most, beside the button that asks it. */
  async function tellBigger(thread: Thread, turn: AnswerTurn, asked: AskParams): Promise<void> {
    const preview = await server
      .request('costAwareRouter/preview', { ...asked, destination: 'cloud' })
      .catch(() => null);
    if (preview?.kind !== 'route' || preview.route.tier !== 'cloud') return;
    const offer = vscode.l10n.t('the bigger model: {0}', preview.route.bound);
    turn.answer = { ...turn.answer, foot: `${turn.answer.foot} · ${offer}` };
    draw(thread);
  }

  async function store(thread: Thread, turn: AnswerTurn): Promise<string> {
    if (turn.line === null || !threads.has(thread.view)) return '';
    const { codeHash, task, range } = thread.task;
    const done = await server
      .request('costAwareRouter/keepExplanation', {
        codeHash,
        task,
        range,
        promptId: turn.promptId,
        text: storedText(thread.turns),
        line: turn.line,
      })
      .catch((error: unknown) => ({ message: messageOf(error) }));
    return done.message;
  }

  function showStored(task: CodeTaskResult, stored: ExplanationWire): void {
    const turn: AnswerTurn = {
      kind: 'answer',
      promptId: stored.promptId,
      answer: {
        draft: '',
        replaced: '',
        text: stored.text,
        stage: '',
        foot: `${stored.line} · ${vscode.l10n.t('stored')}`,
      },
      line: stored.line,
      note: '',
      superseded: false,
    };
    const thread = open(task, answerBody(turn, stored.stale));
    thread.turns.push(turn);
    thread.stale = stored.stale;
    draw(thread);
  }

  async function verdict(turn: AnswerTurn, given: Verdict): Promise<void> {
    await server.request('costAwareRouter/outcome', { promptId: turn.promptId, verdict: given });
  }

  /** What a button of a comment, a thread or its reply box hands over; the newest thread for the palette. */
  function threadOf(argument: unknown): Thread | undefined {
    if (typeof argument !== 'object' || argument === null) return [...threads.values()].at(-1);
    if (isTurnComment(argument)) return argument.thread;
    const view = 'thread' in argument ? argument.thread : argument;
    return threads.get(view as vscode.CommentThread);
  }

  function answerOf(argument: unknown): AnswerTurn | undefined {
    if (isTurnComment(argument)) {
      return argument.turn.kind === 'answer' ? argument.turn : undefined;
    }
    const thread = threadOf(argument);
    return thread && lastAnswer(thread.turns);
  }

  async function refreshStale(uri: string): Promise<void> {
    const here = [...threads.values()].filter(({ task }) => task.range.uri === uri);
    if (here.length === 0) return;
    const stored = await server.request('costAwareRouter/explanations', { uri });
    for (const thread of here) {
      const known = stored.find((one) => isOf(thread.task, one));
      if (known === undefined || known.stale === thread.stale) continue;
      thread.stale = known.stale;
      draw(thread);
    }
  }

  let settle: NodeJS.Timeout | undefined;
  const subscriptions = [
    controller,
    server.on('costAwareRouter/explanationsChanged', ({ uri }) => {
      void refreshStale(uri).catch(() => undefined);
    }),
    vscode.workspace.onDidChangeTextDocument(({ document }) => {
      const uri = document.uri.toString();
      if (![...threads.values()].some(({ task }) => task.range.uri === uri)) return;
      clearTimeout(settle);
      settle = setTimeout(() => void refreshStale(uri).catch(() => undefined), SETTLE_MS);
    }),
  ];

  return {
    async explain(task) {
      const isOpen = [...threads.values()].find(
        (thread) =>
          thread.task.codeHash === task.codeHash &&
          thread.task.range.uri === task.range.uri &&
          !thread.stale,
      );
      if (isOpen !== undefined) {
        isOpen.view.collapsibleState = vscode.CommentThreadCollapsibleState.Expanded;
        const failedBefore = isOpen.runningId === null && lastAnswer(isOpen.turns)?.line === null;
        if (failedBefore) await run(isOpen, task.text, [], 'auto');
        return;
      }
      const stored = await server.request('costAwareRouter/explanations', { uri: task.range.uri });
      const known = stored.find((one) => isOf(task, one) && !one.stale);
      if (known !== undefined) return showStored(task, known);
      await run(open(task, vscode.l10n.t('Asking…')), task.text, [], 'auto');
    },
    async reply(argument) {
      const thread = threadOf(argument);
      const text = replyText(argument).trim();
      if (thread === undefined || text === '' || thread.runningId !== null) return;
      const history = historyOf(thread.task, thread.turns);
      thread.turns.push({ kind: 'question', text });
      await run(thread, text, history, 'auto');
    },
    async askBigger(argument) {
      const thread = threadOf(argument);
      const turn = answerOf(argument);
      if (thread === undefined || turn === undefined || thread.runningId !== null) return;
      await verdict(turn, 'asked_bigger').catch(() => undefined);
      const question = questionBefore(thread.turns, turn);
      const history = question === null ? [] : historyOf(thread.task, question.earlier);
      await run(thread, question?.text ?? thread.task.text, history, 'cloud', turn.promptId);
    },
    async keep(argument) {
      const thread = threadOf(argument);
      const turn = answerOf(argument);
      if (thread === undefined || turn === undefined || turn.line === null) return;
      turn.note = (await store(thread, turn)) || vscode.l10n.t('kept');
      draw(thread);
      await verdict(turn, 'kept');
    },
    async dismiss(argument) {
      const thread = threadOf(argument);
      if (thread === undefined) return;
      if (thread.runningId !== null) answering.cancel(thread.runningId);
      threads.delete(thread.view);
      stopTimers(thread);
      thread.view.dispose();
      const turn = lastAnswer(thread.turns);
      const { codeHash, task } = thread.task;
      await server.request('costAwareRouter/dropExplanation', { codeHash, task });
      if (turn !== undefined && turn.line !== null) await verdict(turn, 'dismissed');
    },
    async rate(argument, given) {
      const thread = threadOf(argument);
      const turn = answerOf(argument);
      if (thread === undefined || turn === undefined || turn.line === null) return;
      await verdict(turn, given);
      turn.note = given === 'up' ? vscode.l10n.t('rated good') : vscode.l10n.t('rated poor');
      draw(thread);
    },
    dispose() {
      clearTimeout(settle);
      for (const thread of threads.values()) stopTimers(thread);
      vscode.Disposable.from(...subscriptions).dispose();
    },
  };
}

function stopTimers(thread: Thread): void {
  clearTimeout(thread.redraw);
  clearTimeout(thread.replyable);
}

function isOf(task: CodeTaskResult, stored: ExplanationWire): boolean {
  return stored.codeHash === task.codeHash && stored.task === task.task;
}

/** What to do about a question that a budget does not cover; whether it is to be answered locally this time. */
async function asksForLocal(message: string): Promise<boolean> {
  const locally = vscode.l10n.t('Answer locally this time');
  const raise = vscode.l10n.t('Change the Budget');
  const cancel = vscode.l10n.t('Cancel');
  const chosen = await vscode.window.showWarningMessage(message, locally, raise, cancel);
  if (chosen === raise) await vscode.commands.executeCommand(stepCommand('raise_budget'));
  return chosen === locally;
}
