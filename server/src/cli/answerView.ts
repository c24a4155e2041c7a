/** Draws the events of one answer: as a stream on a terminal, as the final text on a pipe, as one object with `--json`. */
import type { AnswerResult, Route, RouterEvent } from '../core/answer.ts';
import { assertNever } from '../core/errors.ts';
import { reasonSentence } from '../core/reason.ts';
import { answerLine, formatSeconds, formatUsd, labelOf, takeoverText } from '../core/report.ts';
import { leftOutSentence } from '../core/trimToFit.ts';
import type { Registry } from '../core/types.ts';
import { type CliIo, printable, styled, writeLine } from './io.ts';
import { createProgress } from './progress.ts';

type StreamEvent = Exclude<RouterEvent, { type: 'answer-end' | 'answer-failed' }>;

export interface AnswerView {
  show(event: StreamEvent): void;
  end(result: AnswerResult): Promise<void>;
  /** Clears what is half drawn, before an error is written. */
  stop(): void;
}

/** Streams drafts too: a person reads along, and a line says when another model takes over. */
export function terminalView(io: CliIo, registry: Registry): AnswerView {
  const { stdout } = io;
  const names = labelOf(registry);
  const progress = createProgress(io);
  const note = (text: string) => stdout.write(`${styled('gray', text, stdout, io)}\n`);
  let shown = '';
  let first = '';

  const breakLine = () => {
    progress.clear();
    if (shown !== '' && !shown.endsWith('\n')) stdout.write('\n');
    shown = '';
  };

  return {
    show(event) {
      switch (event.type) {
        case 'route-decided':
          first = event.route.modelId;
          return;
        case 'progress':
          if (shown === '') progress.show(`${event.stage} · ${names(first)}`, event.share);
          return;
        case 'text-delta':
          if (shown === '') progress.clear();
          shown += event.text;
          stdout.write(printable(event.text));
          return;
        case 'answer-deferred': {
          breakLine();
          first = event.toModelId;
          const { value, needed } = event.confidence;
          note(
            `${event.fromModelId === undefined ? 'The local draft was unsure' : `The answer of ${names(event.fromModelId)} shows signs of failure`} (confidence ${value.toFixed(2)} of ${needed.toFixed(2)}); ${names(event.toModelId)} answers:`,
          );
          return;
        }
        case 'fallback-started':
          breakLine();
          first = event.toModelId;
          note(
            `${reasonSentence(event.reason, names, formatUsd)} ${names(event.toModelId)} answers:`,
          );
          return;
        default:
          assertNever(event);
      }
    },
    async end(result) {
      // A kept local draft has no stream of its own after the cloud model failed.
      if (shown !== result.text) {
        breakLine();
        stdout.write(printable(result.text));
        shown = result.text;
      }
      breakLine();
      await writeLine(stdout, styled('gray', answerLine(result, registry), stdout, io));
    },
    stop: breakLine,
  };
}

/** A reader of a pipe can't take back a draft, so it gets the final text alone; the line about it goes to stderr. */
export function pipeView(io: CliIo, registry: Registry): AnswerView {
  return {
    show() {},
    async end(result) {
      await writeLine(io.stdout, result.text);
      await writeLine(io.stderr, styled('gray', answerLine(result, registry), io.stderr, io));
    },
    stop() {},
  };
}

/** The preview of `--dry-run`: where the prompt would go, what that would cost and take, and what stands behind it. */
export function routePreview(route: Route, registry: Registry): string {
  const names = labelOf(registry);
  const local = registry.models.some(
    (model) => model.id === route.modelId && model.provider === 'local',
  );
  const cost = local
    ? 'free'
    : `${about(route.expectedCostNanoUsd)}, at most ${known(route.boundNanoUsd)}`;
  const time =
    route.expectedLatencyMs === undefined
      ? 'time unknown until measured'
      : `≈ ${formatSeconds(route.expectedLatencyMs)}`;
  return [
    `→ ${local ? 'local' : 'cloud'} · ${names(route.modelId)} · ${cost} · ${time}`,
    `  ${reasonSentence(route.reason, names, formatUsd)}`,
    ...(route.ifUnsure === undefined
      ? []
      : [`  if unsure: ${takeoverText(route, names)}, at most ${known(route.boundNanoUsd)}`]),
    ...(route.trace.leftOut ?? []).map((one) => `  ${leftOutSentence(one)}`),
    ...route.trace.flips.map((flip) => `  would change if ${flip}`),
  ].join('\n');
}

function about(nanoUsd: number | undefined): string {
  return nanoUsd === undefined ? 'cost unknown' : `≈ ${formatUsd(nanoUsd)}`;
}

function known(nanoUsd: number | undefined): string {
  return nanoUsd === undefined ? 'unknown' : formatUsd(nanoUsd);
}
