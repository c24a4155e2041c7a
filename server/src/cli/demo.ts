/**
 * `demo`: a handful of prompts through the real router, each with its route, cost, latency and reason, and the sums at
 * the end. Nothing is faked: what was not sent costs nothing and is shown as not sent.
 */
import type { App } from '../compose.ts';
import type { AnswerResult, Route } from '../core/answer.ts';
import type { Failure } from '../core/errors.ts';
import { type Reason, reasonSentence, reasonText } from '../core/reason.ts';
import { formatSeconds, formatUsd, labelOf } from '../core/report.ts';
import type { NanoUsd, Prompt } from '../core/types.ts';
import { type DemoPrompt, demoPrompts } from './demoPrompts.ts';
import { exitCodeOf, exitCodes } from './exitCodes.ts';
import { type CliIo, printable, styled, widthOf, write, writeLine } from './io.ts';
import { prepareModel } from './models.ts';
import { createProgress } from './progress.ts';
import { fail, type Session, withApp } from './session.ts';

/** Keeps a hard prompt from holding up the demo while a small model rambles. */
const MAX_OUTPUT_TOKENS = 200;
const SHOWN_LINES = 2;

type Outcome =
  | { readonly kind: 'answered'; readonly route: Route; readonly result: AnswerResult }
  | {
      readonly kind: 'failed';
      readonly route: Route | undefined;
      readonly failure: Failure;
      readonly costNanoUsd: NanoUsd;
    };

export async function demo(session: Session): Promise<number> {
  const { io } = session;
  return await withApp(session, async (app) => {
    const cheap = app.settings().cheap ?? app.catalogue.registry().defaults.cheap;
    const prepared = await prepareModel(io, app, cheap);
    if (prepared !== undefined) return await fail(io, prepared);

    const outcomes: Outcome[] = [];
    for (const prompt of demoPrompts) {
      const outcome = await run(io, app, prompt);
      if (io.signal.aborted) return exitCodes.cancelled;
      await write(io.stdout, `${describe(io, app, prompt, outcome)}\n\n`);
      outcomes.push(outcome);
    }
    await writeLine(io.stdout, totals(io, app, outcomes));
    const failed = outcomes.find((outcome) => outcome.kind === 'failed');
    return failed === undefined ? exitCodes.ok : exitCodeOf(failed.failure.code);
  });
}

async function run(io: CliIo, app: App, { text, context }: DemoPrompt): Promise<Outcome> {
  const prompt: Prompt = {
    id: app.ports.newId(),
    text,
    context,
    history: [],
    constraints: { maxOutputTokens: MAX_OUTPUT_TOKENS },
    // Whoever runs the demo twice wants to see the models work twice.
    useCache: false,
  };
  const progress = createProgress(io, { quiet: io.stderr.isTTY !== true });
  let route: Route | undefined;
  let written = 0;
  for await (const event of app.router.answer(prompt, io.signal)) {
    switch (event.type) {
      case 'route-decided':
        route = event.route;
        break;
      case 'progress':
        progress.show(event.stage, event.share);
        break;
      case 'text-delta':
        written += event.text.length;
        progress.show(`answering · ${written} characters`, undefined);
        break;
      case 'answer-end':
        progress.clear();
        return { kind: 'answered', route: route ?? event.result.route, result: event.result };
      case 'answer-failed':
        progress.clear();
        return {
          kind: 'failed',
          route,
          failure: event.failure,
          costNanoUsd: event.costNanoUsd,
        };
      default:
        break;
    }
  }
  throw new Error('expected an answer to end with its result or a failure, got neither');
}

