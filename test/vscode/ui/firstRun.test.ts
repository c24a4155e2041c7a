/** The first hour: nothing is there, the walkthrough leads, a model is fetched in two goes, and a file of one's own answers. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { copyFileSync, createReadStream, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Locator } from 'playwright-core';
import { ensureSmolLm2, smolLm2 } from '../../support/localModel.ts';
import { SERVED_FILE, SERVED_LABEL, startModelServer } from '../modelServer.ts';
import { inEditor } from '../session.ts';
import { textOf, type Workbench } from '../workbench.ts';

/** Where the download waits to be cancelled. */
const HOLD_BYTES = 30_000_000;

inEditor('first run', { model: false }, async (step) => {
  const models = await startModelServer(HOLD_BYTES);
  try {
    await step('what is missing stands in one place', async ({ workbench, server }) => {
      writeFileSync(join(server.dataDir, 'registry.yaml'), models.registryYaml);
      await workbench.statusItem.filter({ hasText: 'set up' }).waitFor();
      await workbench.statusItem.hover();
      const tooltip = workbench.page.locator('.monaco-hover:visible', { hasText: 'set up' });
      await tooltip.waitFor();
      for (const next of ['Download a Model', 'Enter a Key']) {
        await tooltip.getByRole('link', { name: next }).or(tooltip.getByText(next)).waitFor();
      }
      await workbench.shotThemes('set-up');
    });

    await step('the status bar leads to a walkthrough of four steps', async ({ workbench }) => {
      await workbench.statusItem.click();
      const steps = workbench.page.locator('.getting-started-step');
      await steps.first().waitFor();
      assert.deepEqual(await steps.locator('.step-title').allTextContents(), [
        'Get a local model',
        'Ask your first question',
        'Add a key, or stay local',
        'See why',
      ]);
      await workbench.shotThemes('walkthrough-model');
    });

    await step('its first step starts a download that can be cancelled', async ({ workbench }) => {
      await startDownload(workbench);
      const progress = workbench.toast(/Served Here: [1-9]\d* MB of 98 MB/);
      await progress.waitFor();
      await workbench.shotThemes('download');
      await progress.getByRole('button', { name: 'Cancel' }).click();
      await progress.waitFor({ state: 'hidden' });
      assert.deepEqual(models.ranges, ['whole']);
      await workbench.statusItem.filter({ hasText: 'set up' }).waitFor();
    });

    await step('the download goes on where it was cut, and is whole', async (session) => {
      const { workbench, server } = session;
      models.liftHold();
      await startDownload(workbench);
      await workbench.toast(/Served Here is ready.*answers first/).waitFor();
      await workbench.shot('download-ready-dark');
      assert.equal(models.ranges.length, 2, models.ranges.join());
      assert.match(models.ranges[1] ?? '', /^bytes=[1-9]\d{5,}-$/);
      const file = join(server.dataDir, 'models', SERVED_FILE);
      assert.equal(await sha256Of(file), smolLm2.file.sha256);
      await workbench.statusItem.filter({ hasText: 'local only' }).waitFor();
      await untilChecked(workbench, 'model');
      await workbench.clearToasts();
    });

    await step('its second step opens a sample with the question typed', async ({ workbench }) => {
      await expand(workbench, 'ask');
      await workbench.shot('walkthrough-ask-dark');
      await button(workbench, 'Ask About a Sample').click();
      await workbench.input.waitFor();
      assert.match(await workbench.input.inputValue(), /twice\?$/);
      await workbench.picks.filter({ hasText: SERVED_LABEL }).first().waitFor();
      await workbench.picks.filter({ hasText: 'selection (11 lines' }).first().waitFor();
      await workbench.shot('walkthrough-sample-dark');
      await workbench.page.keyboard.press('Enter');
      await answeredBy(workbench, SERVED_LABEL);
    });

    await step('the walkthrough opens by its command, with what is done', async ({ workbench }) => {
      await workbench.palette('Cost-Aware Router: Open Walkthrough');
      await untilChecked(workbench, 'model');
      await untilChecked(workbench, 'ask');
    });

    await step('its third step asks for a key, or stays local', async ({ workbench }) => {
      await expand(workbench, 'cloud');
      await workbench.shot('walkthrough-cloud-dark');
      await button(workbench, 'Enter a Key').click();
      await workbench.input.waitFor();
      assert.equal(await workbench.input.getAttribute('type'), 'password');
      await workbench.page.keyboard.press('Escape');
      await button(workbench, 'Stay Local').click();
      await workbench.toast('Answers stay local').waitFor();
      await untilChecked(workbench, 'cloud');
    });

    await step('its fourth step opens the trace of that question', async ({ workbench }) => {
      await expand(workbench, 'why');
      await workbench.shot('walkthrough-why-dark');
      await button(workbench, 'Open the Dashboard').click();
      const page = await workbench.webview('.trace');
      const trace = page.locator('.trace').first();
      assert.match(await textOf(trace), new RegExp(SERVED_LABEL));
      await workbench.inSight(trace);
      await workbench.shot('walkthrough-trace-dark');
    });

    await step('a file that is no model is refused with the reason', async (session) => {
      const { workbench, server } = session;
      await chooseFile(workbench, join(server.workspace, 'README.md'));
      await workbench.toast(/Not a GGUF file.*nothing was changed.*README\.md/).waitFor();
      await workbench.shot('own-file-refused-dark');
      assert.equal(await workbench.toast(/now come from/).count(), 0);
      await workbench.clearToasts();
    });

    await step('a GGUF file of their own answers', async ({ workbench, server }) => {
      const own = join(server.folder, 'my own.gguf');
      copyFileSync(await ensureSmolLm2(), own);
      await chooseFile(workbench, own);
      await workbench.toast(/now come from .*my own\.gguf/).waitFor();
      await workbench.shot('own-file-dark');
      await workbench.clearToasts();
      await ask(workbench, 'What is the capital of Spain?');
      await answeredBy(workbench, 'my own');
    });

    await step('a model of the list takes its place when it is chosen', async ({ workbench }) => {
      await workbench.palette('Cost-Aware Router: Choose Model');
      await workbench.picks.filter({ hasText: 'The local model, free' }).click();
      await workbench.picks.filter({ hasText: 'my own' }).first().waitFor();
      await workbench.shot('choose-model-dark');
      await workbench.picks.filter({ hasText: SERVED_LABEL }).first().click();
      await ask(workbench, 'What is the capital of Portugal?');
      await answeredBy(workbench, SERVED_LABEL);
    });
  } finally {
    await models.stop();
  }
});

