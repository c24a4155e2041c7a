/** Money as a person sees it, with a provider on loopback: key, bill, budget, windows, dashboard and command line. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from '../../support/localModel.ts';
import { ask, askCloud, previewsCloud } from '../questions.ts';
import { type EditorSession, inEditor, KEY, SLOWLY } from '../session.ts';
import { textOf } from '../workbench.ts';

const HARD = 'Design a lock-free queue and prove it correct, step by step.';

inEditor('money', {}, async (step) => {
  await step('without a key the cloud is no choice', async ({ workbench }) => {
    await workbench.statusItem.filter({ hasText: 'local only' }).waitFor();
  });

  await step('a key is entered behind dots and tested', async ({ workbench, provider }) => {
    await workbench.palette('Cost-Aware Router: Set Key');
    await workbench.input.waitFor();
    assert.equal(await workbench.input.getAttribute('type'), 'password');
    await workbench.input.fill(KEY);
    await workbench.page.keyboard.press('Enter');
    const stored = workbench.toast('Key stored');
    await stored.waitFor();
    assert.match(await textOf(stored), new RegExp(new URL(provider.url).host));
    await stored.getByRole('button', { name: 'Test Key' }).click();
    await workbench.toast('The key works').waitFor();
    await workbench.shot('key-tested-dark');
    await workbench.clearToasts();
    await workbench.statusItem.filter({ hasText: '$0.00 / $20' }).waitFor();
  });

  await step(
    'a settled cloud call stands in the status bar, and in another window',
    async (session) => {
      const { workbench } = session;
      const second = await session.secondWindow();
      await second.statusItem.filter({ hasText: '$0.00 / $20' }).waitFor();
      await workbench.page.bringToFront();
      await askCloud(workbench, 'Why does median sort wrongly?');
      const item = workbench.statusItem.filter({ hasText: /\$0\.00[1-9]\d* \/ \$20/ });
      await item.waitFor();
      const text = await textOf(workbench.statusItem);
      await second.statusItem.filter({ hasText: text }).waitFor();
      await second.page.close();
      await workbench.shotThemes('status-bar');
    },
  );

  await step('the key outlives a reload', async ({ workbench, provider }) => {
    await workbench.page.reload();
    await workbench.statusItem.filter({ hasText: '/ $20' }).waitFor();
    const calls = provider.getRequests().length;
    await askCloud(workbench, 'Is the retry bounded?');
    await untilTrue(() => provider.getRequests().length > calls);
  });

  await step(
    'a cloud answer that is cancelled in mid-stream is still paid',
    async ({ workbench }) => {
      await askCloud(workbench, `Tell me ${SLOWLY} what this does.`);
      const answers = await workbench.webview('.answer');
      const last = answers.locator('.answer').last();
      await last
        .locator('.text')
        .filter({ hasText: /word\d/ })
        .waitFor();
      await last.getByRole('button', { name: 'Cancel', exact: true }).click();
      await last
        .locator('.notice')
        .filter({ hasText: /cancelled/i })
        .waitFor();
      assert.doesNotMatch(await textOf(last.locator('.text')), /word79/);
      // Three answers at $0.0070; the third is read on in the background so that it settles at its bill.
      await workbench.statusItem.filter({ hasText: '$0.02 / $20' }).waitFor();
      // It is no answer, but its bill is the cloud's.
      await workbench.statusItem.hover();
      const tooltip = workbench.page.locator('.monaco-hover:visible', { hasText: 'cloud' });
      await tooltip.locator('tr', { hasText: /^\s*cloud\s*2\s*\$0\.02/ }).waitFor();
    },
  );

  await step('the dashboard shows what the command line reckons', async (session) => {
    const { workbench } = session;
    const spend = spendJson(session);
    await workbench.palette('Cost-Aware Router: Show Dashboard');
    const page = await workbench.webview('.card-spent');
    await page
      .locator('.card-shares .figure')
      .filter({ hasText: `${spend.answers}` })
      .waitFor();
    const spent = await textOf(page.locator('.card-spent .figure'));
    const saved = await textOf(page.locator('.card-saved .figure'));
    assert.equal(spent, asShown(spend.spent_usd));
    assert.equal(saved, asShown(spend.saved_usd));
    await workbench.shotThemes('dashboard');
  });

  await step(
    'at the limit answers stay local, and a higher limit holds at once',
    async (session) => {
      const { workbench } = session;
      await workbench.setUser('costAwareRouter.budget.monthlyUsd', 0.001);
      const full = workbench.statusItem.filter({ hasText: /local only until/ });
      await full.waitFor();
      assert.match((await workbench.statusItem.getAttribute('class')) ?? '', /error/);
      await workbench.shot('status-exhausted-dark');
      await ask(workbench, HARD);
      const answers = await workbench.webview('.answer');
      const why = answers.locator('.answer .why').last();
      await why.filter({ hasText: /budget/ }).waitFor();
      // While it runs the status bar shows that instead of the money, and its end would be a long time coming.
      await answers.locator('.answer').last().getByRole('button', { name: 'Cancel' }).click();
      await answers
        .locator('.answer')
        .last()
        .locator('.notice')
        .filter({ hasText: /cancelled/i })
        .waitFor();
      await workbench.setUser('costAwareRouter.budget.monthlyUsd', 5);
      await workbench.statusItem.filter({ hasText: '/ $5' }).waitFor();
    },
  );

  await step('a workspace can tighten the budget, not loosen it', async (session) => {
    const { workbench, server } = session;
    const file = join(server.workspace, '.vscode', 'settings.json');
    mkdirSync(join(server.workspace, '.vscode'), { recursive: true });
    writeFileSync(file, JSON.stringify({ 'costAwareRouter.budget.monthlyUsd': 1000 }));
    await workbench.toast(/costAwareRouter\.budget\.monthlyUsd.*ignored/).waitFor();
    await workbench.shot('workspace-loosens-dark');
    assert.match(await textOf(workbench.statusItem), /\/ \$5/);
    const tightenTo = (monthlyUsd: number) =>
      writeFileSync(
        file,
        JSON.stringify({ 'costAwareRouter.workspaceBudget.monthlyUsd': monthlyUsd }),
      );
    tightenTo(0.5);
    await workbench.statusItem.filter({ hasText: '/ $0.50 workspace' }).waitFor();
    await workbench.statusItem.hover();
    const tooltip = workbench.page.locator('.monaco-hover:visible', {
      hasText: 'of $0.50 spent in this workspace this month',
    });
    await tooltip.filter({ hasText: 'of $5 spent this month' }).waitFor();
    await workbench.shotThemes('status-bar-workspace');
    tightenTo(0.001);
    await previewsCloud(workbench, 'Is the first loop bounded?', /budget/);
    writeFileSync(file, '{}');
    await previewsCloud(workbench, 'Is the second loop bounded?', /cloud · GPT/);
    await workbench.clearToasts();
  });

  await step(
    'a changed base URL asks for a key of its own, and gets none of the old',
    async ({ workbench, provider }) => {
      const elsewhere = 'http://127.0.0.1:9/v1';
      await workbench.setUser('costAwareRouter.openai.baseUrl', elsewhere);
      const asks = workbench.toast(`and is not sent to ${elsewhere}`);
      await asks.waitFor();
      await workbench.shot('key-other-address-dark');
      await asks.getByRole('button', { name: 'Enter a Key' }).click();
      await workbench.page
        .locator('.quick-input-title', { hasText: `Key for ${elsewhere}` })
        .waitFor();
      await workbench.page.keyboard.press('Escape');
      await previewsCloud(workbench, 'Is the fourth loop bounded?', /key/);
      await workbench.setUser('costAwareRouter.openai.baseUrl', `${provider.url}/v1`);
      await previewsCloud(workbench, 'Is the fifth loop bounded?', /cloud · GPT/);
      await workbench.clearToasts();
    },
  );

  await step('a cleared key is gone', async ({ workbench }) => {
    await workbench.palette('Cost-Aware Router: Forget Key');
    await workbench.toast('Key forgotten').waitFor();
    await previewsCloud(workbench, 'Is the third loop bounded?', /key/);
  });

  await step(
    'no file of the data folder, the logs or the settings holds the key or a question',
    async ({ server }) => {
      for (const secret of [KEY, HARD]) {
        const { status, stdout } = spawnSync('grep', ['-rlsF', secret, server.folder], {
          encoding: 'utf8',
        });
        assert.deepEqual({ status, stdout }, { status: 1, stdout: '' });
      }
    },
  );
});

interface Spend {
  readonly answers: number;
  readonly spent_usd: number;
  readonly saved_usd: number;
}

function spendJson({ server }: EditorSession): Spend {
  const cli = join(repositoryRoot, 'dist', 'cli.js');
  const args = [cli, '--data-dir', server.dataDir, 'spend', '--json'];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }));
}

/** Two significant digits below a cent, whole cents above. */
function asShown(usd: number): string {
  if (usd === 0) return '$0.00';
  return `$${usd < 0.01 ? usd.toPrecision(2) : usd.toFixed(2)}`;
}

async function untilTrue(isTrue: () => boolean): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!isTrue()) {
    if (Date.now() > deadline) throw new Error('expected it within 30 seconds');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
