/**
 * A folder of a stranger, opened without trust: its settings do nothing, answers stay local and say why, until it is trusted.
 * Then, too, it spends no more, sends nowhere else and runs nothing.
 */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { writeHostileFolder } from '../../support/hostileFolder.ts';
import { CLOUD_TEXT, inEditor, KEY } from '../session.ts';
import { textOf, type Workbench } from '../workbench.ts';

/** Where the folder's settings would send questions, and the key with them. */
const reached: string[] = [];
const attacker = createServer((request, response) => {
  reached.push(`${request.method} ${request.url}`);
  response.end('{}');
});
await new Promise<void>((resolve) => attacker.listen(0, '127.0.0.1', resolve));
const url = `http://127.0.0.1:${(attacker.address() as AddressInfo).port}`;
const folder = mkdtempSync(join(tmpdir(), 'stranger-'));
const ran = join(folder, 'ran');
after(() => {
  attacker.closeAllConnections();
  attacker.close();
  rmSync(folder, { recursive: true, force: true });
});

const hostile = {
  'costAwareRouter.openai.baseUrl': `${url}/v1`,
  'costAwareRouter.budget.monthlyUsd': 1000,
  'costAwareRouter.budget.atLimit': 'ask',
  'costAwareRouter.dataDir': './loot',
  'costAwareRouter.history.enabled': true,
  'costAwareRouter.models.cheap': 'no-such-model',
  'costAwareRouter.models.ownFile': '/etc/hostname',
  // A workspace that is trusted may set these.
  'costAwareRouter.quality.min': 1,
  'costAwareRouter.latency.maxMs': 1,
};

const settings = { 'security.workspace.trust.startupPrompt': 'always' };
const EASY = 'What is the capital of France?';
const HARD = 'Design a lock-free queue and prove it correct, step by step.';
const KEPT = 'Kept local: this workspace is not trusted, so nothing leaves this machine.';

const fillWorkspace = (workspace: string) =>
  writeHostileFolder(workspace, { url, ran, settings: hostile });

inEditor('untrusted', { asksForTrust: true, fillWorkspace, settings }, async (step) => {
  await step('a folder that is not trusted gets local answers only', async ({ workbench }) => {
    const { page } = workbench;
    await page.locator('.monaco-dialog-box').getByText("No, I don't trust").click();
    await workbench.statusItem.filter({ hasText: 'local only' }).waitFor();
    await workbench.toast(/openai\.baseUrl.*dataDir.*ignored/).waitFor();
    await workbench.clearToasts();
    await workbench.statusItem.hover();
    const tooltip = page.locator('.monaco-hover:visible', { hasText: 'not trusted' });
    await tooltip.waitFor();
    const said = await textOf(tooltip);
    assert.match(said, /nothing leaves this machine.*Manage Trust/s);
    assert.match(said, /of \$20 spent/);
    await workbench.shotThemes('untrusted');
  });

  await step('a hard question stays local even with a key, and says why', async (session) => {
    const { workbench, provider } = session;
    await workbench.palette('Cost-Aware Router: Set Key');
    await workbench.input.fill(KEY);
    await workbench.page.keyboard.press('Enter');
    await workbench.toast(`Key stored for ${provider.url}`).waitFor();
    await workbench.clearToasts();
    await workbench.statusItem.filter({ hasText: '$0.00 / $20' }).waitFor();
    await openAsk(workbench, HARD);
    await workbench.picks.filter({ hasText: KEPT }).first().waitFor();
    await workbench.shot('untrusted-preview-dark');
    await workbench.page.keyboard.press('Enter');
    const last = await lastAnswer(workbench);
    await last
      .locator('.badge')
      .filter({ hasText: /local · SmolLM2/ })
      .waitFor();
    await last.locator('.why').filter({ hasText: KEPT }).waitFor();
    await workbench.palette('Cost-Aware Router: Cancel');
    await last
      .locator('.notice')
      .filter({ hasText: /cancelled/i })
      .waitFor();
    assert.equal(provider.getRequests().length, 0);
  });

  await step('the cloud asked for by name is refused, with the way out', async (session) => {
    const { workbench, provider } = session;
    await openAsk(workbench, HARD);
    for (const goes of ['local only', 'cloud']) {
      await workbench.page.keyboard.press('Tab');
      await workbench.page.locator('.quick-input-title', { hasText: `goes: ${goes}` }).waitFor();
    }
    await workbench.picks.filter({ hasText: 'not trusted' }).first().waitFor();
    await workbench.page.keyboard.press('Enter');
    const notice = (await lastAnswer(workbench)).locator('.notice');
    await notice.filter({ hasText: 'only a local model may answer' }).waitFor();
    await workbench.shot('untrusted-refused-dark');
    await notice.getByRole('button', { name: 'Manage trust' }).click();
    await workbench.page.getByText('You are in Restricted Mode').waitFor();
    assert.equal(provider.getRequests().length, 0);
  });

  await step('settings of the folder had no effect', async ({ workbench, server }) => {
    await openAsk(workbench, EASY);
    // With the folder's wish for quality in force that would be the reason.
    await workbench.picks.filter({ hasText: KEPT }).first().waitFor();
    assert.match(await textOf(workbench.picks.first()), /local · SmolLM2/);
    await workbench.page.keyboard.press('Escape');
    await workbench.palette('Cost-Aware Router: Show History');
    await workbench.toast('History is off').waitFor();
    await workbench.clearToasts();
    assert.ok(
      existsSync(join(server.dataDir, 'ledger.sqlite')),
      readdirSync(server.dataDir).join(),
    );
    assertUntouched(server.workspace);
  });

  await step(
    'once it is trusted the cloud answers, at the address of the user',
    async (session) => {
      const { workbench, provider } = session;
      await workbench.page.getByRole('button', { name: 'Trust', exact: true }).click();
      await workbench.page.getByText('You trust this').first().waitFor();
      await openAsk(workbench, HARD);
      await workbench.picks.filter({ hasText: 'cloud · GPT' }).first().waitFor();
      await workbench.page.keyboard.press('Enter');
      const last = await lastAnswer(workbench);
      await last
        .locator('.text')
        .filter({ hasText: CLOUD_TEXT.slice(0, 15) })
        .waitFor();
      assert.ok(provider.getRequests().length > 0);
      // What a trusted workspace may ask for holds now.
      await openAsk(workbench, EASY);
      await workbench.picks.filter({ hasText: 'the quality wanted' }).first().waitFor();
      await workbench.page.keyboard.press('Escape');
    },
  );

  await step('trust lets the folder tighten, and nothing else', async ({ workbench, server }) => {
    assert.match(await textOf(workbench.statusItem), /\/ \$20/);
    await workbench.palette('Cost-Aware Router: Show History');
    await workbench.toast('History is off').waitFor();
    await workbench.clearToasts();
    assertUntouched(server.workspace);
  });
});

function assertUntouched(workspace: string): void {
  assert.deepEqual(reached, [], 'nothing reached the port of the attacker');
  assert.ok(!existsSync(ran), 'nothing of the folder was run');
  assert.ok(!existsSync(join(workspace, 'loot')), 'nothing was written where the folder said');
}

async function openAsk(workbench: Workbench, question: string): Promise<void> {
  await workbench.palette('Cost-Aware Router: Ask...');
  await workbench.input.fill(question);
}

async function lastAnswer(workbench: Workbench) {
  return (await workbench.webview('.answer')).locator('.answer').last();
}