/** By its exact name: a step is a button, too, and its name holds those of its buttons. */
function button({ page }: Workbench, name: string): Locator {
  return page.locator('.getting-started-step.expanded').getByRole('button', { name, exact: true });
}

function stepOf({ page }: Workbench, id: string): Locator {
  return page.locator(`.getting-started-step[data-step-id$="#start#${id}"]`);
}

async function expand(workbench: Workbench, id: string): Promise<void> {
  const step = stepOf(workbench, id);
  await step.locator('.step-title').click();
  await workbench.page
    .locator(`.getting-started-step.expanded[data-step-id$="#start#${id}"]`)
    .waitFor();
}

async function untilChecked(workbench: Workbench, id: string): Promise<void> {
  await stepOf(workbench, id).locator('[role=checkbox][aria-checked=true]').waitFor();
}

async function startDownload(workbench: Workbench): Promise<void> {
  await button(workbench, 'Download a Model').click();
  await workbench.picks.filter({ hasText: SERVED_LABEL }).first().waitFor();
  await workbench.shot('download-list-dark');
  await workbench.picks.filter({ hasText: SERVED_LABEL }).first().click();
}

/** Types the path into VS Code's own file dialog. */
async function chooseFile(workbench: Workbench, path: string): Promise<void> {
  await workbench.palette('Cost-Aware Router: Use a GGUF File of Your Own');
  const title = workbench.page.locator('.quick-input-title', { hasText: 'GGUF' });
  await title.waitFor();
  // It puts the folder that it starts from into the box first, and would do so over what was typed too early.
  await workbench.picks.filter({ hasText: '..' }).first().waitFor();
  await workbench.input.fill(path);
  // It reads the folder of what was typed, and an Enter in the midst of that closes it without a choice.
  const listed = path.endsWith('.gguf') ? basename(path) : 'src';
  await workbench.picks.filter({ hasText: listed }).first().waitFor();
  await workbench.page.waitForFunction(
    `document.querySelector('.quick-input-widget .monaco-progress-container:not(.done)') === null`,
  );
  await workbench.shot('own-file-dialog-dark');
  await workbench.page.keyboard.press('Enter');
  await title.waitFor({ state: 'hidden' });
}

async function ask(workbench: Workbench, question: string): Promise<void> {
  await workbench.palette('Cost-Aware Router: Ask...');
  await workbench.input.fill(question);
  await workbench.picks.filter({ hasText: 'local' }).first().waitFor();
  await workbench.page.keyboard.press('Enter');
}

async function answeredBy(workbench: Workbench, label: string): Promise<void> {
  const page = await workbench.webview('.answer');
  await page
    .locator('.answer')
    .last()
    .locator('.badge')
    .filter({ hasText: new RegExp(`local · ${label} · free · [\\d.]+ s`) })
    .waitFor();
}

async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}
