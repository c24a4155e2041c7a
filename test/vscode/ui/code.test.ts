/** Help where the code stands: lens, actions, the inline thread with its follow-up, the stored explanation and its age. */
import assert from 'node:assert/strict';
import { inEditor } from '../session.ts';
import { textOf } from '../workbench.ts';

inEditor('code', {}, async (step) => {
  await step('a selection gets a lens that explains it in a thread', async ({ workbench }) => {
    const { page } = workbench;
    await workbench.statusItem.filter({ hasText: 'local only' }).waitFor({ timeout: 60_000 });
    await workbench.selectLines('retry.ts', 15, 18);
    const lens = page.locator('.codelens-decoration a', { hasText: 'Explain' });
    await lens.waitFor();
    await workbench.shot('lens-dark');
    await lens.click();
    const answer = page.locator('.review-widget .review-comment').first();
    await answer.filter({ hasText: /local · SmolLM2/ }).waitFor({ timeout: 90_000 });
    await workbench.shotThemes('thread');
  });

  await step('the reply box continues the thread', async ({ workbench }) => {
    const { page } = workbench;
    const box = page.locator('.review-widget .comment-form .monaco-editor');
    await page.locator('.review-widget .review-thread-reply-button').click();
    await box.click();
    await page.keyboard.type('What does it return for an empty list?');
    await page.locator('.review-widget .form-actions .monaco-button').first().click();
    const comments = page.locator('.review-widget .review-comment');
    await comments.nth(1).filter({ hasText: 'empty list' }).waitFor();
    await comments
      .nth(2)
      .filter({ hasText: /local · SmolLM2/ })
      .waitFor({ timeout: 90_000 });
    await workbench.shot('thread-follow-up-dark');
  });

  await step('a hover shows the stored explanation', async ({ workbench }) => {
    const { page } = workbench;
    await workbench.openFile('retry.ts');
    await workbench.goTo(15, 20);
    await workbench.palette('Show or Focus Hover');
    const hover = page.locator('.monaco-hover:visible', { hasText: /local · SmolLM2/ });
    await hover.first().waitFor();
    await workbench.shotThemes('hover');
    await page.keyboard.press('Escape');
  });

  await step('the lightbulb offers what can be done with code', async ({ workbench }) => {
    const { page } = workbench;
    await workbench.selectLines('inventory.py', 8, 9);
    await workbench.palette('Quick Fix...');
    const menu = page.locator('.action-widget').first();
    await menu.waitFor();
    const offered = await textOf(menu);
    for (const word of [/explain/i, /problems/i, /test/i, /document/i]) {
      assert.match(offered, word);
    }
    await workbench.shot('actions-dark');
    await page.keyboard.press('Escape');
  });

  await step('an explanation of changed code is stale', async ({ workbench }) => {
    const { page } = workbench;
    await workbench.openFile('retry.ts');
    await workbench.goTo(17, 3);
    await page.keyboard.type('// ');
    await workbench.goTo(15, 20);
    await workbench.palette('Show or Focus Hover');
    await page.locator('.monaco-hover:visible', { hasText: /stale/ }).first().waitFor();
  });
});
