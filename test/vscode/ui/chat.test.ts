/** What a question carries along, and `@router` in VS Code's own chat, as a person meets both. */
import assert from 'node:assert/strict';
import type { Locator } from 'playwright-core';
import { enterKey } from '../questions.ts';
import { inEditor } from '../session.ts';
import { textOf, type Workbench } from '../workbench.ts';

inEditor('attachments and chat', {}, async (step) => {
  await step(
    'the question box takes files and symbols along, and shows what they weigh',
    async ({ workbench }) => {
      await workbench.openFile('retry.ts');
      await workbench.statusItem.filter({ hasText: /local only|\$0/ }).waitFor();
      await workbench.palette('Cost-Aware Router: Ask...');
      await workbench.input.fill('What is the capital of France?');
      const preview = workbench.picks.filter({ hasText: /tokens\)|no context/ });
      await preview.filter({ hasText: 'no context' }).waitFor();
      await attach(workbench, 'This File');
      await preview.filter({ hasText: /file retry\.ts \(\d+ lines, ≈ \d+ tokens\)/ }).waitFor();
      await attach(workbench, 'Symbols of This File', async () => {
        await workbench.picks.filter({ hasText: 'median' }).first().click();
        await workbench.page.keyboard.press('Enter');
      });
      const both = /2 attachments, ≈ \d+ tokens: file retry\.ts \(.*, symbol retry\.ts \(4 lines/;
      await preview.filter({ hasText: both }).waitFor();
      await workbench.shot('ask-attachments-dark');
      await attach(workbench, 'Remove src/retry.ts');
      await preview.filter({ hasText: /context: symbol retry\.ts \(4 lines/ }).waitFor();
      // The VS Code of these tests comes without its extension for git.
      await attach(workbench, 'Changes Since the Last Commit');
      await workbench.toast('Git is not switched on').waitFor();
      assert.equal(await workbench.input.inputValue(), 'What is the capital of France?');
      await workbench.page.keyboard.press('Enter');
      const page = await workbench.webview('.answer');
      await page.locator('.answer .badge').last().filter({ hasText: /local/ }).waitFor();
    },
  );

  await step('@router answers in the chat and says what it was', async ({ workbench }) => {
    await enterKey(workbench);
    await say(workbench, '@router What is the capital of France?');
    const reply = lastReply(workbench);
    await reply.filter({ hasText: /local · SmolLM2.* · free|cloud · / }).waitFor();
    await workbench.shot('chat-answer-dark');
  });

  await step('/spend and /why tell money and reason', async ({ workbench }) => {
    // The chat stays with whom it spoke to.
    await say(workbench, '/spend');
    await lastReply(workbench)
      .filter({ hasText: /spent, .* saved against/ })
      .waitFor();
    await say(workbench, '/why');
    const reply = lastReply(workbench);
    await reply.filter({ hasText: /Score \d\.\d\d, threshold \d\.\d\d/ }).waitFor();
    assert.match(await textOf(reply), /Parts of the score/);
    await workbench.shotThemes('chat-why');
  });

  await step('/compare has an answer of each tier', async ({ workbench }) => {
    await say(workbench, '/compare What is the capital of Italy?');
    const reply = lastReply(workbench);
    await reply.filter({ hasText: /Cloud.*The cloud says/s }).waitFor();
    await reply.getByText('Local', { exact: true }).first().waitFor();
    await workbench.shot('chat-compare-dark');
  });
});

/** The box gives way to a list, and stands there again with its question. */
async function attach(
  workbench: Workbench,
  what: string,
  choose: () => Promise<void> = async () => {},
): Promise<void> {
  const title = workbench.page.locator('.quick-input-title');
  await title.filter({ hasText: 'goes:' }).waitFor();
  await workbench.page.locator('.quick-input-widget .codicon-attach').click();
  await title.filter({ hasText: 'Add Context' }).waitFor();
  await workbench.picks.filter({ hasText: what }).first().click();
  await choose();
  await title.filter({ hasText: 'goes:' }).waitFor();
}

async function say(workbench: Workbench, text: string): Promise<void> {
  await workbench.palette('Chat: Open Chat');
  const input = workbench.page.locator('.interactive-input-part').first();
  // No question can be sent before the chat has a model.
  await input.filter({ hasText: 'Router: ' }).waitFor();
  const editor = input.locator('.monaco-editor').first();
  await editor.click();
  await workbench.page.keyboard.type(text, { delay: 15 });
  await workbench.page.keyboard.press('Escape');
  await workbench.page.keyboard.press('Enter');
}

function lastReply(workbench: Workbench): Locator {
  return workbench.page.locator('.interactive-response').last();
}
