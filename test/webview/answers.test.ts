/** The answers page in Chromium: the stream as it comes, drafts kept readable, two answers side by side, hostile text inert. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answerScript, answerText, question, route } from './answerScript.ts';
import { describeInChromium, type OpenPage } from './pageHarness.ts';
import { answer } from './sampleView.ts';

const hostile = `<script>window.__hacked = 1</script>
<img src=x onerror="window.__hacked=2">

[press](javascript:window.__hacked=3) [command](command:workbench.action.quit) <https://evil.example/auto>

![pixel](https://evil.example/pixel.png "t") [ref][1]

[1]: https://evil.example/"onmouseover="window.__hacked=4

<svg onload=alert(1)> <iframe src="https://evil.example"></iframe> <style>body{display:none}</style>

\`\`\`"><img src=x onerror=window.__hacked=5>
</code></pre><script>window.__hacked = 6</script>
\`\`\`

| a | b |
| - | - |
| <b onclick="window.__hacked=7">x</b> | \`<i>\` |
`;

describeInChromium('answers page', (harness) => {
  async function withPage(use: (open: OpenPage) => Promise<void>): Promise<void> {
    const open = await harness().open({ page: 'answers' });
    try {
      await use(open);
      assert.deepEqual(open.complaints, []);
    } finally {
      await open.close();
    }
  }

  const column = (requestId: string): string => `[data-request="${requestId}"]`;
  const text = async (open: OpenPage, selector: string): Promise<string> => {
    const shown = open.page.locator(selector).first();
    await shown.waitFor();
    return (await shown.allInnerTexts())[0] ?? '';
  };
  const press = (open: OpenPage, requestId: string, name: string): Promise<void> =>
    open.page.locator(column(requestId)).getByRole('button', { name, exact: true }).first().click();

  test('streams a local draft as such, then shows the bill and why', async () => {
    await withPage(async (open) => {
      await open.say(question('r1', 'Why does this retry twice?'));
      await open.say({
        type: 'event',
        requestId: 'r1',
        event: { kind: 'progress', stage: 'loading', share: 0.41 },
      });
      assert.equal(await text(open, `${column('r1')} .stage`), 'Loading the model: 41 %');
      await open.say({ type: 'event', requestId: 'r1', event: { kind: 'route', route } });
      assert.equal(
        await text(open, `${column('r1')} .badge`),
        'local · SmolLM2-135M · free · ≈ 1.2 s · if unsure: gpt-5-mini · at most $0.0041',
      );
      await open.say({
        type: 'event',
        requestId: 'r1',
        event: { kind: 'delta', text: 'The request ', model: 'SmolLM2-135M', draft: true },
      });
      await open.say({
        type: 'event',
        requestId: 'r1',
        event: { kind: 'delta', text: 'is **retried**', model: 'SmolLM2-135M', draft: true },
      });
      assert.equal(await text(open, `${column('r1')} .text strong`), 'retried');
      assert.match(await text(open, `${column('r1')} .stage`), /Local draft/);
      await press(open, 'r1', 'Cancel');
      assert.deepEqual(open.sent.at(-1), { type: 'cancel', requestId: 'r1' });
      await open.say({
        type: 'result',
        requestId: 'r1',
        result: { kind: 'answered', answer: answer({ text: answerText }) },
      });
      await open.page.waitForSelector(`${column('r1')}[aria-busy="false"]`);
      assert.equal(
        await text(open, `${column('r1')} .badge`),
        'local · SmolLM2-135M · free · 1.3 s · saved $0.0038',
      );
      assert.equal(
        await text(open, `${column('r1')} .why`),
        'Looks easy (0.22 of 0.55; explain code).',
      );
      await open.page.locator('summary', { hasText: 'Details' }).click();
      assert.match(await text(open, '.trace'), /0\.22 of 0\.55/);
    });
  });

  test('a deferred draft folds to one line and can be read again', async () => {
    await withPage(async (open) => {
      for (const message of answerScript()) await open.say(message);
      const summary = open.page.locator(`${column('r3')} summary`);
      await summary.waitFor();
      assert.deepEqual(await summary.allInnerTexts(), [
        'Local draft (confidence 0.41), replaced by gpt-5-mini',
      ]);
      assert.equal(await open.page.getByText('First, copy the file and hope.').isVisible(), false);
      await summary.focus();
      await open.page.keyboard.press('Enter');
      assert.equal(await open.page.getByText('First, copy the file and hope.').isVisible(), true);
      assert.match(await text(open, `${column('r3')} > .text`), /^The migration has four steps/);
    });
  });

  test('asking the other tier puts two answers side by side, each with its verdict', async () => {
    await withPage(async (open) => {
      const script = answerScript();
      for (const message of script.slice(0, 4)) await open.say(message);
      await press(open, 'r1', 'Ask cloud');
      assert.deepEqual(open.sent.at(-1), {
        type: 'ask_other',
        requestId: 'r1',
        destination: 'cloud',
      });
      for (const message of script.slice(4)) await open.say(message);
      await open.page.waitForSelector(`${column('r2')}[aria-busy="false"]`);
      const left = await open.page.locator(column('r1')).boundingBox();
      const right = await open.page.locator(column('r2')).boundingBox();
      assert.ok(left && right && left.y === right.y && right.x > left.x);
      assert.equal(
        await text(open, `${column('r2')} .badge`),
        'cloud · gpt-5-mini · $0.0031 · 4.0 s · saved $0.009',
      );
      await press(open, 'r1', 'This one was good enough');
      assert.deepEqual(open.sent.at(-1), {
        type: 'verdict',
        requestId: 'r1',
        verdict: 'good_enough',
      });
      const chosen = open.page
        .locator(column('r1'))
        .getByRole('button', { name: '✓ This one was good enough' });
      assert.equal(await chosen.getAttribute('aria-pressed'), 'true');
      assert.equal(await open.page.locator('.question').count(), 5);
    });
  });

  test('code blocks, copy, thumbs and keep send exactly what was pressed', async () => {
    await withPage(async (open) => {
      for (const message of answerScript().slice(0, 4)) await open.say(message);
      const buttons: readonly (readonly [string, unknown])[] = [
        [
          'Copy this code',
          {
            type: 'code',
            action: 'copy',
            requestId: 'r1',
            code: 'const client = new OpenAI({ maxRetries: 0 });\n',
            language: 'ts',
          },
        ],
        [
          'Insert this code at the cursor',
          {
            type: 'code',
            action: 'insert',
            requestId: 'r1',
            code: 'const client = new OpenAI({ maxRetries: 0 });\n',
            language: 'ts',
          },
        ],
        [
          'Compare this code with the selection',
          {
            type: 'code',
            action: 'diff',
            requestId: 'r1',
            code: 'const client = new OpenAI({ maxRetries: 0 });\n',
            language: 'ts',
          },
        ],
        ['Copy the whole answer', { type: 'copy_answer', requestId: 'r1' }],
        ['Helpful', { type: 'verdict', requestId: 'r1', verdict: 'up' }],
        ['Not helpful', { type: 'verdict', requestId: 'r1', verdict: 'down' }],
        ['Keep as explanation', { type: 'keep_explanation', requestId: 'r1' }],
      ];
      for (const [name, message] of buttons) {
        await press(open, 'r1', name);
        assert.deepEqual(open.sent.at(-1), message);
      }
      await open.say({ type: 'notice', requestId: 'r1', message: 'Kept beside the code.' });
      assert.equal(await text(open, `${column('r1')} .word`), 'Kept beside the code.');
    });
  });

  test('a failure says its sentence and offers its next step', async () => {
    await withPage(async (open) => {
      for (const message of answerScript()) await open.say(message);
      assert.match(await text(open, `${column('r5')} .notice`), /gpt-5-mini needs a key\./);
      await press(open, 'r5', 'Enter a key');
      assert.deepEqual(open.sent.at(-1), { type: 'command', command: 'set_key', modelId: null });
    });
  });

  test('at the limit the person is asked, and the answer stands where the question was', async () => {
    await withPage(async (open) => {
      const limit = 'GPT-5 mini could cost $0.0021, and $0.00 of today’s budget is left.';
      const asked = async (requestId: string) => {
        await open.say(question(requestId, 'Why does this retry twice?'));
        const result = { kind: 'at_limit', message: limit } as const;
        await open.say({ type: 'result', requestId, result });
        assert.match(await text(open, `${column(requestId)} .notice`), /could cost \$0\.0021/);
      };
      await asked('r1');
      await press(open, 'r1', 'Raise the budget');
      assert.deepEqual(open.sent.at(-1), {
        type: 'command',
        command: 'raise_budget',
        modelId: null,
      });
      await press(open, 'r1', 'Ask again');
      assert.deepEqual(open.sent.at(-1), {
        type: 'ask_again',
        requestId: 'r1',
        destination: 'auto',
      });
      await press(open, 'r1', 'Answer locally this time');
      const again = { type: 'ask_again', requestId: 'r1', destination: 'local' } as const;
      assert.deepEqual(open.sent.at(-1), again);
      const next = question('r2', 'Why does this retry twice?');
      if (next.type !== 'question') throw new Error('expected a question');
      await open.say({ ...next, replaces: 'r1' });
      await open.say({
        type: 'result',
        requestId: 'r2',
        result: { kind: 'answered', answer: answer({ text: answerText }) },
      });
      await open.page.waitForSelector(`${column('r2')}[aria-busy="false"]`);
      assert.equal(await open.page.locator('.answer').count(), 1);
      assert.equal(await open.page.locator('.question').count(), 1);
      // One answer, so there is nothing to compare it with.
      await press(open, 'r2', 'Ask cloud');

      await asked('r3');
      await press(open, 'r3', 'Cancel');
      assert.equal(await open.page.locator(`${column('r3')} .notice`).count(), 0);
      assert.match(await text(open, `${column('r3')} .why`), /could cost/);
    });
  });

  test('hostile text is inert: while streaming, when complete, and in every field', async () => {
    await withPage(async (open) => {
      await open.say(question('r1', hostile));
      await open.say({
        type: 'event',
        requestId: 'r1',
        event: { kind: 'route', route: { ...route, reason: hostile, model: hostile } },
      });
      for (const piece of hostile.match(/[\s\S]{1,7}/g) ?? []) {
        await open.say({
          type: 'event',
          requestId: 'r1',
          event: { kind: 'delta', text: piece, model: 'm', draft: true },
        });
      }
      await open.say({
        type: 'event',
        requestId: 'r1',
        event: { kind: 'deferred', line: hostile, toModel: hostile },
      });
      await open.say({
        type: 'result',
        requestId: 'r1',
        result: {
          kind: 'answered',
          answer: answer({ text: hostile, reason: hostile, model: hostile }),
        },
      });
      await open.page.waitForSelector(`${column('r1')}[aria-busy="false"]`);
      await open.page.locator('summary').first().click();
      assert.equal(
        await open.page
          .locator('main')
          .locator(
            'script, img, iframe, svg, style, a, object, b, [onerror], [onclick], [onload], [onmouseover], [style*="display"]',
          )
          .count(),
        0,
      );
      for (const link of await open.page.locator('.link').all()) {
        if (await link.isVisible()) await link.click();
      }
      assert.equal(await open.page.evaluate('window.__hacked'), undefined);
      assert.match(open.page.url(), /^http:\/\/127\.0\.0\.1:\d+\/$/);
      assert.match(
        await text(open, `${column('r1')} > .text`),
        /<script>window\.__hacked = 1<\/script>/,
      );
    });
  });

  test('a page told everything twice shows it once, and can be cleared', async () => {
    await withPage(async (open) => {
      for (const message of [...answerScript(), ...answerScript()]) await open.say(message);
      await open.page.waitForSelector(column('r6'));
      assert.equal(await open.page.locator('.answer').count(), 6);
      assert.equal(await open.page.locator(`${column('r3')} summary`).count(), 1);
      await open.say({ type: 'clear' });
      await open.page.getByText('Ask a question and its answer appears here.').waitFor();
    });
  });
});
