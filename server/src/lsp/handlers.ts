/** What the server does for each request of the wire contract. Registering them with a connection is `server.ts`'s. */
import type { App } from '../compose.ts';
import type { CalibrateProgress, Notifications, Requests, WhatIfProgress } from '../protocol.ts';
import { answer, preview, whatWouldBeSent } from './answering.ts';
import { agentTool } from './chat/agentTool.ts';
import { answerChat } from './chat/answerChat.ts';
import { chatModels } from './chat/chatModels.ts';
import { codeTask } from './code/codeTasks.ts';
import type { PlacedExplanations } from './code/explanations.ts';
import type { OpenDocuments } from './code/openDocuments.ts';
import type { Language } from './language.ts';
import type { LiveApp } from './liveApp.ts';
import { calibrateModel, calibrationOf, rollbackCalibration } from './models/calibrateLocal.ts';
import { modelCards } from './models/cards.ts';
import { downloadModel, probeModel } from './models/localWork.ts';
import { reportWire, routesPage, routeTrace } from './reports.ts';
import { keyFor } from './settings.ts';
import type { StatusFeed } from './statusFeed.ts';
import { whatIf } from './whatIf.ts';
import { failureText } from './wire/retold.ts';

export type Handlers = {
  readonly [M in keyof Requests]: (
    params: Requests[M][0],
    signal: AbortSignal,
  ) => Requests[M][1] | Promise<Requests[M][1]>;
};

export interface HandlerDeps {
  readonly live: LiveApp;
  /** Known once the client has introduced itself. */
  readonly language: () => Language;
  readonly status: StatusFeed;
  readonly documents: OpenDocuments;
  readonly explanations: PlacedExplanations;
  readonly pathOf: (uri: string) => string;
  readonly notify: <M extends keyof Notifications>(method: M, params: Notifications[M]) => void;
}

const done = (message: string) => ({ kind: 'done', message }) as const;
const failed = (message: string) => ({ kind: 'failed', message }) as const;

export function createHandlers(deps: HandlerDeps): Handlers {
  return {
    ...askHandlers(deps),
    ...chatHandlers(deps),
    ...pastHandlers(deps),
    ...modelHandlers(deps),
    ...codeHandlers(deps),
  };
}

function askHandlers({ live, language, status, notify }: HandlerDeps) {
  return {
    async 'costAwareRouter/answer'(params, signal) {
      const app = await live.get();
      live.meetWorkspace(params.workspaceId);
      status.meet(params);
      const { requestId } = params;
      const result = await answer(
        app,
        params,
        {
          language: language(),
          keepHistory: live.settings().keepHistory,
          onEvent: (event) => notify('costAwareRouter/answerEvent', { requestId, event }),
          watch: status.watch,
        },
        signal,
      );
      tellAfterCancel(result, app, status);
      return result;
    },
    async 'costAwareRouter/preview'(params) {
      const app = await live.get();
      live.meetWorkspace(params.workspaceId);
      return await preview(app, params, language());
    },
    async 'costAwareRouter/wouldSend'(params) {
      const app = await live.get();
      live.meetWorkspace(params.workspaceId);
      return await whatWouldBeSent(app, params, language());
    },
    'costAwareRouter/status': () => status.now(),
    async 'costAwareRouter/outcome'({ promptId, verdict }) {
      try {
        await (await live.get()).recordOutcome(promptId, verdict);
        return done('');
      } catch (error) {
        return failed(failureText(messageOf(error), language().t));
      }
    },
  } satisfies Partial<Handlers>;
}

function chatHandlers({ live, language, status, notify }: HandlerDeps) {
  return {
    async 'costAwareRouter/chat'(params, signal) {
      const app = await live.get();
      live.meetWorkspace(params.workspaceId);
      status.meet(params);
      const { requestId } = params;
      const result = await answerChat(
        app,
        params,
        {
          language: language(),
          onEvent: (event) => notify('costAwareRouter/answerEvent', { requestId, event }),
          watch: status.watch,
        },
        signal,
      );
      tellAfterCancel(result, app, status);
      return result;
    },
    'costAwareRouter/chatModels': async () => chatModels(await live.get(), language().t),
    'costAwareRouter/countTokens': async ({ text }) => ({
      tokens: await (await live.get()).ports.tokens.count(text),
    }),
    async 'costAwareRouter/agentTool'(params) {
      const app = await live.get();
      live.meetWorkspace(params.workspaceId);
      return await agentTool(app, params);
    },
  } satisfies Partial<Handlers>;
}

/** A cancelled cloud answer is read on until its bill is known; only then is the month what it will be. */
function tellAfterCancel(
  result: { readonly kind: string; readonly code?: string },
  { router }: App,
  status: StatusFeed,
): void {
  if (result.kind !== 'failed' || result.code !== 'cancelled') return;
  void router.idle().then(() => status.changed());
}

