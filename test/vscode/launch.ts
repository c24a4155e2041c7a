/**
 * A VS Code server on loopback with folders of its own, and the browser that looks at it. Everything it starts is in one
 * process group, so that extension hosts and language servers end with it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  cpSync,
  createWriteStream,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Browser, type BrowserContext, chromium } from 'playwright-core';
import { ensureSmolLm2, repositoryRoot } from '../support/localModel.ts';

type SettingsJson = Readonly<Record<string, unknown>>;

export interface LaunchOptions {
  /** Settings of the user. */
  readonly settings?: SettingsJson;
  /** Settings that the opened folder carries. */
  readonly workspaceSettings?: SettingsJson;
  /** Puts more into the folder before it is opened. */
  readonly fillWorkspace?: (folder: string) => void;
  readonly env?: Readonly<Record<string, string>>;
  readonly serverArgs?: readonly string[];
  /** With the packed extension installed. @default true */
  readonly installed?: boolean;
  /** Asks whether the folder is trusted, as VS Code does by default. @default false */
  readonly asksForTrust?: boolean;
  /** The language that VS Code is set to. Its own texts stay English, those of extensions follow. @default English */
  readonly language?: string;
  /** With the small local model in place. @default true */
  readonly model?: boolean;
}

export interface Launched {
  readonly url: string;
  /** Holds everything below; removed at the end. */
  readonly folder: string;
  readonly workspace: string;
  readonly dataDir: string;
  readonly userSettingsFile: string;
  readonly logFile: string;
  stop(): Promise<void>;
}

/** Settings that keep everything still: no tours, no news, no updates, no blinking. */
const QUIET: SettingsJson = {
  'workbench.colorTheme': 'Dark Modern',
  'workbench.startupEditor': 'none',
  'workbench.enableExperiments': false,
  'workbench.tips.enabled': false,
  'workbench.reduceMotion': 'on',
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'chat.disableAIFeatures': false,
  'workbench.editor.useModal': 'off',
  'editor.cursorBlinking': 'solid',
  'extensions.autoCheckUpdates': false,
  'extensions.autoUpdate': false,
  'extensions.ignoreRecommendations': true,
  'git.enabled': false,
  // It would offer to open every port of a test in a browser.
  'remote.autoForwardPorts': false,
  'telemetry.telemetryLevel': 'off',
  'update.mode': 'none',
};

/** How long anything may take before it counts as not coming: a busy machine is slow, and only a defect takes this long. */
export const PATIENCE_MS = 300_000;

export function neededPath(name: 'SERVER' | 'NODE' | 'CHROMIUM' | 'EXTENSIONS'): string {
  const path = process.env[`COST_AWARE_ROUTER_TEST_${name}`];
  if (path === undefined) {
    throw new Error(
      `expected COST_AWARE_ROUTER_TEST_${name}, got nothing; start these tests by: npm run test:vscode`,
    );
  }
  return path;
}

export async function launchVscode(options: LaunchOptions = {}): Promise<Launched> {
  // Short, because the server's sockets lie below it and their paths are limited to 107 bytes.
  const folder = mkdtempSync(join(tmpdir(), 'car-'));
  const at = (...parts: string[]) => join(folder, ...parts);
  const dataDir = at('data');
  mkdirSync(join(dataDir, 'models'), { recursive: true });
  if (options.model ?? true) await placeModel(join(dataDir, 'models'));
  cpSync(join(repositoryRoot, 'test', 'fixtures', 'workspace'), at('ws'), { recursive: true });
  if (options.workspaceSettings !== undefined) {
    writeJson(at('ws', '.vscode', 'settings.json'), options.workspaceSettings);
  }
  options.fillWorkspace?.(at('ws'));
  const userSettingsFile = at('user', 'User', 'settings.json');
  const { asksForTrust = false } = options;
  const trust = { 'security.workspace.trust.enabled': asksForTrust };
  writeJson(userSettingsFile, { ...QUIET, ...trust, ...options.settings });
  // Those of machine scope are read from here, as they belong to where the extension runs.
  const machine = { 'costAwareRouter.dataDir': dataDir, 'costAwareRouter.threads': 1 };
  writeJson(at('user', 'Machine', 'settings.json'), machine);
  writeJson(at('srv', 'data', 'Machine', 'settings.json'), machine);
  if (options.language !== undefined) placeLanguagePack(folder, options.language);
  mkdirSync(at('none'));

  const port = await freePort();
  const logFile = at('server.log');
  const extensions = (options.installed ?? true) ? neededPath('EXTENSIONS') : at('none');
  const child = spawn(
    neededPath('NODE'),
    [
      neededPath('SERVER'),
      '--accept-server-license-terms',
      ...['--server-data-dir', at('srv'), '--user-data-dir', at('user')],
      ...['--extensions-dir', extensions, '--telemetry-level', 'off'],
      ...['--host', '127.0.0.1', '--port', String(port), '--without-connection-token'],
      ...(options.language === undefined ? [] : ['--locale', options.language]),
      ...(asksForTrust ? [] : ['--disable-workspace-trust']),
      '--disable-experiments',
      ...(options.serverArgs ?? []),
    ],
    {
      env: { ...cleanEnvironment(), ...options.env, HOME: folder },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    },
  );
  const log = createWriteStream(logFile);
  child.stdout.pipe(log);
  child.stderr.pipe(log);
  const url = `http://127.0.0.1:${port}`;
  await untilUp(url, child, logFile);
  return {
    url,
    folder,
    workspace: at('ws'),
    dataDir,
    userSettingsFile,
    logFile,
    async stop() {
      await endGroup(child);
      rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
    },
  };
}

