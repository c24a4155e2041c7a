/** Answers in the panel: two tiers side by side, a draft that gives way, what code can be used for, and the limit of the budget. */
import assert from 'node:assert/strict';
import type { Frame, Locator } from 'playwright-core';
import { ask, askCloud, ended, enterKey, outcomesOf, turnOf } from '../questions.ts';
import { AS_CODE, CLOUD_CODE, CLOUD_TEXT, inEditor } from '../session.ts';
import { textOf, type Workbench } from '../workbench.ts';

/** Easy to route, hard for a model of 135 million parameters: its draft is nowhere near sure enough. */
const UNSURE = 'Translate "good morning" into Finnish.';
const EASY = 'Say hello.';
const HARD = 'Design a lock-free queue and prove it correct, step by step.';

inEditor('answers', {}, async (step) => {
  await step('both tiers answer side by side, and the verdict is an outcome', async (session) => {
    const { workbench } = session;
    await workbench.statusItem.filter({ hasText: 'local only' }).waitFor();
    await enterKey(workbench);
    await ask(workbench, EASY);
    const { turn, answers } = await turnOf(workbench, EASY);
    await ended(answers.first());
    await press(turn, 'Ask cloud');
    await answers.nth(1).waitFor();
    await ended(answers.nth(1));
    const [local, cloud] = [answers.first(), answers.nth(1)];
    assert.match(await textOf(local.locator('.badge')), /^local · SmolLM2.* · free · [\d.]+ s/);
    assert.match(await textOf(cloud.locator('.badge')), /^cloud · GPT.* · \$0\.00\d+ · [\d.]+ s/);
    assert.match(await textOf(cloud.locator('> .text')), /sort numbers by value/);
    for (const answer of [local, cloud]) {
      const badge = await boxOf(answer.locator('.badge'));
      const text = await boxOf(answer.locator('> .text'));
      assert.ok(badge.y + badge.height <= text.y, 'expected cost and time above the text');
    }
    const [left, right] = [await boxOf(local), await boxOf(cloud)];
    assert.equal(left.y, right.y);
    assert.ok(left.x + left.width <= right.x);
    await workbench.shotThemes('side-by-side');

    const promptId = await local.getAttribute('data-request');
    await press(local, 'This one was good enough');
    await local.locator('.word', { hasText: 'Noted.' }).waitFor();
    assert.deepEqual(outcomesOf(session, promptId), ['asked_bigger', 'good_enough']);
  });

  await step(
    'a local draft that gives way to the cloud folds and stays readable',
    async (session) => {
      const { workbench } = session;
      const panel = await frameOf(workbench);
      // A short draft stands for less time than a look at the screen takes.
      await panel.evaluate(`
        window.stages = new Set();
        new MutationObserver(() => {
          const stages = document.querySelectorAll('.stage');
          for (const stage of stages) window.stages.add(stage.textContent);
        }).observe(document.body, { childList: true, subtree: true, characterData: true });
      `);
      await ask(workbench, UNSURE);
      const { answers } = await turnOf(workbench, UNSURE);
      const answer = answers.first();
      await ended(answer);
      const stages = await panel.evaluate('[...window.stages].join("|")');
      assert.match(String(stages), /Local draft; it is checked when it is complete/);
      assert.match(String(stages), /GPT.* is answering/);
      const line = answer.locator('.folded summary');
      assert.match(
        await textOf(line),
        /^Local draft \(confidence 0\.\d\d of 0\.\d\d\), replaced by GPT/,
      );
      const draft = answer.locator('.folded .text');
      assert.equal(await draft.isVisible(), false);
      await line.click();
      await draft.waitFor();
      assert.match(await textOf(draft), /\w+/);
      assert.equal(await textOf(answer.locator('> .text')), CLOUD_TEXT.replaceAll(/\*\*|`/g, ''));
      assert.match(await textOf(answer.locator('.why').first()), /draft was unsure/);
      await answer.getByRole('button', { name: 'Ask local' }).waitFor();
      await workbench.shotThemes('deferred');
    },
  );

  await step('answered code is copied, inserted at the cursor, and compared', async (session) => {
    const { workbench } = session;
    const { page } = workbench;
    await workbench.selectLines('retry.ts', 16, 17);
    const question = `Show this ${AS_CODE}, sorted by value.`;
    await askCloud(workbench, question, ' About Selection');
    const { answers } = await turnOf(workbench, question);
    const answer = answers.first();
    await ended(answer);
    await press(answer, 'Copy this code');
    await answer.locator('.word', { hasText: 'Copied.' }).waitFor();
    assert.equal(await page.evaluate('navigator.clipboard.readText()'), `${CLOUD_CODE}\n`);

    await workbench.palette('View: Focus First Editor Group');
    await workbench.goTo(19, 1);
    await press(answer, 'Insert this code at the cursor');
    await answer.locator('.word', { hasText: 'Inserted.' }).waitFor();
    const editor = page.locator('.monaco-editor[data-uri$="/retry.ts"]').first();
    await editor.locator('.view-line', { hasText: CLOUD_CODE }).waitFor();

    await press(answer, 'Compare this code with the selection');
    const diff = page.locator('.monaco-diff-editor').first();
    await diff.waitFor();
    await diff.locator('.editor.modified .view-line', { hasText: CLOUD_CODE }).waitFor();
    await diff.locator('.editor.original .view-line', { hasText: 'const sorted' }).waitFor();
    // Both sides have the file's language.
    await page.locator('.statusbar-item', { hasText: 'TypeScript' }).waitFor();
    await workbench.shot('diff-dark');
    await workbench.palette('View: Close Editor');

    await press(answer, 'Copy the whole answer');
    await page.waitForFunction(
      `navigator.clipboard.readText().then((text) => text.startsWith('Compare the numbers:'))`,
    );
  });

  await step(
    'a helpful answer is an outcome, and kept at its code it is there on hover',
    async (session) => {
      const { workbench } = session;
      const { page } = workbench;
      const { answers } = await turnOf(workbench, AS_CODE);
      const answer = answers.first();
      await press(answer, 'Helpful');
      await answer.locator('.word', { hasText: 'Noted.' }).waitFor();
      await press(answer, 'Keep as explanation');
      await answer.locator('.word', { hasText: 'Kept.' }).waitFor();
      const promptId = await answer.getAttribute('data-request');
      assert.deepEqual(outcomesOf(session, promptId), ['up', 'kept']);
      await workbench.palette('View: Focus First Editor Group');
      await workbench.goTo(16, 12);
      await workbench.palette('Show or Focus Hover');
      const hover = page
        .locator('.monaco-hover:visible', { hasText: 'Compare the numbers' })
        .first();
      await hover.waitFor();
      assert.match(await textOf(hover), /Answer to a question/);
      await page.keyboard.press('Escape');
    },
  );

  await step('asked what to do at the limit, a person has it answered locally', async (session) => {
    const { workbench, provider } = session;
    await workbench.setUser('costAwareRouter.budget.atLimit', 'ask');
    await workbench.setUser('costAwareRouter.budget.monthlyUsd', 0.001);
    await workbench.statusItem.filter({ hasText: /local only until/ }).waitFor();
    const calls = provider.getRequests().length;
    await workbench.palette('Cost-Aware Router: Ask...');
    await workbench.input.fill(HARD);
    await workbench.picks.filter({ hasText: 'at the limit: asks first' }).first().waitFor();
    await workbench.page.keyboard.press('Enter');
    const { turn, answers } = await turnOf(workbench, HARD);
    const limit = answers.first().locator('.notice');
    await limit
      .filter({ hasText: /could cost \$[\d.]+, and \$0\.00 of this month's budget/ })
      .waitFor();
    for (const way of ['Answer locally this time', 'Raise the budget', 'Ask again', 'Cancel']) {
      await limit.getByRole('button', { name: way }).waitFor();
    }
    const box = await boxOf(limit);
    const height = workbench.page.viewportSize()?.height ?? 0;
    assert.ok(box.y > 0 && box.y + box.height < height, `in sight, got ${JSON.stringify(box)}`);
    await workbench.shotThemes('at-limit');
    await press(turn, 'Answer locally this time');
    await answers.locator('.badge', { hasText: /^local · SmolLM2/ }).waitFor();
    await answers.locator('> .text', { hasText: /\w{3}/ }).waitFor();
    assert.equal(await answers.count(), 1);
    // Its end would be a long time coming.
    await press(answers.first(), 'Cancel');
    await answers.locator('.notice', { hasText: /cancelled/i }).waitFor();
    assert.equal(provider.getRequests().length, calls);
  });

  await step('stopped at the limit, a question is refused with the ways out', async (session) => {
    const { workbench, provider } = session;
    await workbench.setUser('costAwareRouter.budget.atLimit', 'stop');
    const question = 'Plan the migration of a ledger, weigh each trade-off, and prove it safe.';
    const calls = provider.getRequests().length;
    await ask(workbench, question);
    const { turn, answers } = await turnOf(workbench, question);
    const refusal = answers.first().locator('.notice');
    await refusal.filter({ hasText: /Nothing was sent: raise the budget/ }).waitFor();
    assert.equal(provider.getRequests().length, calls);
    await workbench.shot('stopped-dark');
    await press(turn, 'Raise the budget');
    const settings = workbench.page.locator('.settings-editor');
    await settings.locator('.setting-item-contents', { hasText: 'Monthly' }).first().waitFor();
    await workbench.palette('View: Close Editor');
    await workbench.setUser('costAwareRouter.budget.monthlyUsd', 20);
    await workbench.statusItem.filter({ hasText: '/ $20' }).waitFor();
    await askCloud(workbench, 'And now?');
    const after = await turnOf(workbench, 'And now?');
    await after.answers
      .first()
      .locator('.badge', { hasText: /^cloud · GPT/ })
      .waitFor();
  });
});

/** The answers page itself, for what its locators can't tell. */
async function frameOf(workbench: Workbench): Promise<Frame> {
  for (const frame of workbench.page.frames()) {
    const isIt = await frame.evaluate('document.querySelector(".answer") !== null');
    if (isIt === true) return frame;
  }
  throw new Error('expected a frame with answers');
}

function press(within: Locator, name: string): Promise<void> {
  return within.getByRole('button', { name, exact: true }).first().click();
}

async function boxOf(element: Locator) {
  const box = await element.boundingBox();
  assert.ok(box !== null, 'expected it on the screen');
  return box;
}