function pastHandlers({ live, language, notify }: HandlerDeps) {
  return {
    async 'costAwareRouter/whatIf'(params, signal) {
      const onProgress = (progress: WhatIfProgress) =>
        notify('costAwareRouter/whatIfProgress', progress);
      return await whatIf(await live.get(), params, { language: language(), onProgress }, signal);
    },
    'costAwareRouter/report': async ({ month }) => reportWire(await live.get(), month, language()),
    'costAwareRouter/routes': async (params) => routesPage(await live.get(), params, language()),
    'costAwareRouter/trace': async ({ promptId }) =>
      routeTrace(await live.get(), promptId, language().t),
    async 'costAwareRouter/export'({ month, format }) {
      return { text: await (await live.get()).reports.export(month, format) };
    },
    async 'costAwareRouter/history'({ workspaceId }) {
      return (await live.get()).history
        .recent(workspaceId)
        .map(({ promptId, atMs, question, answer: answered, line }) => ({
          promptId,
          atMs,
          question,
          answer: answered,
          line,
        }));
    },
    async 'costAwareRouter/clearHistory'({ workspaceId }) {
      const { t } = language();
      const cleared = await (await live.get()).history.clear(workspaceId ?? undefined);
      return cleared
        ? done(t('The history is cleared.'))
        : failed(t('The history could not be cleared: its file can not be written.'));
    },
  } satisfies Partial<Handlers>;
}

function modelHandlers({ live, language, status, notify }: HandlerDeps) {
  const refreshed = <T>(result: T): T => {
    status.changed();
    return result;
  };
  return {
    'costAwareRouter/models': async () => modelCards(await live.get(), language().t),
    async 'costAwareRouter/download'({ requestId, modelId }, signal) {
      const onProgress = (
        progress: Omit<Notifications['costAwareRouter/downloadProgress'], 'requestId'>,
      ) => notify('costAwareRouter/downloadProgress', { requestId, ...progress });
      const { t } = language();
      return refreshed(await downloadModel(await live.get(), modelId, { onProgress, t }, signal));
    },
    'costAwareRouter/probe': async ({ modelId }, signal) =>
      refreshed(await probeModel(await live.get(), modelId, language().t, signal)),
    async 'costAwareRouter/calibrate'(params, signal) {
      const onProgress = (progress: CalibrateProgress) =>
        notify('costAwareRouter/calibrateProgress', progress);
      const { t } = language();
      return refreshed(await calibrateModel(await live.get(), params, { onProgress, t }, signal));
    },
    'costAwareRouter/calibration': async ({ modelId }) =>
      calibrationOf(await live.get(), modelId, language().t),
    'costAwareRouter/rollbackCalibration': async ({ modelId }) =>
      refreshed(rollbackCalibration(await live.get(), modelId, language())),
    'costAwareRouter/setKey'({ key, baseUrl }) {
      const { t } = language();
      const given = keyFor(key, baseUrl);
      live.setKey(given);
      return done(given === undefined ? t('There is no key now.') : t('The key is in use.'));
    },
    async 'costAwareRouter/testKey'(_params, signal) {
      const tested = await (await live.get()).testKey(signal);
      return { ...tested, message: failureText(tested.message, language().t) };
    },
    async 'costAwareRouter/refreshPrices'() {
      const { t } = language();
      const result = await (await live.get()).refreshPrices();
      if (result.kind === 'failed') return failed(failureText(result.failure.message, t));
      const { changes } = result;
      return refreshed(
        done(changes.length === 0 ? t('No price has changed.') : changes.join('\n')),
      );
    },
  } satisfies Partial<Handlers>;
}

function codeHandlers({ live, language, documents, explanations, pathOf }: HandlerDeps) {
  return {
    async 'costAwareRouter/codeTask'({ task, range }) {
      const document = documents.get(range.uri);
      if (document === undefined) return null;
      const units = await documents.units(document);
      const { sha256 } = (await live.get()).ports;
      return codeTask(task, document, range, units, { sha256, pathOf, t: language().t }) ?? null;
    },
    async 'costAwareRouter/symbols'({ uri }) {
      const document = documents.get(uri);
      const units = document === undefined ? [] : await documents.units(document);
      return units.map(({ name, span }) => ({ name, range: { uri, ...span } }));
    },
    async 'costAwareRouter/explanations'({ uri }) {
      const document = documents.get(uri);
      return document === undefined ? [] : await explanations.of(await live.get(), document);
    },
    async 'costAwareRouter/keepExplanation'(params) {
      const { t } = language();
      return (await explanations.keep(await live.get(), params))
        ? done(t('Kept.'))
        : failed(t('The explanation could not be kept: its file can not be written.'));
    },
    async 'costAwareRouter/dropExplanation'({ codeHash, task }) {
      const { t } = language();
      return (await explanations.drop(await live.get(), codeHash, task))
        ? done(t('Dropped.'))
        : failed(t('The explanation could not be dropped: its file can not be written.'));
    },
  } satisfies Partial<Handlers>;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