function describe(io: CliIo, app: App, prompt: DemoPrompt, outcome: Outcome): string {
  const names = labelOf(app.catalogue.registry());
  const sentence = (reason: Reason) => reasonSentence(reason, names, formatUsd);
  const head = `${styled('bold', 'Prompt:', io.stdout, io)} ${prompt.text}`;
  if (outcome.kind === 'failed') {
    const { failure, route } = outcome;
    return [
      head,
      `-> Not answered | ${failure.code}`,
      ...(route === undefined ? [] : [`   ${sentence(route.reason)}`]),
      `   ${failure.message}`,
    ].join('\n');
  }
  const { route, result } = outcome;
  const seconds = formatSeconds(result.timing.latencyMs);
  if (route.reason.code === 'no_api_key' && result.served === 'local') {
    const { wanted, wouldCostNanoUsd } = route.reason.facts;
    const would =
      wouldCostNanoUsd === undefined
        ? 'cost unknown'
        : `would cost ≈ ${formatUsd(wouldCostNanoUsd)}`;
    return [
      head,
      routed(io, `-> Routed to ${wanted} | ${would} | not sent: no API key`),
      `   ${sentence(difficulty(route))}`,
      indented(`local fallback (${seconds}): ${result.text}`, io),
    ].join('\n');
  }
  const cost = `${result.costIsBound ? 'at most ' : ''}${formatUsd(result.costNanoUsd)}`;
  const latency = `${Math.round(result.timing.latencyMs)}ms`;
  return [
    head,
    routed(io, `-> Routed to ${result.modelId} | cost ${cost} | latency ${latency}`),
    `   ${why(route, result, sentence)}`,
    indented(result.text, io),
  ].join('\n');
}

/** The reason of the route and, where the finished local answer changed something, what did. */
function why(route: Route, result: AnswerResult, sentence: (reason: Reason) => string): string {
  if (reasonText(route.reason) === reasonText(result.reason)) return sentence(result.reason);
  const { confidence, served } = result;
  const unsure =
    served === 'local' && confidence !== undefined && confidence.value < confidence.needed
      ? `The local answer is unsure (confidence ${confidence.value.toFixed(2)} of ${confidence.needed.toFixed(2)}). `
      : '';
  return `${sentence(route.reason)} ${unsure}${sentence(result.reason)}`;
}

/** Why the prompt belongs in the cloud; the missing key only says why it did not get there. */
function difficulty(route: Route): Reason {
  return {
    code: 'prompt_complexity_high',
    facts: { score: route.score, threshold: route.threshold, task: route.trace.task },
  };
}

function routed(io: CliIo, line: string): string {
  return styled('green', line, io.stdout, io);
}

/** The first lines that say something, cut to the width of a terminal. */
function indented(text: string, io: CliIo): string {
  const width = Math.min(widthOf(io.stdout), 100) - 4;
  const lines = printable(text)
    .split('\n')
    .map((line) => line.trimEnd())
    .filter((line) => line !== '');
  const shown = lines.slice(0, SHOWN_LINES).map((line) => cut(line, width));
  if (lines.length > SHOWN_LINES) shown.push('…');
  return shown.map((line) => `   ${styled('gray', line, io.stdout, io)}`).join('\n');
}

function cut(line: string, width: number): string {
  const characters = [...line];
  return characters.length <= width ? line : `${characters.slice(0, width - 1).join('')}…`;
}

function totals(io: CliIo, app: App, outcomes: readonly Outcome[]): string {
  const baseline = app.settings().baseline ?? app.catalogue.registry().defaults.baseline;
  const spent = sum(
    outcomes.map((one) => (one.kind === 'answered' ? one.result.costNanoUsd : one.costNanoUsd)),
  );
  const known = outcomes.flatMap((one) =>
    one.kind === 'answered' && one.result.savings.kind === 'known' ? [one.result.savings] : [],
  );
  const saved =
    known.length === 0 ? 'unknown' : `${formatUsd(sum(known.map((one) => one.savedNanoUsd)))} USD`;
  const unknown = outcomes.length - known.length;
  const line = `Total spend: ${formatUsd(spent)} USD | Savings vs ${baseline}: ${saved}`;
  const open = unknown > 0 ? ` (${unknown} of ${outcomes.length} unknown)` : '';
  return styled('bold', `${line}${open}`, io.stdout, io);
}

function sum(amounts: readonly number[]): number {
  return amounts.reduce((total, amount) => total + amount, 0);
}
