/** Answers and previews for a client: its question becomes a prompt, the router's events become the wire's. */
import { fileURLToPath } from 'node:url';
import type { App } from '../compose.ts';
import type { AnswerResult } from '../core/answer.ts';
import { attachmentsText } from '../core/attachments.ts';
import { failure } from '../core/errors.ts';
import { reasonSentence } from '../core/reason.ts';
import { answerLine, formatUsd, labelOf } from '../core/report.ts';
import { standingEvents } from '../core/standingAnswer.ts';
import type { Translate } from '../core/translate.ts';
import type { Constraints, ContextPart, Prompt } from '../core/types.ts';
import { wouldSendText } from '../core/wouldSendText.ts';
import type {
  AnswerEvent,
  AnswerResultWire,
  AskParams,
  ContextWire,
  PreviewResult,
  WouldSendResult,
} from '../protocol.ts';
import type { Language } from './language.ts';
import { answerWire, eventWire, failedWire } from './wire/answer.ts';
import { routeWire } from './wire/route.ts';

/** Told of what the status shows of running answers. */
export interface AnswerWatch {
  readonly started: (requestId: string) => void;
  readonly moved: (requestId: string, tier: 'local' | 'cloud', model: string) => void;
  /** @param reason the sentence of why the answer went where it went, where there is an answer */
  readonly ended: (requestId: string, reason: string | undefined) => void;
}

export interface AnswerOptions {
  readonly language: Language;
  readonly keepHistory: boolean;
  readonly onEvent: (event: AnswerEvent) => void;
  readonly watch: AnswerWatch;
}

/** Progress comes for every few tokens; more than this many a second nobody can see. */
const PROGRESS_EVERY_MS = 80;

/** Lets the steps of a progress through that are worth showing: the first and the last of a stage, and one now and then. */
function createThinning(now: () => number): (event: RunningEvent) => boolean {
  let stage = '';
  let toldMs = 0;
  return (event) => {
    if (event.type !== 'progress') return true;
    if (event.stage === stage && event.share < 1 && now() - toldMs < PROGRESS_EVERY_MS)
      return false;
    stage = event.stage;
    toldMs = now();
    return true;
  };
}

export async function answer(
  app: App,
  params: AskParams,
  options: AnswerOptions,
  signal: AbortSignal,
): Promise<AnswerResultWire> {
  const { trusted, standing = false } = params;
  const { t } = options.language;
  const ended = await answerPrompt(
    app,
    { prompt: promptOf(params), trusted, standing, asks: asks(app) },
    options,
    signal,
  );
  if (ended.kind !== 'ended') return ended;
  const { result } = ended;
  const registry = app.catalogue.registry();
  await remember(app, params, options, result.text, answerLine(result, registry, t));
  return { kind: 'answered', answer: answerWire(result.promptId, result, registry, t) };
}

/** A prompt, and what of its asker decides how it may end. */
export interface Asked {
  readonly prompt: Prompt;
  readonly trusted: boolean;
  readonly standing: boolean;
  /** Whether somebody can be asked where a budget does not cover the model. */
  readonly asks: boolean;
}

/** Runs a prompt to its end, telling its events on the way and the status what is running. */
export async function answerPrompt(
  app: App,
  { prompt, trusted, standing, asks: canAsk }: Asked,
  options: Omit<AnswerOptions, 'keepHistory'>,
  signal: AbortSignal,
): Promise<
  | { readonly kind: 'ended'; readonly result: AnswerResult }
  | Exclude<AnswerResultWire, { kind: 'answered' }>
> {
  const { watch } = options;
  const { t } = options.language;
  const worthTelling = createThinning(app.ports.clock.monotonicMs);
  let reason: string | undefined;
  watch.started(prompt.id);
  try {
    const events = standing
      ? standingEvents(app.router, prompt, signal)
      : app.router.answer(prompt, signal);
    for await (const event of events) {
      const registry = app.catalogue.registry();
      const names = labelOf(registry);
      if (event.type === 'answer-end') {
        const { result } = event;
        reason = reasonSentence(result.reason, names, formatUsd, t);
        return { kind: 'ended', result };
      }
      if (event.type === 'answer-failed') {
        return failedWire(event, { asks: canAsk, trusted }, registry, t);
      }
      const modelId = modelOf(event);
      if (modelId !== undefined) watch.moved(prompt.id, tierOf(app, modelId), names(modelId));
      if (worthTelling(event)) options.onEvent(eventWire(event, registry, t));
    }
  } finally {
    watch.ended(prompt.id, reason);
  }
  const { code, message } = failure('internal', t('The answer ended without an end; see the log.'));
  return { kind: 'failed', code, message, nextStep: 'show_log' };
}

