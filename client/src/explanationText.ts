/** How one answer reads inside a comment thread: its Markdown, made inert, over a foot line of what it was. Pure. */
import { inertMarkdown } from '../../server/src/inertMarkdown.ts';
import type { AnswerEvent, AnswerWire } from '../../server/src/protocol.ts';
import { escaped } from './statusBarView.ts';
import type { Translate } from './translate.ts';

/** An answer as far as it has come. */
export interface AnswerSoFar {
  /** A local text that was not good enough; it stays readable. */
  readonly draft: string;
  /** Why the draft was replaced, as a sentence; empty where it was not. */
  readonly replaced: string;
  readonly text: string;
  /** What is being done, until there is text. */
  readonly stage: string;
  readonly foot: string;
}

export function nothingYet(t: Translate): AnswerSoFar {
  return { draft: '', replaced: '', text: '', stage: t('Asking…'), foot: '' };
}

export function withEvent(answer: AnswerSoFar, event: AnswerEvent, t: Translate): AnswerSoFar {
  switch (event.kind) {
    case 'route':
      return { ...answer, foot: `${event.route.model} · ${event.route.reason}` };
    case 'progress':
      return { ...answer, stage: stageText(event.stage, t) };
    case 'delta':
      return { ...answer, text: answer.text + event.text };
    case 'deferred':
      return {
        ...answer,
        draft: answer.text,
        replaced: event.line,
        text: '',
        stage: event.toModel,
      };
    case 'fallback':
      return { ...answer, text: '', stage: event.toModel, foot: event.reason };
  }
}

function stageText(stage: 'queued' | 'loading' | 'reading', t: Translate): string {
  switch (stage) {
    case 'queued':
      return t('Waiting for the answer before this one…');
    case 'loading':
      return t('Loading the model…');
    case 'reading':
      return t('Reading the code…');
  }
}

export function answered(answer: AnswerSoFar, end: AnswerWire, t: Translate): AnswerSoFar {
  const foot = end.complete ? end.line : `${end.line} · ${t('cut off')}`;
  return { ...answer, text: end.text, stage: '', foot };
}

/** An answer that failed keeps what had come of it. */
export function failed(answer: AnswerSoFar, message: string): AnswerSoFar {
  return { ...answer, stage: '', foot: message };
}

export function explanationMarkdown(answer: AnswerSoFar, stale: boolean, t: Translate): string {
  const foot = [answer.foot, stale ? t('stale: the code has changed since') : ''].filter(Boolean);
  return [
    answer.draft === ''
      ? ''
      : `*${escaped(answer.replaced)}*\n\n${quoted(inertMarkdown(answer.draft))}`,
    answer.text === '' && answer.stage !== '' ? `*${escaped(answer.stage)}*` : '',
    inertMarkdown(answer.text),
    foot.length === 0 ? '' : `*${escaped(foot.join(' · '))}*`,
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

function quoted(text: string): string {
  return text
    .split('\n')
    .map((line) => `> ${line}`)
    .join('\n');
}