export interface OpenedBrowser {
  readonly browser: Browser;
  readonly context: BrowserContext;
  /** Addresses outside that something asked for; they were refused at once. */
  readonly refused: readonly string[];
}

export async function openBrowser(url: string): Promise<OpenedBrowser> {
  const browser = await chromium.launch({
    executablePath: neededPath('CHROMIUM'),
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--no-first-run',
    ],
  });
  const context = await browser.newContext({
    // A desktop's clipboard asks nobody.
    permissions: ['clipboard-read', 'clipboard-write'],
    viewport: { width: 1400, height: 900 },
    locale: 'en-US',
    colorScheme: 'dark',
  });
  const refused: string[] = [];
  await context.route('**/*', (route) => {
    const asked = new URL(route.request().url());
    // Half of the key that seals secrets; without it they are forgotten with the page.
    if (asked.origin === url && asked.pathname.endsWith('/mint-key')) {
      const body = Buffer.alloc(32, 7);
      return route.fulfill({ status: 200, contentType: 'application/octet-stream', body });
    }
    if (asked.origin === url || ['data:', 'blob:'].includes(asked.protocol)) {
      return route.continue();
    }
    refused.push(asked.href);
    return route.abort();
  });
  return { browser, context, refused };
}

/** A language counts only with a language pack; one without a single text is enough for what extensions say. */
function placeLanguagePack(folder: string, language: string): void {
  const translations = join(folder, 'languagePack.json');
  writeJson(translations, { contents: {} });
  const packs = {
    [language]: {
      hash: 'without-texts',
      label: language,
      // VS Code asks who provides it before it looks for any extension.
      extensions: [{ extensionIdentifier: { id: 'test.language-pack' }, version: '1.0.0' }],
      translations: { vscode: translations },
    },
  };
  for (const data of [join(folder, 'user'), join(folder, 'srv', 'data')]) {
    writeJson(join(data, 'languagepacks.json'), packs);
  }
}

async function placeModel(folder: string): Promise<void> {
  const file = await ensureSmolLm2();
  const copy = join(folder, 'SmolLM2-135M-Instruct.Q4_1.gguf');
  try {
    linkSync(file, copy);
  } catch {
    // Another file system has no hard links to this one.
    copyFileSync(file, copy);
  }
}

function writeJson(file: string, value: SettingsJson): void {
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, JSON.stringify(value, null, 2));
}

/** What an editor or npm left in the environment would steer the server. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const steering = /^(VSCODE_|ELECTRON_|npm_|NODE_|OPENAI_)/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !steering.test(name)));
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  if (address === null || typeof address === 'string') throw new Error('expected a port');
  return address.port;
}

async function untilUp(url: string, child: ChildProcess, logFile: string): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    if (child.exitCode !== null || Date.now() > deadline) {
      await endGroup(child);
      throw new Error(
        `expected a VS Code server at ${url}, got:\n${readFileSync(logFile, 'utf8').slice(-2000)}`,
      );
    }
    const up = await fetch(`${url}/version`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (up) return;
    await delay(50);
  }
}

async function endGroup(child: ChildProcess): Promise<void> {
  const group = child.pid;
  if (group === undefined) return;
  const signal = (name: NodeJS.Signals) => {
    try {
      process.kill(-group, name);
    } catch {
      // The group has ended already.
    }
  };
  const ended = child.exitCode === null ? once(child, 'exit') : undefined;
  signal('SIGTERM');
  const force = setTimeout(() => signal('SIGKILL'), 4000);
  await ended;
  clearTimeout(force);
  signal('SIGKILL');
}
