/** A training run of the packed command line in a terminal of the editor, its loss curve on the dashboard while it runs. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { smallConfig, writeShard, writeTokenizer } from '../../training/smallRun.ts';
import { inEditor } from '../session.ts';
import { textOf } from '../workbench.ts';

const STEPS = 400;
const TRAIN = 'Cost-Aware Router: Train a Model of Your Own...';

inEditor('training', {}, async (step) => {
  await step('a run in the terminal has its loss curve on the dashboard', async (session) => {
    const { workbench, server } = session;
    // Until then the palette may not know the command.
    await workbench.statusItem.filter({ hasText: 'local only' }).waitFor();
    const folder = server.workspace;
    mkdirSync(join(folder, 'configs'));
    const config = { ...smallConfig(), max_steps: STEPS, save_every: 200 };
    writeFileSync(join(folder, 'configs', 'small.json'), JSON.stringify(config));
    await writeTokenizer(folder);
    await writeShard(join(folder, 'train_0.npz'), 64);
    await writeShard(join(folder, 'val_0.npz'), 8, { seed: 2 });
    await workbench.palette(TRAIN);
    await workbench.page
      .locator('.quick-input-list .monaco-list-row', { hasText: 'small.json' })
      .click();
    const page = await workbench.webview('.training-line');
    const line = page.locator('.training-line');
    await line
      .filter({ hasText: `step ${STEPS} of ${STEPS}` })
      .filter({ hasText: 'Ended.' })
      .waitFor();
    const points = readFileSync(join(folder, 'checkpoints', 'curve.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((text) => JSON.parse(text) as { step: number; loss?: number; val_loss?: number });
    const last = points.findLast(({ loss }) => loss !== undefined);
    const validated = points.findLast(({ val_loss }) => val_loss !== undefined);
    assert.equal(last?.step, STEPS);
    const shown = await textOf(line);
    assert.ok(shown.includes(`loss ${last.loss?.toFixed(3)}`), shown);
    assert.ok(shown.includes(`validation loss ${validated?.val_loss?.toFixed(3)}`), shown);
    await page.locator('.training canvas').waitFor();
    await workbench.shotThemes('training');
    await page.locator('.training').getByText('Table').click();
    const lastRow = page.locator('.training tbody tr').last();
    await lastRow.filter({ hasText: String(STEPS) }).waitFor();
  });

  await step(
    'a run that can not begin says so on the dashboard and in the terminal',
    async (session) => {
      const { workbench, server } = session;
      const config = { ...smallConfig(), save_dir: 'other', train_glob: 'none_*.npz' };
      writeFileSync(join(server.workspace, 'configs', 'wrong.json'), JSON.stringify(config));
      await workbench.palette(TRAIN);
      await workbench.page
        .locator('.quick-input-list .monaco-list-row', { hasText: 'wrong.json' })
        .click();
      const page = await workbench.webview('.training-line');
      const line = page.locator('.training-line', { hasText: 'wrong.json' });
      await line.filter({ hasText: 'Failed; the terminal says why.' }).waitFor();
      await workbench.shot('training-failed-dark');
    },
  );
});
