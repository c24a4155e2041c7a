/** The dashboard's page in Chromium on the built server's own month of 100,000 routes. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { askFirst, type FirstQuestions } from '../../../client/src/firstQuestions.ts';
import type { DashboardToHost, HostToDashboard } from '../../../client/src/webviewMessages.ts';
import type { StatusWire } from '../../../server/src/protocol.ts';
import {
  chromiumPath,
  type Harness,
  type OpenPage,
  startHarness,
} from '../../webview/pageHarness.ts';
import { median, quantile, spread } from '../figures.ts';
import { startServer } from '../languageServer.ts';
import { fillMonth } from '../monthOfRoutes.ts';
import { section } from '../rows.ts';

const ROUTES = 100_000;

/** By a display's clock an empty page, too, takes 16.7 ms a frame, so nothing could be told of frames that take less. */
const NO_CLOCK = ['--disable-frame-rate-limit', '--disable-gpu-vsync'];

export const dashboard = section<'open' | 'filter' | 'frames'>({
  name: 'dashboard',
  title: 'Dashboard with 100,000 routes in Chromium',
  limitS: 100,
  rows: {
    open: { name: 'dashboard: open, until its routes are drawn', unit: 'ms', goal: { most: 300 } },
    filter: { name: 'dashboard: filter, until it is drawn', unit: 'ms', goal: { most: 300 } },
    frames: {
      name: 'dashboard: frames while scrolling, 95th percentile',
      unit: 'ms',
      goal: { most: 16 },
    },
  },
  async run({ quick, say }, tell) {
    if (chromiumPath === undefined) {
      throw new Error('no Chromium: install one, or name it in CHROMIUM_PATH');
    }
    const dataDir = mkdtempSync(join(tmpdir(), 'bench-dashboard-'));
    const routes = quick ? ROUTES / 10 : ROUTES;
    await fillMonth(join(dataDir, 'ledger.sqlite'), routes);
    say(`${routes} routes are written`);
    const server = await startServer(dataDir);
    const harness = await startHarness(chromiumPath);
    const clockless = await startHarness(chromiumPath, NO_CLOCK);
    try {
      const status = await server.request('costAwareRouter/status', null);
      const times: number[] = [];
      const wholes: number[] = [];
      const filters: number[] = [];
      const frames: number[] = [];
      const rounds = quick ? 2 : 6;
      const opened = (from: Harness) => {
        let first: FirstQuestions | undefined;
        return from.open({
          page: 'dashboard',
          script: WATCH,
          onStart: () => {
            first = askFirst((method, params) => server.request(method, params));
          },
          reply: (message) => answer(first, status, message as DashboardToHost),
        });
      };
      for (let round = -1; round < rounds; round++) {
        const open = await opened(harness);
        const drawn = await open.page.evaluate('rowsPainted');
        if (round >= 0) times.push(Number(drawn));
        await open.page.waitForSelector('.chart canvas');
        await open.page.waitForFunction(`${SELECT}.matches(':defined')`);
        if (round >= 0) wholes.push(Number(await open.page.evaluate('performance.now()')));
        if (round >= 0) filters.push(await filter(open));
        await open.close();
      }
      for (let round = 0; round < 2; round++) {
        const open = await opened(clockless);
        await open.page.waitForSelector('.chart canvas');
        frames.push(...(await scroll(open)));
        await open.close();
      }
      tell('open', {
        value: median(times),
        against: null,
        note: `${spread(times, 0)} ms from the page's navigation on; ${spread(wholes, 0)} ms until chart and controls stand, too; ${rounds} times with a server that is up, ${routes} routes`,
      });
      tell('filter', { value: median(filters), against: null, note: `${spread(filters, 0)} ms` });
      tell('frames', {
        value: quantile(frames, 0.95),
        against: null,
        note: `median ${median(frames).toFixed(1)} ms of ${frames.length} frames, each as fast as it can be made; a screen shows one each 16.7 ms`,
      });
    } finally {
      await harness.close();
      await clockless.close();
      await server.stop();
      rmSync(dataDir, { recursive: true, force: true });
    }
  },
});

/** The extension's part. */
async function answer(
  first: FirstQuestions | undefined,
  status: StatusWire,
  message: DashboardToHost,
): Promise<readonly HostToDashboard[]> {
  const { type } = message;
  if (type === 'ready') return [{ type: 'status', status }];
  if (first === undefined) throw new Error('expected a page that has begun to load');
  if (type === 'report') return [{ type, id: message.id, report: await first.report(message) }];
  if (type === 'routes') return [{ type, id: message.id, page: await first.routes(message) }];
  return [];
}

/** Notes when the first rows were painted, on the page's own clock, which begins with its navigation. */
const WATCH = `
  window.rowsPainted = new Promise((done) => {
    new MutationObserver((_changes, watch) => {
      if (document.querySelector('.row .cell-title') === null) return;
      watch.disconnect();
      // A frame's callbacks run before it is painted.
      requestAnimationFrame(() => setTimeout(() => done(performance.now())));
    }).observe(document, { childList: true, subtree: true });
  });`;

const SELECT = "document.querySelector('.filters vscode-single-select')";

async function filter(open: OpenPage): Promise<number> {
  const before = await open.page.locator('.count').first().textContent();
  const startedMs = performance.now();
  await open.page.locator('.filters vscode-single-select').first().click();
  for (const key of ['ArrowDown', 'ArrowDown', 'Enter']) await open.page.keyboard.press(key);
  await open.page.evaluate(`new Promise((done) => {
    const look = () =>
      document.querySelector('.count').textContent === ${JSON.stringify(before)}
        ? requestAnimationFrame(look)
        : done();
    look();
  })`);
  return performance.now() - startedMs;
}

/** Wheels through some hundred rows, a step each frame, and notes the time between frames. */
async function scroll(open: OpenPage): Promise<number[]> {
  const found = await open.page.evaluate(`new Promise((done) => {
    const scroller = document.querySelector('.rows-scroll');
    const frames = [];
    let last;
    const step = (now) => {
      if (last !== undefined) frames.push(now - last);
      last = now;
      scroller.scrollTop += 90;
      if (frames.length < 240) requestAnimationFrame(step);
      else done(frames);
    };
    requestAnimationFrame(step);
  })`);
  return found as number[];
}