/** The same decision as an answer's, without generating or spending. */
export async function preview(
  app: App,
  params: AskParams,
  { t }: Language,
): Promise<PreviewResult> {
  if (params.text.trim() === '') return { kind: 'empty' };
  const decision = await app.router.foresee(promptOf(params));
  if (decision.kind === 'refused') {
    const { trusted } = params;
    const refused = failedWire(decision, { asks: asks(app), trusted }, app.catalogue.registry(), t);
    return refused.kind === 'at_limit' ? refused : { kind: 'refused', message: refused.message };
  }
  const names = labelOf(app.catalogue.registry());
  return {
    kind: 'route',
    route: routeWire(decision.route, names, t),
    context: await contextText(app, params, t),
  };
}

export async function whatWouldBeSent(
  app: App,
  params: AskParams,
  { t }: Language,
): Promise<WouldSendResult> {
  if (params.text.trim() === '') return { kind: 'empty' };
  const registry = app.catalogue.registry();
  const found = await app.router.wouldSend(promptOf(params));
  if (found.kind === 'routed') return { kind: 'text', text: wouldSendText(found, registry, t) };
  const { trusted } = params;
  const { message } = failedWire(found, { asks: false, trusted }, registry, t);
  return { kind: 'refused', message };
}

function asks(app: App): boolean {
  return app.settings().atLimit === 'ask';
}

function promptOf(params: AskParams): Prompt {
  const { requestId, text, context, history, sessionId, workspaceId, useCache } = params;
  return {
    id: requestId,
    text,
    context: context.map(partOf),
    history,
    constraints: constraintsOf(params),
    sessionId,
    mayTrim: true,
    ...(workspaceId === undefined ? {} : { workspaceId }),
    ...(useCache === undefined ? {} : { useCache }),
  };
}

/** A document on this machine is known by its file, too. */
function partOf({ uri, ...part }: ContextWire): ContextPart {
  const file = uri === undefined ? undefined : fileOf(uri);
  return file === undefined ? part : { ...part, file };
}

function fileOf(uri: string): string | undefined {
  if (!uri.startsWith('file:')) return undefined;
  try {
    return fileURLToPath(uri);
  } catch {
    // An address of another machine, or none at all.
    return undefined;
  }
}

function constraintsOf({ destination, trusted }: AskParams): Constraints {
  return {
    ...(destination === 'local' && { forceModel: { tier: 'cheap' } }),
    ...(destination === 'cloud' && { forceModel: { tier: 'escalation' } }),
    // Code that nobody vouches for could ask for its own way out of the machine.
    ...(!trusted && { privacy: 'untrusted-workspace' }),
  };
}

type RunningEvent = Parameters<typeof eventWire>[0];

function modelOf(event: RunningEvent): string | undefined {
  switch (event.type) {
    case 'route-decided':
      return event.route.modelId;
    case 'answer-deferred':
    case 'fallback-started':
      return event.toModelId;
    default:
      return undefined;
  }
}

function tierOf(app: App, modelId: string): 'local' | 'cloud' {
  const model = app.catalogue.registry().models.find(({ id }) => id === modelId);
  return model?.tier === 'cheap' ? 'local' : 'cloud';
}

async function remember(
  app: App,
  { workspaceId, requestId, text }: AskParams,
  { keepHistory }: AnswerOptions,
  answered: string,
  line: string,
): Promise<void> {
  if (!keepHistory || workspaceId === undefined) return;
  await app.history.add({
    workspaceId,
    promptId: requestId,
    question: text,
    answer: answered,
    line,
  });
}

async function contextText(app: App, { context }: AskParams, t: Translate): Promise<string> {
  const counted = context.map(async (part) => ({
    part,
    tokens: await app.ports.tokens.count(part.text),
  }));
  return attachmentsText(await Promise.all(counted), t);
}
