/** What stays of answers: the trace a link away, the dashboard as view and tab, exports in real files, and the history of a workspace. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FrameLocator } from 'playwright-core';
import { ask, ended, turnOf } from '../questions.ts';
import { inEditor } from '../session.ts';
import { textOf, type Workbench } from '../workbench.ts';

const FIRST = 'Say hello.';
const SECOND = 'Say goodbye.';
const KEPT = 'Say good night.';

inEditor('records', {}, async (step) => {
  await step('the status bar leads to the trace of the last answer', async ({ workbench }) => {
    const { page } = workbench;
    await workbench.statusItem.filter({ hasText: 'local only' }).waitFor();
    for (const question of [FIRST, SECOND]) await answered(workbench, question);
    await workbench.statusItem.hover();
    const tooltip = page.locator('.monaco-hover:visible', { hasText: 'Why did the last answer' });
    await tooltip.waitFor();
    await workbench.shotThemes('tooltip');
    await workbench.statusItem.hover();
    await tooltip.getByText('Why did the last answer go there?').click();
    const tab = await workbench.webview('.row[aria-expanded="true"]');
    const row = tab.locator('.row[aria-expanded="true"]');
    assert.equal(await row.count(), 1);
    assert.equal(await row.getAttribute('data-index'), '0');
    await tab.locator('.trace').waitFor();
    assert.match(await textOf(tab.locator('.trace')), /0\.\d\d of 0\.\d\d/);
    await workbench.shotThemes('trace');
    await workbench.palette('View: Close Editor');
  });

  await step('the palette leads there too, and follows the next answer', async ({ workbench }) => {
    await workbench.palette('Cost-Aware Router: Show Why the Last Answer Went There');
    const first = await workbench.webview('.row[aria-expanded="true"]');
    const before = await first.locator('.row[aria-expanded="true"]').getAttribute('data-prompt');
    await answered(workbench, 'Say thank you.');
    await workbench.palette('Cost-Aware Router: Show Why the Last Answer Went There');
    const tab = await workbench.webview('.row');
    const row = tab.locator(`.row[aria-expanded="true"]:not([data-prompt="${before}"])`);
    await row.waitFor();
    assert.equal(await row.getAttribute('data-index'), '0');
    await workbench.palette('View: Close Editor');
  });

  await step('the dashboard is a view and an editor tab with the same figures', async (session) => {
    const { workbench } = session;
    await workbench.palette('Cost-Aware Router: Show Dashboard');
    const view = await workbench.webview('.card-shares .figure');
    await view.locator('.card-shares .figure').filter({ hasText: '3' }).waitFor();
    const inView = await cards(view);
    await workbench.shotThemes('dashboard-view');
    await workbench.palette('View: Toggle Primary Side Bar Visibility');
    await workbench.page.locator('.part.sidebar').waitFor({ state: 'hidden' });
    await workbench.palette('Cost-Aware Router: Open Dashboard in Editor');
    await workbench.page.locator('.tab.active', { hasText: 'Routes and Spend' }).waitFor();
    const tab = await workbench.webview('.card-shares .figure');
    await tab.locator('.card-shares .figure').filter({ hasText: '3' }).waitFor();
    assert.deepEqual(await cards(tab), inView);
    await workbench.shotThemes('dashboard-tab');
  });

  await step('a month is exported as CSV and as JSON lines, into files', async (session) => {
    const { workbench, server } = session;
    const tab = await workbench.webview('.card-shares .figure');
    const month = new Date().toISOString().slice(0, 7);
    for (const format of ['csv', 'jsonl'] as const) {
      const file = join(server.workspace, `cost-aware-router-${month}.${format}`);
      await tab.getByRole('button', { name: format === 'csv' ? /CSV/ : /JSON/ }).click();
      await workbench.input.waitFor();
      await suggests(workbench, file);
      if (format === 'csv') await workbench.shot('export-dark');
      await workbench.page.keyboard.press('Enter');
      const said = workbench.toast(`Exported to cost-aware-router-${month}.${format}`);
      await said.waitFor();
      assert.ok(existsSync(file));
      await workbench.clearToasts();
    }
    const read = (format: string) =>
      readFileSync(join(server.workspace, `cost-aware-router-${month}.${format}`), 'utf8')
        .trim()
        .split(/\r?\n/);
    const [head = '', ...rows] = read('csv');
    const records = read('jsonl').map((line): unknown => JSON.parse(line));
    assert.equal(rows.length, 3);
    assert.equal(records.length, 3);
    assert.deepEqual(Object.keys(records[0] ?? {}), head.split(','));
    assert.doesNotMatch(read('jsonl').join(), /hello|goodbye|thank/);
  });

  await step('history is off until it is turned on', async ({ workbench }) => {
    await workbench.palette('Cost-Aware Router: Show History');
    await workbench.toast('History is off').waitFor();
    await workbench.clearToasts();
    await workbench.setUser('costAwareRouter.history.enabled', true);
    await workbench.palette('Cost-Aware Router: Show History');
    await workbench.toast('Nothing was kept here yet').waitFor();
    await workbench.clearToasts();
  });

  await step('then it lists the questions of its workspace, and of no other', async (session) => {
    const { workbench, server } = session;
    await answered(workbench, KEPT);
    await workbench.palette('Cost-Aware Router: Show History');
    const row = workbench.picks.filter({ hasText: KEPT });
    await row.waitFor();
    assert.equal(await workbench.picks.count(), 1);
    assert.match(await textOf(row), /local · SmolLM2/);
    await workbench.shot('history-dark');
    await row.click();
    const shown = workbench.page.locator('.monaco-editor.focused .view-line').first();
    await shown.filter({ hasText: KEPT }).waitFor();

    const elsewhere = join(server.folder, 'elsewhere');
    mkdirSync(elsewhere);
    const other = await session.secondWindow(elsewhere);
    await other.statusItem.filter({ hasText: 'local only' }).waitFor();
    await other.palette('Cost-Aware Router: Show History');
    await other.toast('Nothing was kept here yet').waitFor();
    await other.page.close();
    await workbench.page.bringToFront();
  });

  await step(
    'with history on, the dashboard names its routes by their questions',
    async (session) => {
      const { workbench } = session;
      await workbench.palette('Cost-Aware Router: Open Dashboard in Editor');
      const tab = await workbench.webview('.row');
      await tab.locator('.row[data-index="0"] .cell-title', { hasText: KEPT }).waitFor();
      assert.doesNotMatch(await textOf(tab.locator('.row[data-index="1"] .cell-title')), /thank/);
    },
  );

  await step('cleared, it is empty, and the money stays', async ({ workbench }) => {
    await workbench.palette('Cost-Aware Router: Clear History');
    const dialog = workbench.page.locator('.monaco-dialog-box');
    await dialog.waitFor();
    await workbench.shot('clear-history-dark');
    await dialog.getByRole('button', { name: 'Of This Workspace' }).click();
    await workbench.toast('The history is cleared').waitFor();
    await workbench.clearToasts();
    await workbench.palette('Cost-Aware Router: Show History');
    await workbench.toast('Nothing was kept here yet').waitFor();
    const tab = await workbench.webview('.card-shares .figure');
    await tab.locator('.card-shares .figure').filter({ hasText: '4' }).waitFor();
  });
});

async function answered(workbench: Workbench, question: string): Promise<void> {
  await ask(workbench, question);
  const { answers } = await turnOf(workbench, question);
  await ended(answers.first());
}

/** The box fills in its suggestion a moment after it opens. */
async function suggests(workbench: Workbench, path: string): Promise<void> {
  await workbench.page.waitForFunction(
    `document.querySelector('.quick-input-widget input.input')?.value === ${JSON.stringify(path)}`,
  );
}

function cards(page: FrameLocator): Promise<readonly string[]> {
  return page.locator('.card .figure').allInnerTexts();
}
