/** Help where the code stands: lens, actions, the inline thread with its follow-up, the stored explanation and its age. */
import assert from 'node:assert/strict';
import { answersIn, ended, enterKey, outcomesOf, turnOf } from '../questions.ts';
import { inEditor } from '../session.ts';
import { textOf, type Workbench } from '../workbench.ts';

inEditor('code', {}, async (step) => {
  await step('a selection gets a lens that explains it in a thread', async ({ workbench }) => {
    const { page } = workbench;
    await workbench.statusItem.filter({ hasText: 'local only' }).waitFor();
    await workbench.selectLines('retry.ts', 15, 18);
    const lens = page.locator('.codelens-decoration a', { hasText: 'Explain' });
    await lens.waitFor();
    await workbench.shot('lens-dark');
    await lens.click();
    const answer = page.locator('.review-widget .review-comment').first();
    await answer.filter({ hasText: /local · SmolLM2/ }).waitFor();
    await workbench.shotThemes('thread');
  });

  await step('the reply box continues the thread', async ({ workbench }) => {
    const { page } = workbench;
    const box = page.locator('.review-widget .comment-form .monaco-editor');
    await page.locator('.review-widget .review-thread-reply-button').click();
    await box.click();
    await page.keyboard.type('What does it return for an empty list?');
    // Not by the pointer: at the edge of the window a scroll bar may lie over the button and take the press.
    await page
      .locator('.review-widget .form-actions .monaco-button')
      .first()
      .dispatchEvent('click');
    const comments = page.locator('.review-widget .review-comment');
    await comments.nth(1).filter({ hasText: 'empty list' }).waitFor();
    await comments
      .nth(2)
      .filter({ hasText: /local · SmolLM2/ })
      .waitFor();
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

  await step('after a reload the same code is explained again for nothing', async (session) => {
    const { workbench } = session;
    const { page } = workbench;
    const before = answersIn(session);
    await page.reload();
    await workbench.statusItem.filter({ hasText: 'local only' }).waitFor();
    await workbench.selectLines('retry.ts', 15, 18);
    // The lens is there when the server knows the selection; a command from the palette may come before that.
    const lens = page.locator('.codelens-decoration a', { hasText: 'Explain' });
    await lens.waitFor();
    await lens.click();
    const answer = page.locator('.review-widget .review-comment').first();
    await answer.filter({ hasText: /local · SmolLM2.*stored/s }).waitFor();
    assert.match(await textOf(answer), /empty list/);
    assert.equal(answersIn(session), before);
  });

  await step('the lightbulb offers what can be done with code', async ({ workbench }) => {
    const { page } = workbench;
    await workbench.selectLines('inventory.py', 8, 9);
    const menu = page.locator('.action-widget').first();
    // The focus that the palette gives back late closes the menu again; a person would press once more.
    for (let times = 1; !(await menu.isVisible()) && times <= 10; times++) {
      await workbench.palette('Quick Fix...');
      await menu.waitFor({ timeout: 20_000 }).catch(() => undefined);
    }
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
    await page
      .locator('.review-widget .review-comment', { hasText: 'stale: the code has changed' })
      .first()
      .waitFor();
  });

  await step('the bigger model answers in the thread, for its price', async ({ workbench }) => {
    const { page } = workbench;
    await workbench.selectLines('inventory.py', 8, 9);
    await workbench.palette('Cost-Aware Router: Explain');
    const comments = page.locator('.review-widget .review-comment');
    await comments.filter({ hasText: /local · SmolLM2/ }).waitFor();
    await enterKey(workbench);
    await pressInThread(workbench, 'Ask the Bigger Model');
    const bigger = comments.nth(1);
    await bigger.filter({ hasText: /cloud · GPT.* · \$0\.00\d+/ }).waitFor();
    assert.match(await textOf(bigger), /sort numbers by value/);
    await workbench.shotThemes('thread-bigger');
  });

  await step('thumbs and Keep are noted at the answer and in the ledger', async (session) => {
    const { workbench } = session;
    const comments = workbench.page.locator('.review-widget .review-comment');
    for (const [at, name, said] of [
      [0, 'Poor Answer', 'rated poor'],
      [1, 'Good Answer', 'rated good'],
    ] as const) {
      const comment = comments.nth(at);
      await comment.hover();
      await comment.locator(`.action-label[aria-label*="${name}"]`).click();
      await comment.filter({ hasText: said }).waitFor();
    }
    await pressInThread(workbench, 'Keep Explanation');
    await comments.nth(1).filter({ hasText: 'Kept.' }).waitFor();
    await workbench.shot('thread-kept-dark');
    assert.deepEqual(outcomesOf(session), ['asked_bigger', 'down', 'up', 'kept']);
  });

  await step('what else is asked of the code keeps a text of its own', async ({ workbench }) => {
    const { page } = workbench;
    await workbench.selectLines('inventory.py', 8, 9);
    await workbench.palette('Cost-Aware Router: Find Problems');
    const { answers } = await turnOf(workbench, 'Find problems');
    await ended(answers.first());
    await answers.first().getByRole('button', { name: 'Keep as explanation' }).click();
    await answers.first().locator('.word', { hasText: 'Kept.' }).waitFor();
    await workbench.palette('View: Focus First Editor Group');
    await workbench.goTo(8, 12);
    await workbench.palette('Show or Focus Hover');
    const hover = page.locator('.monaco-hover:visible', { hasText: 'Find problems' }).first();
    await hover.waitFor();
    assert.match(await textOf(hover), /Explain.*Find problems/s);
    await workbench.shotThemes('hover-two');
    await page.keyboard.press('Escape');
  });

  await step('a dismissed explanation is gone, the rest stays', async (session) => {
    const { workbench } = session;
    const { page } = workbench;
    await pressInThread(workbench, 'Dismiss Explanation');
    await page.locator('.review-widget').waitFor({ state: 'detached' });
    await workbench.palette('View: Focus First Editor Group');
    await workbench.goTo(8, 12);
    await workbench.palette('Show or Focus Hover');
    const hover = page.locator('.monaco-hover:visible', { hasText: 'Find problems' }).first();
    await hover.waitFor();
    assert.doesNotMatch(await textOf(hover), /Explain/);
    assert.ok(outcomesOf(session).includes('dismissed'));
  });
});

/** Presses a button in the head of the open thread, after bringing that into sight: a long thread may have scrolled away. */
async function pressInThread(workbench: Workbench, name: string): Promise<void> {
  await workbench.palette('View: Focus First Editor Group');
  await workbench.goTo(1, 1);
  const label = `.action-label[aria-label*="${name}"]`;
  await workbench.page.locator(`.review-widget .head ${label}`).first().click();
}
