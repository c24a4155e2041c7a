/** `ask`: one prompt through the router, streamed to a terminal, plain on a pipe, or as one JSON object. */
import type { App } from '../compose.ts';
import { attachmentsText } from '../core/attachments.ts';
import { type Failure, failure } from '../core/errors.ts';
import { ZERO_USD } from '../core/price.ts';
import type { Reason } from '../core/reason.ts';
import { answerOf, dryRunOf } from '../core/reply.ts';
import { formatUsd } from '../core/report.ts';
import type { Constraints, NanoUsd, Prompt, Registry } from '../core/types.ts';
import { wouldSendText } from '../core/wouldSendText.ts';
import { type AnswerView, pipeView, routePreview, terminalView } from './answerView.ts';
import { exitCodeOf, exitCodes } from './exitCodes.ts';
import { failureJson } from './failureJson.ts';
import { readDiff } from './gitDiff.ts';
import { type ContextResult, readContext, readPrompt } from './inputText.ts';
import { type CliIo, printable, writeLine } from './io.ts';
import { badInput, fail, type Session, withApp } from './session.ts';

export interface AskFlags {
  readonly maxCostUsd?: NanoUsd;
  readonly maxLatencyMs?: number;
  readonly minQuality?: number;
  readonly force?: 'cheap' | 'openai';
  readonly model?: string;
  readonly localOnly?: boolean;
  readonly file?: readonly string[];
  /** A commit, or `true` for the last one. */
  readonly diff?: string | true;
  readonly cache?: boolean;
  readonly json?: boolean;
  readonly dryRun?: boolean;
  readonly showRequest?: boolean;
}

export async function ask(
  session: Session,
  given: string | undefined,
  flags: AskFlags,
): Promise<number> {
  const { io } = session;
  if (flags.showRequest === true && flags.dryRun !== true) {
    return await badInput(
      io,
      'expected --show-request together with --dry-run, got it alone; add --dry-run',
    );
  }
  const read = await readPrompt(given, io);
  if (read.kind === 'failed') return await failed(io, { why: read.failure }, flags);
  const files = await readContext(flags.file ?? [], io);
  if (files.kind === 'failed') return await failed(io, { why: files.failure }, flags);

  const diff =
    flags.diff === undefined
      ? NO_CONTEXT
      : await readDiff(flags.diff === true ? 'HEAD' : flags.diff, io);
  if (diff.kind === 'failed') return await failed(io, { why: diff.failure }, flags);
  const context = [...files.context, ...diff.context];

  return await withApp(session, async (app) => {
    const unknown = unknownModel(app.catalogue.registry(), flags);
    if (unknown !== undefined) return await failed(io, { why: unknown }, flags);
    const prompt: Prompt = {
      id: app.ports.newId(),
      text: read.text,
      context,
      history: [],
      mayTrim: true,
      constraints: constraintsOf(flags),
      ...(flags.cache === false && { useCache: false }),
    };
    if (flags.showRequest === true) return await showRequest(io, app, prompt, flags);
    const step = flags.dryRun === true ? preview : answer;
    return await step(io, app, prompt, flags);
  });
}

const NO_CONTEXT: ContextResult = { kind: 'ok', context: [] };

async function preview(io: CliIo, app: App, prompt: Prompt, flags: AskFlags): Promise<number> {
  const decision = await app.router.decide(prompt);
  const registry = app.catalogue.registry();
  if (decision.kind === 'refused') {
    const { failure: why, reason } = decision;
    return await failed(io, { why, reason, registry }, flags);
  }
  const { route } = decision;
  if (flags.json === true) {
    await writeLine(io.stdout, JSON.stringify(dryRunOf(route, registry)));
    return exitCodes.ok;
  }
  const counted = prompt.context.map(async (part) => ({
    part,
    tokens: await app.ports.tokens.count(part.text),
  }));
  const attached = attachmentsText(await Promise.all(counted));
  const lines = [routePreview(route, registry), ...(attached === '' ? [] : [`  with ${attached}`])];
  await writeLine(io.stdout, printable(lines.join('\n')));
  return exitCodes.ok;
}

