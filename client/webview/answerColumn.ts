/**
 * One answer as it comes: where it goes, how far the model is, the text, a draft that was replaced (folded, still
 * readable), then the bill and why. It shows what the events say and keeps no opinion of its own.
 */
import type {
  AnswerEvent,
  AnswerResultWire,
  AnswerWire,
  Destination,
  NextStep,
  RouteWire,
} from '../../server/src/protocol.ts';
import type { AnswersToHost, QuestionMessage } from '../src/webviewMessages.ts';
import { button, el } from './dom.ts';
import { renderMarkdown } from './markdown.ts';
import { stepText } from './notices.ts';
import { percent, servedWord, t } from './strings.ts';
import { traceView } from './traceView.ts';

/** A growing text is drawn at most this often. */
const FRAME_MS = 60;

export interface AnswerColumn {
  readonly element: HTMLElement;
  event(event: AnswerEvent): void;
  result(result: AnswerResultWire): void;
  notice(message: string): void;
  /** Two answers stand side by side: each can be called good enough. */
  compare(): void;
}

export function createAnswerColumn(
  question: QuestionMessage,
  post: (message: AnswersToHost) => void,
): AnswerColumn {
  const { requestId } = question;
  let text = '';
  let writer = '';
  let tier: 'local' | 'cloud' | null = null;
  let drawing: ReturnType<typeof setTimeout> | undefined;
  let compared = false;
  let finished: AnswerWire | null = null;
  let route: RouteWire | null = null;

  const badge = el('p', { class: 'badge', text: t('Deciding where this goes…') });
  const state = el('p', { class: 'stage', attrs: { role: 'status' } });
  const folded = el('div', { class: 'folded' });
  const body = el('div', { class: 'text' });
  const foot = el('div', { class: 'foot' });
  const actions = el('div', {
    class: 'actions',
    attrs: { role: 'group', 'aria-label': t('About this answer') },
  });
  const word = el('p', { class: 'word', attrs: { role: 'status', 'aria-live': 'polite' } });
  // Said, not shown: the badge and the buttons show it.
  const spoken = el('p', { class: 'unseen', attrs: { role: 'status', 'aria-live': 'polite' } });
  const element = el(
    'article',
    { class: 'answer', attrs: { 'aria-busy': 'true', 'data-request': requestId } },
    [badge, state, folded, body, foot, actions, word, spoken],
  );
  actions.append(button(t('Cancel'), () => post({ type: 'cancel', requestId })));

  function routed(next: RouteWire): void {
    route = next;
    tier = route.tier;
    const unsure = route.ifUnsure === null ? null : t('if unsure: {0}', route.ifUnsure);
    badge.textContent = joined([
      servedWord(route.tier),
      route.model,
      route.estimate,
      // A time that nobody knows yet says nothing here, and what is free has no bound beside it.
      /\d/.test(route.latency) ? route.latency : null,
      unsure,
      route.bound === route.estimate ? null : route.bound,
    ]);
    foot.replaceChildren(el('p', { class: 'why line', text: route.reason }));
  }

  function grow(delta: string, model: string, draft: boolean): void {
    if (writer !== '' && writer !== model)
      fold(t('Unfinished answer of {0}, replaced by {1}', writer, model));
    writer = model;
    text += delta;
    state.textContent = draft ? draftText() : '';
    drawing ??= setTimeout(drawText, FRAME_MS);
  }

  function draftText(): string {
    return tier === 'cloud'
      ? t('Draft; it is checked when it is complete.')
      : t('Local draft; it is checked when it is complete.');
  }

  function drawText(): void {
    clearTimeout(drawing);
    drawing = undefined;
    renderMarkdown(body, text, null);
  }

  /** What was written so far gives way to another answer but can still be read. */
  function fold(line: string): void {
    clearTimeout(drawing);
    drawing = undefined;
    if (text !== '') {
      const old = el('div', { class: 'text' });
      renderMarkdown(old, text, null);
      folded.append(el('details', {}, [el('summary', { text: line }), old]));
    }
    text = '';
    writer = '';
    body.replaceChildren();
  }

  function handedOver(toModel: string): void {
    badge.textContent = joined([`${route?.model ?? ''} → ${toModel}`, route?.bound ?? null]);
    state.textContent = t('{0} is answering…', toModel);
    foot.replaceChildren();
  }

  function answered(answer: AnswerWire): void {
    finished = answer;
    text = answer.text;
    clearTimeout(drawing);
    renderMarkdown(body, text, (action, code, language) =>
      post({ type: 'code', action, requestId, code, language }),
    );
    badge.textContent = joined([
      servedWord(answer.served),
      answer.model,
      answer.served === 'cache' ? null : answer.cost.text,
      answer.latency,
      answer.savings.text,
    ]);
    state.textContent = answer.complete ? '' : t('Stopped before its end.');
    foot.replaceChildren(
      el('p', { class: 'why line', text: answer.reason }),
      el('details', { class: 'why-details' }, [
        el('summary', { text: t('Details') }),
        traceView(answer.trace),
      ]),
    );
    drawActions();
    spoken.textContent = t('Answer complete.');
  }

  function ended(message: string, ways: readonly HTMLElement[]): void {
    drawText();
    state.textContent = '';
    // What was expected of an answer that did not come is no fact about it.
    badge.textContent =
      route === null ? t('not answered') : joined([servedWord(route.tier), route.model]);
    actions.replaceChildren();
    foot.append(
      el('div', { class: 'notice', attrs: { role: 'alert' } }, [
        el('p', { text: message }),
        ...ways,
      ]),
    );
  }

  function stepButton(step: NextStep, primary: boolean): HTMLElement {
    const run = () => post({ type: 'command', command: step, modelId: null });
    return button(stepText(step), run, { primary });
  }

  /** The person decides what then; nothing was sent so far. */
  function askAtLimit(message: string): void {
    const again = (destination: Destination) => () =>
      post({ type: 'ask_again', requestId, destination });
    const cancel = () => {
      foot.replaceChildren(el('p', { class: 'why line', text: message }));
    };
    ended(message, [
      button(t('Answer locally this time'), again('local'), { primary: true }),
      stepButton('raise_budget', false),
      button(t('Ask again'), again(question.destination)),
      button(t('Cancel'), cancel),
    ]);
  }

  function drawActions(): void {
    if (!finished) return;
    // A kept answer has no tier of its own; a deferred one is of the tier that took over.
    const by = finished.served === 'cache' ? tier : finished.served;
    const other = by === 'cloud' ? 'local' : 'cloud';
    const parts: HTMLElement[] = [];
    if (compared) {
      parts.push(
        pressed(t('This one was good enough'), () =>
          post({ type: 'verdict', requestId, verdict: 'good_enough' }),
        ),
      );
    } else {
      parts.push(
        once(other === 'cloud' ? t('Ask cloud') : t('Ask local'), () =>
          post({ type: 'ask_other', requestId, destination: other }),
        ),
      );
    }
    parts.push(
      button(t('Copy'), () => post({ type: 'copy_answer', requestId }), {
        label: t('Copy the whole answer'),
      }),
    );
    parts.push(pressed(t('Helpful'), () => post({ type: 'verdict', requestId, verdict: 'up' })));
    parts.push(
      pressed(t('Not helpful'), () => post({ type: 'verdict', requestId, verdict: 'down' })),
    );
    if (question.canKeep) {
      parts.push(
        pressed(t('Keep as explanation'), () => post({ type: 'keep_explanation', requestId })),
      );
    }
    actions.replaceChildren(...parts);
  }

  return {
    element,
    event: (event) => {
      if (finished) return;
      switch (event.kind) {
        case 'route':
          routed(event.route);
          return;
        case 'progress':
          state.textContent = stageText(event.stage, event.share);
          return;
        case 'delta':
          grow(event.text, event.model, event.draft);
          return;
        case 'deferred':
          fold(event.line);
          handedOver(event.toModel);
          return;
        case 'fallback':
          fold(t('Unfinished answer, replaced by {0}', event.toModel));
          handedOver(event.toModel);
          foot.replaceChildren(el('p', { class: 'why line', text: event.reason }));
      }
    },
    result: (result) => {
      element.setAttribute('aria-busy', 'false');
      switch (result.kind) {
        case 'answered':
          answered(result.answer);
          return;
        case 'at_limit':
          askAtLimit(result.message);
          return;
        case 'failed': {
          const { message, nextStep } = result;
          ended(message, nextStep === null ? [] : [stepButton(nextStep, true)]);
        }
      }
    },
    notice: (message) => {
      word.textContent = message;
    },
    compare: () => {
      compared = true;
      drawActions();
    },
  };
}

/** A button that says by its state, not only by its look, that it was chosen. */
function pressed(text: string, onPress: () => void): HTMLElement {
  const made = button(text, () => {
    if (made.getAttribute('aria-pressed') === 'true') return;
    made.setAttribute('aria-pressed', 'true');
    made.textContent = `✓ ${text}`;
    onPress();
  });
  made.setAttribute('aria-pressed', 'false');
  return made;
}

function once(text: string, onPress: () => void): HTMLElement {
  const made = button(text, () => {
    if (made.hasAttribute('disabled')) return;
    made.setAttribute('disabled', '');
    onPress();
  });
  return made;
}

function stageText(stage: 'queued' | 'loading' | 'reading', share: number): string {
  switch (stage) {
    case 'queued':
      return t('Waiting for the model…');
    case 'loading':
      return t('Loading the model: {0}', percent(share));
    case 'reading':
      return t('Reading the question: {0}', percent(share));
  }
}

function joined(parts: readonly (string | null)[]): string {
  return parts.filter((part) => part !== null && part !== '').join(' · ');
}
