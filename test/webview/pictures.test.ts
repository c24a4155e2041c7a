/**
 * Pictures of both pages in every kind of theme, for a person to look at (`build/shots`, not in git). The test itself
 * holds only that each page draws without a complaint and is no wider than its view, down to 300 pixels.
 */
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { test } from 'node:test';
import type { RoutesParams } from '../../server/src/protocol.ts';
import { answerScript } from './answerScript.ts';
import { describeInChromium } from './pageHarness.ts';
import { report, routesPage, status, trace, whatIf } from './sampleView.ts';
import type { ThemeName } from './themes.ts';

const SHOTS = 'build/shots';
const themes: readonly ThemeName[] = ['dark', 'light', 'high-contrast', 'high-contrast-light'];
const cases = themes.flatMap((theme) => [1100, 300].map((width) => ({ theme, width })));

function reply(message: Record<string, unknown>): readonly unknown[] {
  const { type, id } = message;
  if (type === 'ready') {
    return [
      { type: 'status', status },
      { type: 'what-if', figures: whatIf },
    ];
  }
  if (type === 'report') return [{ type, id, report }];
  if (type === 'routes') {
    return [{ type, id, page: routesPage(message['params'] as RoutesParams, 1_204) }];
  }
  return type === 'trace' ? [{ type, id, trace }] : [];
}

describeInChromium('pictures', (harness) => {
  for (const { theme, width } of cases) {
    test(`dashboard and answers, ${theme}, ${width} pixels`, async () => {
      await mkdir(SHOTS, { recursive: true });
      const dashboard = await harness().open({ page: 'dashboard', theme, width, reply });
      await dashboard.page.locator('.row[data-index="1"] .cell-title').click();
      await dashboard.page.waitForSelector('.trace');
      await dashboard.page.waitForSelector('.chart canvas');
      await dashboard.page.waitForFunction("document.querySelector(':not(:defined)') === null");
      await dashboard.page.screenshot({
        path: `${SHOTS}/dashboard-${theme}-${width}.png`,
        fullPage: true,
      });
      const answers = await harness().open({ page: 'answers', theme, width });
      for (const message of answerScript()) await answers.say(message);
      await answers.page.locator('summary', { hasText: 'Details' }).first().click();
      await answers.page.screenshot({
        path: `${SHOTS}/answers-${theme}-${width}.png`,
        fullPage: true,
      });
      for (const { page } of [dashboard, answers]) {
        const wide = Number(await page.evaluate('document.documentElement.scrollWidth'));
        assert.ok(wide <= width, `expected no more than ${width} pixels, got ${wide}`);
      }
      assert.deepEqual([...dashboard.complaints, ...answers.complaints], []);
      await dashboard.close();
      await answers.close();
    });
  }
});
