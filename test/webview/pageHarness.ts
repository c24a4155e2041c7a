/**
 * Opens a built webview page in headless Chromium as the editor would: the same shell and policy, a stubbed
 * `acquireVsCodeApi`, the theme's variables on the root. The test plays the extension.
 */
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { build } from 'esbuild';
import { type Browser, chromium, type Page } from 'playwright-core';
import { type PageName, pageHtml } from '../../client/src/webviewHtml.ts';
import { type ThemeName, themes } from './themes.ts';

const { COST_AWARE_ROUTER_TEST_CHROMIUM, CHROMIUM_PATH, PATH = '' } = process.env;
const names = ['chromium', 'chromium-browser', 'google-chrome'];
export const chromiumPath = [
  COST_AWARE_ROUTER_TEST_CHROMIUM,
  CHROMIUM_PATH,
  ...PATH.split(delimiter).flatMap((folder) => names.map((name) => join(folder, name))),
].find((path) => path !== undefined && existsSync(path));

/** A suite that needs Chromium. Without one it is a single skipped test that says so: it is counted, never silent. */
export function describeInChromium(name: string, body: (harness: () => Harness) => void): void {
  if (chromiumPath === undefined) {
    test(name, { skip: 'no Chromium: install one, or name it in CHROMIUM_PATH' });
    return;
  }
  describe(name, () => {
    let harness: Harness | undefined;
    before(async () => {
      harness = await startHarness(chromiumPath);
    });
    after(() => harness?.close());
    body(() => {
      if (harness === undefined) throw new Error('expected a started harness, got none yet');
      return harness;
    });
  });
}

export interface OpenPage {
  readonly page: Page;
  /** Everything the page sent, oldest first. */
  readonly sent: readonly { readonly type: string; readonly [key: string]: unknown }[];
  /** Errors, failed policies and console complaints; an honest page has none. */
  readonly complaints: readonly string[];
  say(message: unknown): Promise<void>;
  /** Waits until the page has sent such a message. */
  sentWhere(test: (message: Record<string, unknown>) => boolean): Promise<void>;
  close(): Promise<void>;
}

export interface OpenOptions {
  readonly page: PageName;
  readonly theme?: ThemeName;
  readonly width?: number;
  readonly height?: number;
  readonly strings?: Readonly<Record<string, string>>;
  /** Runs in the page before its own script. */
  readonly script?: string;
  /** Runs as the page begins to load. */
  readonly onStart?: (page: Page) => void | Promise<void>;
  /** The extension's part: what to answer to a message. */
  readonly reply?: (
    message: Record<string, unknown>,
  ) => readonly unknown[] | Promise<readonly unknown[]>;
}

export interface Harness {
  open(options: OpenOptions): Promise<OpenPage>;
  close(): Promise<void>;
}

/** @param flags further ones of the browser */
export async function startHarness(
  executablePath: string,
  flags: readonly string[] = [],
): Promise<Harness> {
  const folder = await mkdtemp(join(tmpdir(), 'webview-pages-'));
  // As the project's own build makes them: each page by itself, and what it loads later in files of its own.
  for (const page of ['dashboard.ts', 'answers.ts']) {
    await build({
      entryPoints: [join(import.meta.dirname, '..', '..', 'client', 'webview', page)],
      outdir: folder,
      bundle: true,
      format: 'esm',
      splitting: true,
      target: 'es2022',
      logLevel: 'error',
    });
  }
  let shell = '';
  const server = createServer((request, response) => {
    const name = (request.url ?? '/').slice(1);
    if (name === '') {
      response.setHeader('content-type', 'text/html; charset=utf-8').end(shell);
      return;
    }
    response.setHeader('content-type', name.endsWith('.css') ? 'text/css' : 'text/javascript');
    readFile(join(folder, name)).then(
      (content) => response.end(content),
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const browser: Browser = await chromium.launch({
    executablePath,
    args: ['--no-sandbox', ...flags],
  });
  return {
    open: async (options) => {
      shell = pageHtml({
        page: options.page,
        cspSource: origin,
        uriOf: (fileName) => `${origin}/${fileName}`,
        title: options.page,
        language: 'en',
        strings: options.strings ?? {},
      });
      return openPage(browser, origin, options);
    },
    close: async () => {
      await browser.close();
      await new Promise((resolve) => server.close(resolve));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function openPage(browser: Browser, origin: string, options: OpenOptions): Promise<OpenPage> {
  const page = await browser.newPage({
    viewport: { width: options.width ?? 1000, height: options.height ?? 900 },
  });
  const sent: { type: string; [key: string]: unknown }[] = [];
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (line) => {
    if (line.type() === 'error' || line.type() === 'warning') complaints.push(line.text());
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(origin)) complaints.push(`request to ${request.url()}`);
  });
  const waiting = new Set<() => void>();
  const sentWhere = (wanted: (message: Record<string, unknown>) => boolean): Promise<void> =>
    new Promise((resolve, reject) => {
      const late = setTimeout(
        () => reject(new Error('expected a message, got none in a minute')),
        60_000,
      );
      const look = (): void => {
        if (!sent.some(wanted)) return;
        clearTimeout(late);
        waiting.delete(look);
        resolve();
      };
      waiting.add(look);
      look();
    });
  const say = (message: unknown): Promise<void> =>
    page.evaluate(`window.postMessage(${JSON.stringify(message)}, '*')`);
  await page.exposeFunction('hostReceives', async (message: { type: string }) => {
    sent.push(message);
    for (const look of [...waiting]) look();
    for (const answer of (await options.reply?.(message)) ?? []) await say(answer);
  });
  await page.addInitScript(initScript(options.theme ?? 'dark'));
  if (options.script !== undefined) await page.addInitScript(options.script);
  await options.onStart?.(page);
  await page.goto(`${origin}/`);
  return { page, sent, complaints, say, sentWhere, close: () => page.close() };
}

/** What the editor puts into every webview before the page's own script. */
function initScript(name: ThemeName): string {
  const { bodyClass, background, variables } = themes[name];
  return `
    window.acquireVsCodeApi = () => ({
      postMessage: (message) => void window.hostReceives(JSON.parse(JSON.stringify(message))),
      getState: () => JSON.parse(sessionStorage.getItem('state') ?? 'null'),
      setState: (state) => sessionStorage.setItem('state', JSON.stringify(state)),
    });
    document.addEventListener('DOMContentLoaded', () => {
      const root = document.documentElement.style;
      for (const [key, value] of Object.entries(${JSON.stringify(variables)})) root.setProperty('--vscode-' + key, value);
      root.setProperty('--vscode-font-family', 'system-ui, sans-serif');
      root.setProperty('--vscode-font-size', '13px');
      root.setProperty('--vscode-editor-font-family', 'monospace');
      root.setProperty('background-color', '${background}');
      document.body.className = '${bodyClass}';
    });
  `;
}
