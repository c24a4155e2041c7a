/** What a person does to get an answer, by palette and keyboard (key, question box, answers panel), and what was noted of it. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { FrameLocator, Locator } from 'playwright-core';
import { PATIENCE_MS } from './launch.ts';
import { type EditorSession, KEY } from './session.ts';
import type { Workbench } from './workbench.ts';

/** Waits until the status bar counts money, so that the cloud is a choice. */
export async function enterKey(workbench: Workbench): Promise<void> {
  await workbench.palette('Cost-Aware Router: Set Key');
  await workbench.input.waitFor();
  await workbench.input.fill(KEY);
  await workbench.page.keyboard.press('Enter');
  await workbench.toast('Key stored').waitFor();
  await workbench.clearToasts();
  await workbench.statusItem.filter({ hasText: '$0.00 / $20' }).waitFor();
}

/** Sends a question from the palette, to where the router chooses. */
export async function ask(workbench: Workbench, question: string): Promise<void> {
  await workbench.palette('Cost-Aware Router: Ask...');
  await workbench.input.fill(question);
  await workbench.picks
    .filter({ hasText: /local|cloud|limit/ })
    .first()
    .waitFor();
  await workbench.page.keyboard.press('Enter');
}

export async function askCloud(
  workbench: Workbench,
  question: string,
  about: '' | ' About Selection' = '',
): Promise<void> {
  await openForCloud(workbench, question, about);
  await workbench.picks.filter({ hasText: 'cloud' }).first().waitFor();
  await workbench.page.keyboard.press('Enter');
}

/** Looks at the preview of a question for the cloud until it says so; asks again while settings are still on their way. */
export async function previewsCloud(
  workbench: Workbench,
  question: string,
  said: RegExp,
): Promise<void> {
  const row = workbench.picks.filter({ hasText: said }).first();
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    await openForCloud(workbench, question);
    const there = await row.waitFor({ timeout: 5000 }).then(
      () => true,
      (error: unknown) => {
        if (Date.now() > deadline) throw error;
        return false;
      },
    );
    await workbench.page.keyboard.press('Escape');
    await workbench.input.waitFor({ state: 'hidden' });
    if (there) return;
  }
}

async function openForCloud(workbench: Workbench, question: string, about = ''): Promise<void> {
  await workbench.palette(`Cost-Aware Router: Ask${about}...`);
  await workbench.input.fill(question);
  const title = workbench.page.locator('.quick-input-title');
  for (const goes of ['local only', 'cloud']) {
    await workbench.page.keyboard.press('Tab');
    await title.filter({ hasText: `goes: ${goes}` }).waitFor();
  }
}

/** The answers to one question, once the panel shows it. */
export async function turnOf(
  workbench: Workbench,
  question: string,
): Promise<{ readonly panel: FrameLocator; readonly turn: Locator; readonly answers: Locator }> {
  const panel = await workbench.webview('.answer');
  const turn = panel.locator('.turn').filter({
    has: panel.locator('.question', { hasText: question }),
  });
  await turn.waitFor();
  return { panel, turn, answers: turn.locator('.answer') };
}

/** Until its answer has ended. */
export async function ended(answer: Locator): Promise<void> {
  await answer.and(answer.page().locator('[aria-busy="false"]')).waitFor();
}

/** What the ledger notes that a person made of an answer, or of all answers, oldest first. */
export function outcomesOf(session: EditorSession, promptId?: string | null): readonly unknown[] {
  const query =
    'SELECT verdict AS value FROM outcomes WHERE prompt_id = coalesce(?, prompt_id) ORDER BY seq';
  return inLedger(session, query, promptId ?? null);
}

/** How many answers the ledger holds. */
export function answersIn(session: EditorSession): unknown {
  return inLedger(session, 'SELECT count(*) AS value FROM answers')[0];
}

function inLedger(
  { server }: EditorSession,
  query: string,
  ...values: readonly (string | null)[]
): readonly unknown[] {
  const ledger = new DatabaseSync(join(server.dataDir, 'ledger.sqlite'), { readOnly: true });
  try {
    return ledger
      .prepare(query)
      .all(...values)
      .map((row) => row['value']);
  } finally {
    ledger.close();
  }
}
