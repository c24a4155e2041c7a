/** What past prompts would have cost: from the command, by the picker, to the dashboard; what can't be read says so. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { inEditor } from '../session.ts';
import { textOf, type Workbench } from '../workbench.ts';

const COMMAND = 'Cost-Aware Router: What Would Last Month Have Cost...';
const asked = [
  'Say hello.',
  'What is the capital of France?',
  'Prove that the sum of the first n odd numbers is n squared, and then that no shorter proof exists.',
  'Plan the migration of a ledger to another database, with the order of steps and what can be undone.',
];

inEditor('what if', {}, async (step) => {
  await step(
    'a log stands on the dashboard as costs, savings and who would have answered',
    async (session) => {
      const { workbench, server } = session;
      await workbench.statusItem.filter({ hasText: 'local only' }).waitFor();
      mkdirSync(join(server.workspace, 'logs'));
      mkdirSync(join(server.workspace, 'empty'));
      const log = join(server.workspace, 'logs', 'october.jsonl');
      const lines = Array.from({ length: 40 }, (_, at) => ({
        model: 'gpt-5',
        messages: [{ role: 'user', content: `${asked[at % asked.length]} (${at})` }],
        ...(at === 0 ? {} : { usage: { prompt_tokens: 900, completion_tokens: 300 } }),
      }));
      writeFileSync(log, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
      await pick(workbench, 'A File...', log);
      const page = await workbench.webview('.what-if-bars');
      const section = page.locator('.what-if');
      assert.equal(await textOf(section.locator('.what-if-source')), 'october.jsonl');
      assert.match(await textOf(section.locator('.figure')), /≈ \$\d.* · ≈ \d+ % escalated/);
      assert.match(await textOf(section), /40 prompts: \d+ % local, \d+ % cloud at once/);
      assert.match(await textOf(section), /Prompts whose tokens are estimated: 1\./);
      assert.deepEqual((await section.locator('dt').allInnerTexts()).at(-1), 'paid then');
      const prompts = await section.locator('tbody td:nth-child(2)').allInnerTexts();
      assert.equal(
        prompts.reduce((sum, text) => sum + Number(text), 0),
        40,
      );
      await workbench.shotThemes('what-if');
    },
  );

  await step(
    'nothing was asked or spent, and what can not be read says what was expected',
    async (session) => {
      const { workbench, server, provider } = session;
      assert.equal(provider.getRequests().length, 0);
      await pick(workbench, 'A Folder...', join(server.workspace, 'empty'));
      await workbench.toast('Expected a folder with .jsonl files').waitFor();
      await workbench.clearToasts();
      // What was found before stays until it is closed.
      const page = await workbench.webview('.what-if-bars');
      await page.getByRole('button', { name: 'Close what it would have cost' }).click();
      await page.locator('.what-if').waitFor({ state: 'hidden' });
    },
  );
});

async function pick(workbench: Workbench, kind: string, path: string): Promise<void> {
  await workbench.palette(COMMAND);
  await workbench.picks.filter({ hasText: kind }).click();
  const title = workbench.page.locator('.quick-input-title', {
    hasText: 'What would last month have cost?',
  });
  // It puts the folder that it starts from into the box first, and would do so over what was typed too early.
  await workbench.picks.filter({ hasText: '..' }).first().waitFor();
  const isFolder = kind === 'A Folder...';
  await workbench.input.fill(isFolder ? `${path}/` : path);
  const listed = isFolder ? '..' : basename(path);
  await workbench.picks.filter({ hasText: listed }).first().waitFor();
  await workbench.page.waitForFunction(
    `document.querySelector('.quick-input-widget .monaco-progress-container:not(.done)') === null`,
  );
  // Enter would go into a folder rather than choose it.
  if (isFolder) await workbench.page.locator('.quick-input-widget').getByText('Read').click();
  else await workbench.page.keyboard.press('Enter');
  await title.waitFor({ state: 'hidden' });
}
