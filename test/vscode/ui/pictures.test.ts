/**
 * The pictures of README and marketplace, from the packed extension with the real local model; the cloud's answers come
 * from the loopback provider. They lie in build/shots; COST_AWARE_ROUTER_PICTURES=1 also puts them into media/pictures, and an
 * animated one of the explanation as it comes.
 */
import assert from 'node:assert/strict';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from '../../support/localModel.ts';
import type { Animation } from '../animation.ts';
import { ask, ended, enterKey, turnOf } from '../questions.ts';
import { CLOUD_USAGE, inEditor } from '../session.ts';
import { textOf, type Workbench } from '../workbench.ts';

const BIGGER =
  '`median` returns the middle element of the sorted values, but `sort()` without a comparison sorts numbers as **texts**: ' +
  '10 comes before 9. Pass `(one, other) => one - other`. For an even count it takes the upper of the two middle values.';
const TAKES_PICTURES = process.env['COST_AWARE_ROUTER_PICTURES'] === '1';
const QUESTIONS = [
  'Say hello.',
  'What is 17 times 23?',
  'Give a synonym for fast.',
  'Name three primes between 90 and 110.',
  'Design a lock-free queue and prove it correct, step by step.',
];

inEditor('pictures', {}, async (step) => {
  await step('an explanation at its code, of both models', async ({ workbench, provider }) => {
    const { page } = workbench;
    provider.prependFixture({
      match: { userMessage: /Explain this code/ },
      response: { content: BIGGER, usage: CLOUD_USAGE },
    });
    await workbench.statusItem.filter({ hasText: 'local only' }).waitFor();
    await workbench.selectLines('retry.ts', 15, 18);
    const animation = TAKES_PICTURES ? await animationOf(workbench) : undefined;
    animation?.start();
    await workbench.palette('Cost-Aware Router: Explain');
    const comments = page.locator('.review-widget .review-comment');
    await comments.filter({ hasText: /local · SmolLM2/ }).waitFor();
    await animation?.stop();
    await enterKey(workbench);
    animation?.start();
    await page
      .locator('.review-widget .head .action-label[aria-label*="Ask the Bigger Model"]')
      .first()
      .click();
    await comments
      .nth(1)
      .filter({ hasText: /cloud · GPT.* · \$0\.00\d+/ })
      .waitFor();
    assert.match(await textOf(comments.nth(1)), /10 comes before 9/);
    await page.mouse.move(0, 0);
    await animation?.stop();
    await animation?.write(join(repositoryRoot, 'media', 'pictures', 'explanation.gif'));
    await take(workbench, 'explanation');
  });

  await step('the dashboard of a handful of answers', async ({ workbench }) => {
    for (const question of QUESTIONS) {
      await ask(workbench, question);
      const { answers } = await turnOf(workbench, question);
      await ended(answers.first());
    }
    await workbench.palette('View: Close All Editors');
    await workbench.palette('View: Toggle Primary Side Bar Visibility');
    await workbench.page.locator('.part.sidebar').waitFor({ state: 'hidden' });
    await workbench.palette('Cost-Aware Router: Open Dashboard in Editor');
    const page = await workbench.webview('.row');
    await page
      .locator('.card-shares .figure')
      .filter({ hasText: `${QUESTIONS.length + 2}` })
      .waitFor();
    // High enough for the routes below the chart and the sums.
    await workbench.page.setViewportSize({ width: 1400, height: 1180 });
    await page.locator(`.row[data-index="${QUESTIONS.length + 1}"]`).waitFor();
    await workbench.page.mouse.move(0, 0);
    await take(workbench, 'dashboard');
  });
});

/** Read only where pictures are taken: what it needs is nothing that a test needs. */
async function animationOf({ page }: Workbench): Promise<Animation> {
  const { createAnimation } = await import('../animation.ts');
  return createAnimation(page);
}

async function take(workbench: Workbench, surface: string): Promise<void> {
  await workbench.shotThemes(`picture-${surface}`);
  if (!TAKES_PICTURES) return;
  for (const theme of ['light', 'dark']) {
    copyFileSync(
      join(repositoryRoot, 'build', 'shots', `picture-${surface}-${theme}.png`),
      join(repositoryRoot, 'media', 'pictures', `${surface}-${theme}.png`),
    );
  }
}
