/**
 * The app behind the server: composed once the client is ready, kept in step with the settings and the key, and closed at the
 * end. Until it stands, and where it can't be composed, requests wait or fail with the sentence that says why.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { ApiKey, App, AppOptions } from '../compose.ts';
import { type EditorSettings, editorSettings, withWorkspaces } from './settings.ts';

/** What the edge needs of the composition root; loaded lazily, because it brings every adapter with it. */
export interface Composition {
  createApp(options: AppOptions): Promise<App>;
}

type AppState =
  | { readonly kind: 'starting' }
  | { readonly kind: 'ready'; readonly app: App }
  | { readonly kind: 'failed'; readonly why: string };

export interface LiveApp {
  state(): AppState;
  /** Composes the app where that has not been done; rejects with the sentence of what is wrong. */
  get(): Promise<App>;
  settings(): EditorSettings;
  /** Notices of the settings and what the app could not put in force. */
  notices(): readonly string[];
  applySettings(settings: EditorSettings): void;
  /** In memory only. */
  key(): ApiKey | undefined;
  setKey(key: ApiKey | undefined): void;
  /** A workspace that asks for the first time comes under its budget before it is answered. */
  meetWorkspace(id: string | undefined): void;
  close(): Promise<void>;
}

export interface LiveAppOptions {
  readonly compose: () => Promise<Composition>;
  /** Folders and the like that the client named when it started the server. */
  readonly options: () => Pick<AppOptions, 'dataDir' | 'modelsDir'>;
  /** Resolves when the settings that the client has spoken of are here: what comes after a change must not run before it. */
  readonly settled: () => Promise<void>;
  /** Called once, when the app stands. */
  readonly onReady: (app: App) => void;
  /** Something that status shows may have changed. */
  readonly onChange: () => void;
  readonly onProblem: (message: string) => void;
}

export function createLiveApp(options: LiveAppOptions): LiveApp {
  let state: AppState = { kind: 'starting' };
  let composing: Promise<App> | undefined;
  let settings = editorSettings(undefined);
  let key: ApiKey | undefined;
  let refused: readonly string[] = [];
  const workspaceIds = new Set<string>();

  function configure(app: App): void {
    refused = app.configure(withWorkspaces(settings, workspaceIds));
  }

  async function compose(): Promise<App> {
    try {
      const { createApp } = await options.compose();
      const given = options.options();
      const app = await createApp({
        ...given,
        ...(settings.dataDir === undefined ? {} : { dataDir: settings.dataDir }),
        ...(settings.threads === undefined ? {} : { threads: settings.threads }),
        onProblem: options.onProblem,
      });
      configure(app);
      app.setKey(key);
      state = { kind: 'ready', app };
      options.onReady(app);
      return app;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      state = { kind: 'failed', why };
      // The next request tries again: a person may have mended the file meanwhile.
      composing = undefined;
      options.onProblem(why);
      throw error;
    } finally {
      options.onChange();
    }
  }

  return {
    state: () => state,
    async get() {
      await options.settled();
      composing ??= compose();
      return await composing;
    },
    settings: () => settings,
    notices: () => [...settings.notices, ...refused],
    applySettings(next) {
      settings = next;
      if (state.kind === 'ready') configure(state.app);
      options.onChange();
    },
    key: () => key,
    setKey(next) {
      key = next;
      if (state.kind === 'ready') state.app.setKey(next);
      options.onChange();
    },
    meetWorkspace(id) {
      if (id === undefined || workspaceIds.has(id)) return;
      workspaceIds.add(id);
      if (state.kind === 'ready' && settings.workspaceNanoUsd !== undefined) configure(state.app);
    },
    async close() {
      const app = await composing?.catch(() => undefined);
      if (app === undefined) return;
      if (await settledSoon(app)) await app.close();
      // What is still open is booked at its bound by the next process that opens the ledger.
      else await app.local.dispose();
    },
  };
}

/** A paid stream that was cut is drained so that its true cost is known; an editor that closes waits no longer than this. */
const SETTLE_MS = 1500;

async function settledSoon(app: App): Promise<boolean> {
  const timer = new AbortController();
  const late = delay(SETTLE_MS, false, { signal: timer.signal }).catch(() => false);
  const settled = await Promise.race([app.router.idle().then(() => true), late]);
  timer.abort();
  return settled;
}
