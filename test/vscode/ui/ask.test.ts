/** Asking from the palette with the real small model: preview, stream, route, cancel, and a server that dies. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { type EditorSession, inEditor } from '../session.ts';
import { textOf, type Workbench } from '../workbench.ts';

inEditor('asking', {}, async (step) => {
  await step('the status bar is there before the first question', async ({ workbench }) => {
    await workbench.statusItem.filter({ hasText: /local only|\$0/ }).waitFor();
  });

  await step('the preview says where a question would go', async ({ workbench }) => {
    await workbench.openFile('retry.ts');
    await workbench.palette('Cost-Aware Router: Ask...');
    await workbench.input.fill('What is the capital of France?');
    const preview = workbench.picks.filter({ hasText: 'free' }).first();
    await preview.waitFor();
    assert.match(await textOf(preview), /local/);
    await workbench.shot('ask-preview-dark');
  });

  await step('Enter streams the answer and says what it was', async ({ workbench }) => {
    await workbench.page.keyboard.press('Enter');
    const page = await workbench.webview('.answer');
    const line = page.locator('.answer .badge').last();
    await line.filter({ hasText: /local · SmolLM2.* · free · [\d.]+ s/ }).waitFor();
    assert.match(await textOf(page.locator('.answer .text').last()), /Paris/);
    await workbench.shotThemes('answer');
  });

  await step('a running answer can be cancelled', async ({ workbench }) => {
    await ask(workbench, 'Write a very long story about a ship and its crew.');
    const page = await workbench.webview('.answer');
    const text = page.locator('.answer').last().locator('.text');
    await text.filter({ hasText: /\w+/ }).waitFor();
    await workbench.palette('Cost-Aware Router: Cancel');
    await page
      .locator('.answer')
      .last()
      .locator('.notice')
      .filter({ hasText: /cancelled/i })
      .waitFor();
    assert.match(await textOf(text), /\w+/);
  });

  await step('a killed server ends the question and is started again', async (session) => {
    const { workbench } = session;
    await ask(workbench, 'Write a very long story about a village and its mill.');
    const page = await workbench.webview('.answer');
    const last = page.locator('.answer').last();
    await last.locator('.text').filter({ hasText: /\w+/ }).waitFor();
    for (const pid of serverPids(session)) process.kill(pid, 'SIGKILL');
    await workbench.toast(/SIGKILL.*started again/).waitFor();
    await workbench.shot('server-killed-dark');
    await last.locator('.notice').waitFor();
    assert.equal(await last.getAttribute('aria-busy'), 'false');
    await workbench.clearToasts();
    await ask(workbench, 'What is the capital of Italy?');
    await last
      .locator('.badge')
      .filter({ hasText: /SmolLM2.* · free · [\d.]+ s/ })
      .waitFor();
  });
});

async function ask(workbench: Workbench, question: string): Promise<void> {
  await workbench.palette('Cost-Aware Router: Ask...');
  await workbench.input.fill(question);
  await workbench.picks.filter({ hasText: 'local' }).first().waitFor();
  await workbench.page.keyboard.press('Enter');
}

/** Language servers whose home is this session's folder. */
function serverPids({ server }: EditorSession): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const found = pids.filter((pid) => {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      const environment = readFileSync(`/proc/${pid}/environ`, 'utf8');
      return command.includes('dist/server.js') && environment.includes(`HOME=${server.folder}\0`);
    } catch {
      return false;
    }
  });
  assert.ok(found.length > 0, 'expected a running language server');
  return found.map(Number);
}
