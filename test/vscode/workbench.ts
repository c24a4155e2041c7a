/**
 * The workbench as a person meets it: palette, notifications, editors and web views, by what is on the screen. The only
 * place that knows VS Code's own class names.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FrameLocator, Locator, Page } from 'playwright-core';
import { repositoryRoot } from '../support/localModel.ts';
import { type Launched, type OpenedBrowser, PATIENCE_MS } from './launch.ts';

export interface Workbench {
  readonly page: Page;
  readonly statusItem: Locator;
  /** Runs a command by its title. */
  palette(title: string): Promise<void>;
  /** The box of an input or a quick pick that is open. */
  readonly input: Locator;
  readonly picks: Locator;
  toast(text: string | RegExp): Locator;
  clearToasts(): Promise<void>;
  openFile(name: string): Promise<Locator>;
  /** The extension's own document: the frame in the frame of the last web view that shows the given text or element. */
  webview(selector: string): Promise<FrameLocator>;
  /** Selects whole lines of the focused editor, counted from one. */
  selectLines(name: string, from: number, to: number): Promise<void>;
  /** Puts the cursor of the focused editor there, both counted from one. */
  goTo(line: number, column: number): Promise<void>;
  shot(name: string): Promise<void>;
  /** Until the upper edge of that element is on the screen. */
  inSight(element: Locator): Promise<void>;
  /** Sets one of the user's settings. */
  setUser(name: string, value: unknown): Promise<void>;
  /** One picture in each theme, the dark one last so that it stays. */
  shotThemes(name: string): Promise<void>;
}

const EXTENSION = 'cost-aware-router.cost-aware-router';
const shots = join(repositoryRoot, 'build', 'shots');

/** Each with the class that the workbench wears in it, and the kind that web views are told. */
const THEMES = [
  { name: 'light', id: 'Light Modern', wears: 'vs', inPages: 'vscode-light' },
  {
    name: 'contrast',
    id: 'Default High Contrast',
    wears: 'hc-black',
    inPages: 'vscode-high-contrast',
  },
  { name: 'dark', id: 'Dark Modern', wears: 'vs-dark', inPages: 'vscode-dark' },
] as const;

export async function textOf(element: Locator): Promise<string> {
  return ((await element.textContent()) ?? '').trim();
}

