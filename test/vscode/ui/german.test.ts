/** VS Code set to German: the manifest, the client, the server and the pages all say their texts in German. */
import assert from 'node:assert/strict';
import { inEditor } from '../session.ts';
import { textOf } from '../workbench.ts';

inEditor('german', { language: 'de' }, async (step) => {
  await step('the status bar speaks German', async ({ workbench }) => {
    await workbench.statusItem.filter({ hasText: 'nur lokal' }).waitFor();
    await workbench.statusItem.hover();
    const tooltip = workbench.page.locator('.monaco-hover:visible', { hasText: 'nur lokal' });
    await tooltip.waitFor();
    const said = await textOf(tooltip);
    // From the client and from the server.
    assert.match(
      said,
      /ausgegeben; zurückgesetzt am 1\. \S+\..*Ohne API-Schlüssel bleibt alles lokal/s,
    );
    assert.match(said, /Schlüssel eingeben/);
    await workbench.shot('german-status-dark');
  });

  await step(
    'so do a command, the preview of its question and the answer',
    async ({ workbench }) => {
      await workbench.palette('Cost-Aware Router: Fragen ...');
      await workbench.page
        .locator('.quick-input-title', { hasText: 'Enter sendet, Esc schließt' })
        .waitFor();
      await workbench.input.fill('Was ist die Hauptstadt von Frankreich?');
      const preview = workbench.picks.filter({ hasText: 'kostenlos' }).first();
      await preview.waitFor();
      assert.match(await textOf(preview), /lokal · SmolLM2.*Sieht einfach aus/s);
      await workbench.shot('german-preview-dark');
      await workbench.page.keyboard.press('Enter');
      const page = await workbench.webview('.answer');
      await page
        .locator('.answer .badge')
        .last()
        .filter({ hasText: /lokal · SmolLM2.* · kostenlos · [\d.,]+ s/ })
        .waitFor();
      await page.getByRole('button', { name: 'Kopieren' }).first().waitFor();
      await workbench.shot('german-answer-dark');
    },
  );

  await step('and so does the walkthrough', async ({ workbench }) => {
    await workbench.palette('Cost-Aware Router: Einführung öffnen');
    const titles = workbench.page.locator('.getting-started-step .step-title');
    await titles.first().waitFor();
    assert.deepEqual(await titles.allTextContents(), [
      'Ein lokales Modell holen',
      'Die erste Frage stellen',
      'Schlüssel, oder lokal bleiben',
      'Sehen, warum',
    ]);
    await workbench.webview('text=Ein Modell auf deinem eigenen Rechner');
    await workbench.shot('german-walkthrough-dark');
  });
});