/** Bodies to the letter for a program, requests with their why for a person. */
async function showRequest(io: CliIo, app: App, prompt: Prompt, flags: AskFlags): Promise<number> {
  const registry = app.catalogue.registry();
  const found = await app.router.wouldSend(prompt);
  if (found.kind === 'refused') {
    const { failure: why, reason } = found;
    return await failed(io, { why, reason, registry }, flags);
  }
  if (flags.json === true) {
    const requests = found.requests.map(({ modelId, when, url, body }) => ({
      model: modelId,
      if_unsure: when === 'if-unsure',
      audit: when === 'audit',
      url,
      body,
    }));
    await writeLine(io.stdout, JSON.stringify({ ...dryRunOf(found.route, registry), requests }));
  } else {
    await writeLine(io.stdout, printable(wouldSendText(found, registry)).trimEnd());
  }
  return exitCodes.ok;
}

async function answer(io: CliIo, app: App, prompt: Prompt, flags: AskFlags): Promise<number> {
  const registry = app.catalogue.registry();
  const view = viewOf(io, registry, flags);
  for await (const event of app.router.answer(prompt, io.signal)) {
    if (event.type === 'answer-end') {
      await view.end(event.result);
      return exitCodes.ok;
    }
    if (event.type === 'answer-failed') {
      view.stop();
      const { failure: why, reason, costNanoUsd } = event;
      return await failed(io, { why, reason, costNanoUsd, registry }, flags);
    }
    view.show(event);
  }
  throw new Error('expected an answer to end with its result or a failure, got neither');
}

function viewOf(io: CliIo, registry: Registry, flags: AskFlags): AnswerView {
  if (flags.json === true) return jsonView(io, registry);
  return io.stdout.isTTY === true ? terminalView(io, registry) : pipeView(io, registry);
}

function jsonView(io: CliIo, registry: Registry): AnswerView {
  return {
    show() {},
    end: (result) => writeLine(io.stdout, JSON.stringify(answerOf(result, registry))),
    stop() {},
  };
}

interface Failed {
  readonly why: Failure;
  readonly reason?: Reason | undefined;
  readonly costNanoUsd?: NanoUsd;
  readonly registry?: Registry;
}

async function failed(io: CliIo, what: Failed, flags: AskFlags): Promise<number> {
  const { why, reason, costNanoUsd = ZERO_USD, registry } = what;
  if (flags.json === true) {
    await writeLine(io.stdout, JSON.stringify(failureJson(why, reason, costNanoUsd, registry)));
    return exitCodeOf(why.code);
  }
  if (costNanoUsd > 0) await writeLine(io.stderr, `spent ${formatUsd(costNanoUsd)}`);
  return await fail(io, why, registry && nextStep(why, registry));
}

function unknownModel({ models }: Registry, { model, force }: AskFlags): Failure | undefined {
  if (model === undefined) return undefined;
  if (force !== undefined) {
    return failure('bad_request', 'expected --model or --force, got both; a model has its tier');
  }
  const enabled = models.filter((one) => one.enabled).map(({ id }) => id);
  if (enabled.includes(model)) return undefined;
  return failure(
    'unknown_model',
    `expected an enabled model of the registry as --model, got ${model}; choose one of ${enabled.join(', ')}`,
  );
}

function nextStep(why: Failure, registry: Registry): string | undefined {
  return why.code === 'model_missing'
    ? `cost-aware-router models download ${registry.defaults.cheap}`
    : undefined;
}

function constraintsOf(flags: AskFlags): Constraints {
  return {
    ...(flags.maxCostUsd !== undefined && { maxCostNanoUsd: flags.maxCostUsd }),
    ...(flags.maxLatencyMs !== undefined && { maxLatencyMs: flags.maxLatencyMs }),
    ...(flags.minQuality !== undefined && { minQuality: flags.minQuality }),
    ...(flags.model !== undefined && { forceModel: { id: flags.model } }),
    ...(flags.force !== undefined && {
      forceModel: { tier: flags.force === 'cheap' ? 'cheap' : 'escalation' } as const,
    }),
    ...(flags.localOnly === true && { privacy: 'local-only' as const }),
  };
}