export async function openWorkbench(
  server: Launched,
  { context }: OpenedBrowser,
  folder: string = server.workspace,
): Promise<Workbench> {
  mkdirSync(shots, { recursive: true });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  await page.goto(`${server.url}/?folder=${encodeURIComponent(folder)}`);
  await page.locator('.monaco-workbench').waitFor();

  const quick = page.locator('.quick-input-widget');
  const input = quick.locator('input.input');
  const picks = quick.locator('.monaco-list-row');
  const toasts = page.locator('.notifications-toasts .notification-list-item');

  async function palette(title: string): Promise<void> {
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
      try {
        // F1, because the browser keeps other keys to itself.
        await page.keyboard.press('F1');
        await input.waitFor({ timeout: 5000 });
        await input.fill(`>${title}`, { timeout: 5000 });
        // The list filters with a delay, so the row is awaited, not taken as the first.
        await picks.filter({ hasText: title }).first().click({ timeout: 20_000 });
        break;
      } catch (error) {
        // A web view that is just loading swallows the key, and one that takes the focus late closes the palette.
        if (Date.now() > deadline) throw error;
      }
    }
    // Not until it is hidden: a command that asks something uses this very widget at once.
    await page.waitForFunction(
      `(() => { const box = document.querySelector('.quick-input-widget input.input');
        return !box || !box.checkVisibility() || !box.value.startsWith('>'); })()`,
    );
  }

  /** Web views are told of a theme a moment after the workbench wears it. */
  async function pagesWear(kind: string): Promise<void> {
    const wears = `!document.body?.dataset.vscodeThemeKind || document.body.dataset.vscodeThemeKind === '${kind}'`;
    for (const frame of page.frames()) {
      // A page that goes away meanwhile needs no theme.
      await frame.waitForFunction(wears, undefined, { polling: 100 }).catch((error: unknown) => {
        if (!frame.isDetached()) throw error;
      });
    }
    await page.evaluate(
      'new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))',
    );
  }

  async function openFile(name: string): Promise<Locator> {
    await page.keyboard.press('Control+P');
    await input.waitFor();
    await input.fill(name);
    await picks.filter({ hasText: name }).first().click();
    const editor = page.locator(`.monaco-editor[data-uri$="/${name}"]`).first();
    await editor.waitFor();
    return editor;
  }

  /** By keys: a press may meet what floats above the lines, as the shadow of a scrolled editor does. After one in a web view the focus stays there. */
  async function focus(editor: Locator): Promise<void> {
    const focused = editor.and(page.locator('.focused'));
    const deadline = Date.now() + PATIENCE_MS;
    while (!(await focused.isVisible())) {
      if (Date.now() > deadline) throw new Error('expected the editor to take the focus');
      await palette('View: Focus Active Editor Group');
      // Should something take it back late, it is asked for again.
      await focused.waitFor({ timeout: 5000 }).catch(() => undefined);
    }
  }

  return {
    page,
    statusItem: page.locator(`[id^="${EXTENSION}."]`).first(),
    palette,
    input,
    picks,
    toast: (text) => toasts.filter({ hasText: text }),
    clearToasts: () => palette('Notifications: Clear All Notifications'),
    openFile,
    async webview(selector) {
      const deadline = Date.now() + PATIENCE_MS;
      for (;;) {
        const count = await page.locator('iframe.webview.ready').count();
        for (let at = count - 1; at >= 0; at--) {
          const frame = page
            .frameLocator(`iframe.webview.ready >> nth=${at}`)
            .frameLocator('iframe#active-frame');
          if ((await frame.locator(selector).count()) > 0) return frame;
        }
        if (Date.now() > deadline) {
          throw new Error(`expected a web view with ${selector}, got ${count} without it`);
        }
        await page.waitForTimeout(100);
      }
    },
    async selectLines(name, from, to) {
      const editor = await openFile(name);
      await focus(editor);
      await page.keyboard.press('Control+Home');
      for (let line = 1; line < from; line++) await page.keyboard.press('ArrowDown');
      for (let line = from; line < to; line++) await page.keyboard.press('Shift+ArrowDown');
      await page.keyboard.press('Shift+End');
    },
    async goTo(line, column) {
      await page.keyboard.press('Control+G');
      await input.waitFor();
      await input.fill(`:${line}:${column}`);
      await page.keyboard.press('Enter');
      await input.waitFor({ state: 'hidden' });
    },
    async shot(name) {
      await page.screenshot({ path: join(shots, `${name}.png`) });
    },
    async inSight(element) {
      const deadline = Date.now() + PATIENCE_MS;
      const height = page.viewportSize()?.height ?? 0;
      for (;;) {
        const box = await element.boundingBox();
        if (box !== null && box.y > 0 && box.y < height) return;
        if (Date.now() > deadline) {
          throw new Error(`expected it in sight, got ${JSON.stringify(box)}`);
        }
        await page.waitForTimeout(100);
      }
    },
    async setUser(name, value) {
      const settings: object = JSON.parse(readFileSync(server.userSettingsFile, 'utf8'));
      const wanted = JSON.stringify({ ...settings, [name]: value });
      writeFileSync(server.userSettingsFile, wanted);
      // On the server the file is not watched, so the workbench itself has to save it: with a blank at its end.
      await palette('Preferences: Open User Settings (JSON)');
      const editor = page.locator('.monaco-editor[data-uri$="/User/settings.json"]');
      await editor.locator('.view-line', { hasText: name }).first().waitFor();
      await focus(editor);
      const deadline = Date.now() + PATIENCE_MS;
      while (readFileSync(server.userSettingsFile, 'utf8') === wanted) {
        if (Date.now() > deadline) throw new Error(`expected ${name} to be saved, got nothing`);
        await page.keyboard.press('Control+End');
        await page.keyboard.press('Space');
        await page.keyboard.press('Control+S');
        await page.waitForTimeout(500);
      }
      await palette('View: Close Editor');
    },
    async shotThemes(name) {
      const file = join(server.workspace, '.vscode', 'settings.json');
      const before = existsSync(file) ? readFileSync(file, 'utf8') : '{}';
      const settings: object = JSON.parse(before);
      mkdirSync(join(file, '..'), { recursive: true });
      for (const theme of THEMES) {
        writeFileSync(file, JSON.stringify({ ...settings, 'workbench.colorTheme': theme.id }));
        await page.locator(`.monaco-workbench.${theme.wears}`).first().waitFor();
        await pagesWear(theme.inPages);
        await page.screenshot({ path: join(shots, `${name}-${theme.name}.png`) });
      }
      writeFileSync(file, before);
    },
  };
}
