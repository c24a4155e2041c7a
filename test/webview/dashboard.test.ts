/** The dashboard page in Chromium: it shows the server's figures and no others, by mouse and by keyboard, at any length. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RoutesParams, StatusWire } from '../../server/src/protocol.ts';
import { describeInChromium, type OpenOptions, type OpenPage } from './pageHarness.ts';
import { report, routesPage, status, trace, whatIf } from './sampleView.ts';

const ROUTES = 100_000;

let total = ROUTES;
function reply(message: Record<string, unknown>): readonly unknown[] {
  const { type, id } = message;
  if (type === 'ready') return [{ type: 'status', status }];
  if (type === 'report') return [{ type, id, report }];
  if (type === 'routes') {
    return [{ type, id, page: routesPage(message['params'] as RoutesParams, total) }];
  }
  if (type === 'trace') return [{ type, id, trace }];
  return [];
}

describeInChromium('dashboard page', (harness) => {
  async function withPage(
    use: (open: OpenPage) => Promise<void>,
    options: Partial<OpenOptions> = {},
  ): Promise<void> {
    total = ROUTES;
    const open = await harness().open({ page: 'dashboard', reply, ...options });
    try {
      await use(open);
      assert.deepEqual(open.complaints, []);
    } finally {
      await open.close();
    }
  }

  const text = async (open: OpenPage, selector: string): Promise<string> => {
    const shown = open.page.locator(selector).first();
    await shown.waitFor();
    return (await shown.allInnerTexts())[0] ?? '';
  };
  const shows = (open: OpenPage, selector: string, words: string): Promise<void> =>
    open.page.locator(selector).filter({ hasText: words }).first().waitFor({ timeout: 60_000 });
  const rows = (open: OpenPage): Promise<number> => open.page.locator('.row').count();
  const routeQuestions = (open: OpenPage): readonly RoutesParams[] =>
    open.sent
      .filter(({ type }) => type === 'routes')
      .map((message) => message['params'] as RoutesParams);
  const isFocused = (open: OpenPage, selector: string): Promise<boolean> =>
    open.page
      .locator(selector)
      .first()
      .evaluate((element) => element.matches(':focus'));

  const isInSight = async (open: OpenPage, selector: string): Promise<boolean> => {
    const box = await open.page.locator(selector).first().boundingBox();
    const height = open.page.viewportSize()?.height ?? 0;
    return box !== null && box.y < height && box.y + box.height > 0;
  };

  test('shows the figures of the report as they came', async () => {
    await withPage(async (open) => {
      await open.page.waitForSelector('.cell-title');
      assert.equal(await text(open, '.card-spent .figure'), report.spent.text);
      assert.match(
        await text(open, '.card-spent'),
        /of \$20\.00 this month\s+16 %\s+≈ \$4\.60 by 30 November/,
      );
      assert.equal(await text(open, '.card-saved .figure'), report.saved);
      assert.match(
        await text(open, '.card-saved'),
        /against gpt-5 for everything\s+3 answers unknown/,
      );
      assert.match(await text(open, '.card-shares'), /82 % local\s+11 % cloud\s+7 % cached/);
      assert.equal(await text(open, '.card-quality .figure'), report.quality);
      const lines = await open.page.locator('.card-quality .line').allInnerTexts();
      assert.deepEqual(lines, report.qualityLines);
      for (const [name, groups] of [
        ['model', report.byModel],
        ['task', report.byTask],
      ] as const) {
        const cells = await open.page.locator(`.group-${name} tbody tr`).allInnerTexts();
        assert.deepEqual(
          cells.map((line) => line.split(/\s*\t\s*/)),
          groups.map((row) => [
            row.name,
            String(row.answers),
            row.spent,
            row.saved,
            String(row.unknownSavings),
          ]),
        );
      }
      const bar = open.page.locator('.budget-bar[role=progressbar]').first();
      assert.equal(await bar.getAttribute('aria-valuetext'), '$3.12 of $20.00, 16 %');
      assert.equal(await text(open, '.budget-share'), '16 %');
    });
  });

  test('the chart has its table, with every day, and the choice survives', async () => {
    await withPage(async (open) => {
      await open.page.waitForSelector('.chart canvas');
      const label = await open.page.locator('.chart').getAttribute('aria-label');
      assert.match(
        label ?? '',
        /13 days; most on 2026-11-12: \$1\.10 spent, gpt-5 would have cost \$4\.42/,
      );
      const toggle = open.page.getByRole('button', { name: 'Table' });
      await toggle.focus();
      await open.page.keyboard.press('Enter');
      const lines = await open.page.locator('.spend tbody tr').allInnerTexts();
      assert.deepEqual(
        lines.map((line) => line.split(/\s*\t\s*/)),
        report.days.map((day) => [day.day, day.spent, day.saved, day.baseline]),
      );
      assert.equal(await toggle.getAttribute('aria-pressed'), 'true');
      await open.page.reload();
      await open.page.waitForSelector('.spend tbody tr');
    });
  });

  test('a hundred thousand routes keep the rows bounded and ask for pages of a hundred', async () => {
    await withPage(async (open) => {
      await open.page.waitForSelector('.cell-title');
      assert.equal(await text(open, '.count'), '100,000 routes');
      let most = await rows(open);
      for (const share of [0.1, 0.35, 0.5, 0.77, 1]) {
        await open.page.locator('.rows-scroll').evaluate((scroller, to) => {
          scroller.scrollTop = scroller.scrollHeight * to;
        }, share);
        await open.page.locator('.row .cell-time').nth(5).waitFor();
        most = Math.max(most, await rows(open));
      }
      await open.page.waitForSelector('.row[data-prompt="prompt-99999"]');
      assert.ok(most < 60, `at most 60 rows in the page, got ${most}`);
      assert.ok(
        routeQuestions(open).every(({ limit, offset }) => limit === 100 && offset % 100 === 0),
      );
      assert.ok(routeQuestions(open).length < 30, 'far pages between two places are not fetched');
    });
  });

  test('rows come while a person scrolls on and on', async () => {
    await withPage(async (open) => {
      await open.page.waitForSelector('.cell-title');
      const seen = await open.page.evaluate(`new Promise((done) => {
        const scroller = document.querySelector('.rows-scroll');
        let frames = 0;
        const step = () => {
          const last = [...document.querySelectorAll('.row:has(.cell-title)')].at(-1);
          if (Number(last?.dataset.index) > 250 || (frames += 1) > 2000) return done(frames);
          scroller.scrollTop += 20;
          requestAnimationFrame(step);
        };
        step();
      })`);
      assert.ok(Number(seen) < 2000, 'no row of a later page came in 2000 frames without a pause');
    });
  });

  test('filters and search ask the server and show its count', async () => {
    await withPage(async (open) => {
      await open.page.waitForSelector('.cell-title');
      await open.page.locator('.filters vscode-single-select').first().click();
      await open.page.keyboard.press('ArrowDown');
      await open.page.keyboard.press('ArrowDown');
      await open.page.keyboard.press('Enter');
      await shows(open, '.count', '11,111 routes');
      assert.equal(routeQuestions(open).at(-1)?.served, 'cloud');
      await open.page.locator('vscode-textfield.search').click();
      await open.page.keyboard.type('retry');
      await open.sentWhere((message) => (message['params'] as RoutesParams)?.search === 'retry');
      assert.deepEqual(routeQuestions(open).at(-1), {
        served: 'cloud',
        search: 'retry',
        month: '2026-11',
        offset: 0,
        limit: 100,
      });
    });
  });

  test('a route opens to its whole trace, by keyboard alone', async () => {
    await withPage(async (open) => {
      await open.page.waitForSelector('.cell-title');
      await open.page.locator('.row').first().focus();
      await open.page.keyboard.press('ArrowDown');
      assert.ok(await isFocused(open, '.row[data-index="1"]'));
      await open.page.keyboard.press('Enter');
      await open.page.waitForSelector('.trace');
      assert.equal(
        await open.page.locator('.row[data-index="1"]').getAttribute('aria-expanded'),
        'true',
      );
      assert.deepEqual(open.sent.at(-1), {
        type: 'trace',
        id: open.sent.at(-1)?.['id'],
        promptId: 'prompt-1',
      });
      const shown = await text(open, '.trace');
      for (const part of trace.parts)
        assert.ok(shown.includes(part.name) && shown.includes(part.detail));
      assert.match(shown, /\+0\.42[\s\S]*\+0\.27[\s\S]*\+0\.16[\s\S]*−0\.04/);
      for (const candidate of trace.candidates) {
        assert.ok(shown.includes(candidate.cost) && shown.includes(candidate.whyNot));
      }
      for (const expected of [
        '0.81 of 0.55',
        '0.41 of 0.62',
        ...trace.wouldFlip,
        trace.estimateAgainstBill,
        trace.audit,
        'gpt-5-mini@2026-08-07',
      ]) {
        assert.ok(shown.includes(expected), `trace shows ${expected}`);
      }
      await open.page.keyboard.press('End');
      assert.ok(await isFocused(open, '.row[data-index="99999"]'));
      await open.page.keyboard.press('Home');
      assert.ok(await isFocused(open, '.row[data-index="0"]'));
      await open.page.keyboard.press('ArrowDown');
      await open.page.keyboard.press('ArrowLeft');
      assert.equal(await open.page.locator('.trace').count(), 0);
    });
  });

  test('new routes above move neither the focus nor the opened trace', async () => {
    await withPage(async (open) => {
      await open.page.waitForSelector('.cell-title');
      await open.page.locator('.row[data-index="3"]').click();
      await open.page.waitForSelector('.trace');
      total = ROUTES + 2;
      await open.say({ type: 'status', status });
      await shows(open, '.count', '100,002 routes');
      const opened = open.page.locator('.row[aria-expanded="true"]');
      assert.equal(await opened.getAttribute('data-index'), '5');
      assert.ok(await isFocused(open, '.row[data-index="5"]'));
      assert.equal(await open.page.locator('.trace').count(), 1);
    });
  });

  for (const when of ['a fresh page', 'a page scrolled down and filtered'] as const) {
    test(`the extension opens a route with its trace, on ${when}`, async () => {
      await withPage(async (open) => {
        if (when !== 'a fresh page') {
          await open.page.waitForSelector('.cell-title');
          await open.page.locator('vscode-textfield.search').click();
          await open.page.keyboard.type('retry');
          await open.sentWhere(
            (message) => (message['params'] as RoutesParams)?.search === 'retry',
          );
          await open.page.locator('.rows-scroll').evaluate((scroller) => {
            scroller.scrollTop = scroller.scrollHeight;
          });
        }
        await open.say({ type: 'open-route', promptId: 'prompt-2' });
        const row = open.page.locator('.row[data-prompt="prompt-2"]');
        await row.and(open.page.locator('[aria-expanded="true"]')).waitFor();
        await shows(open, '.trace', trace.estimateAgainstBill);
        assert.ok(await isFocused(open, '.row[data-prompt="prompt-2"]'));
        assert.ok(await isInSight(open, '.trace'));
        assert.equal(open.sent.findLast(({ type }) => type === 'trace')?.['promptId'], 'prompt-2');
        assert.equal(routeQuestions(open).at(-1)?.search, undefined);
      });
    });
  }

  test('what a prompt says is text and nothing else', async () => {
    await withPage(async (open) => {
      await open.page.waitForSelector('.row[data-index="3"] .cell-title');
      assert.equal(
        await text(open, '.row[data-index="3"] .cell-title'),
        '<img src=x onerror="window.__hacked=1"> & friends',
      );
      assert.equal(await open.page.locator('.row img, .row script').count(), 0);
      assert.equal(await open.page.evaluate('window.__hacked'), undefined);
    });
  });

  const broken: readonly (readonly [string, Partial<StatusWire>, string, string])[] = [
    [
      'no model',
      {
        missing: [
          {
            what: 'model',
            message: 'No local model is on this machine.',
            nextStep: 'download_model',
          },
        ],
      },
      'Download a model',
      'download_model',
    ],
    [
      'no key',
      { missing: [{ what: 'key', message: 'No key.', nextStep: 'set_key' }] },
      'Enter a key',
      'set_key',
    ],
    [
      'old prices',
      {
        missing: [
          { what: 'prices', message: 'Prices are 61 days old.', nextStep: 'refresh_prices' },
        ],
      },
      'Refresh prices',
      'refresh_prices',
    ],
    ['budget used up', { level: 'exhausted' }, 'Raise the budget', 'raise_budget'],
  ];
  for (const [name, change, step, command] of broken) {
    test(`broken state, ${name}: one sentence and one next step`, async () => {
      await withPage(async (open) => {
        await open.page.waitForSelector('.cell-title');
        await open.say({ type: 'status', status: { ...status, ...change } });
        await open.page.waitForSelector('.notices .notice');
        assert.equal(await open.page.locator('.notices vscode-button').count(), 1);
        await open.page.locator('.notices vscode-button', { hasText: step }).click();
        assert.deepEqual(
          open.sent.findLast(({ type }) => type === 'command'),
          { type: 'command', command, modelId: null },
        );
      });
    });
  }

  test('a stopped server and a failed question say so and offer a way on', async () => {
    await withPage(
      async (open) => {
        await open.say({
          type: 'server',
          state: 'stopped',
          message: 'The router stopped: out of memory.',
        });
        await open.page.waitForSelector('.notices .notice');
        assert.match(await text(open, '.notices'), /The router stopped: out of memory\./);
        await open.page.getByRole('button', { name: 'Start it' }).click();
        assert.equal(open.sent.at(-1)?.['command'], 'restart_server');
        await open.say({ type: 'status', status });
        assert.match(await text(open, '.notices'), /The router stopped: out of memory\./);
        await open.say({ type: 'server', state: 'running', message: '' });
        await shows(open, '.notices', 'The ledger is busy');
        await open.page.getByRole('button', { name: 'Try again' }).click();
      },
      {
        reply: (message) =>
          message['type'] === 'report'
            ? [{ type: 'failed', id: message['id'], message: 'The ledger is busy.' }]
            : [],
      },
    );
  });

  test('where routes can not be read, the count says why and everything else is there', async () => {
    await withPage(
      async (open) => {
        await shows(open, '.count', 'The ledger is busy');
        assert.equal(await text(open, '.card-saved .figure'), report.saved);
        await open.page.waitForSelector('.chart canvas');
        await open.page.getByRole('button', { name: 'Export this month as CSV' }).click();
        assert.equal(open.sent.at(-1)?.type, 'export');
      },
      {
        reply: (message) =>
          message['type'] === 'routes'
            ? [{ type: 'failed', id: message['id'], message: 'The ledger is busy.' }]
            : reply(message),
      },
    );
  });

  test('exports, model buttons and months send what was pressed', async () => {
    await withPage(async (open) => {
      await open.page.waitForSelector('.cell-title');
      await open.page.getByRole('button', { name: 'Export this month as CSV' }).click();
      assert.deepEqual(open.sent.at(-1), { type: 'export', month: '2026-11', format: 'csv' });
      await open.page.locator('[data-model="qwen3-4b"] vscode-button').click();
      assert.deepEqual(open.sent.at(-1), {
        type: 'command',
        command: 'download_model',
        modelId: 'qwen3-4b',
      });
      await open.page.locator('vscode-single-select.month').click();
      await open.page.keyboard.press('ArrowDown');
      await open.page.keyboard.press('Enter');
      assert.equal(open.sent.findLast(({ type }) => type === 'report')?.['month'], '2026-10');
    });
  });

  test('what past prompts would have cost stands as bars and a table, until it is closed', async () => {
    await withPage(async (open) => {
      await open.page.waitForSelector('.cell-title');
      assert.equal(await open.page.locator('.what-if').isVisible(), false);
      await open.page.getByRole('button', { name: 'What would last month have cost?' }).click();
      assert.deepEqual(open.sent.at(-1), { type: 'command', command: 'what_if', modelId: null });
      await open.page.evaluate('scrollTo(0, document.body.scrollHeight)');
      await open.say({ type: 'what-if', figures: whatIf });
      await open.page.waitForSelector('.what-if-bars');
      assert.ok(await isInSight(open, '.what-if .figure'));
      assert.equal(
        await text(open, '.what-if .figure'),
        'saved ≈ $9.40 against gpt-5 · ≈ 26 % escalated to the cloud',
      );
      assert.deepEqual(
        await open.page.locator('.what-if-bars dt').allInnerTexts(),
        whatIf.costs.map(({ name }) => name),
      );
      assert.deepEqual(
        await open.page.locator('.what-if-bars .cost').allInnerTexts(),
        whatIf.costs.map(({ cost }) => cost),
      );
      // The dearest has the whole width; what is known in part has no bar that could be compared.
      const bars = open.page.locator('.what-if-bars .budget-fill');
      const widths = await bars.evaluateAll((all) => all.map((one) => one.style.width));
      assert.deepEqual(widths, ['24.9201%', '100%']);
      const lines = await open.page.locator('.what-if tbody tr').allInnerTexts();
      assert.deepEqual(
        lines.map((line) => line.split(/\s*\t\s*/)),
        whatIf.models.map(({ name, prompts, cost }) => [name, String(prompts), cost]),
      );
      await open.page.getByRole('button', { name: 'Close what it would have cost' }).click();
      assert.deepEqual(open.sent.at(-1), { type: 'close_what_if' });
      await open.say({ type: 'what-if', figures: null });
      await open.page.locator('.what-if').waitFor({ state: 'hidden' });
    });
  });

  test('a usage export is compared by its models, without savings that nobody knows', async () => {
    const figures = { ...whatIf, saved: '', escalated: '', models: [], lines: ['No prompts.'] };
    await withPage(async (open) => {
      await open.say({ type: 'what-if', figures });
      await open.page.waitForSelector('.what-if-bars');
      assert.equal(await open.page.locator('.what-if :is(.figure, table)').count(), 0);
    });
  });

  test('a little is not shown as nothing', async () => {
    await withPage(async (open) => assert.equal(await text(open, '.budget-share'), '< 1 %'), {
      reply: (message) =>
        message['type'] === 'report'
          ? [{ type: 'report', id: message['id'], report: { ...report, usedShare: 0.0003 } }]
          : reply(message),
    });
  });

  test('one answer is told in the singular', async () => {
    await withPage(
      async (open) => {
        await shows(open, '.count', '1 route');
        assert.match(await text(open, '.card-saved'), /\s1 answer unknown/);
        assert.equal(await text(open, '.count'), '1 route');
      },
      {
        reply: (message) => {
          total = 1;
          return message['type'] === 'report'
            ? [{ type: 'report', id: message['id'], report: { ...report, unknownSavings: 1 } }]
            : reply(message);
        },
      },
    );
  });

  test('words come from the bundle', async () => {
    await withPage(
      async (open) => {
        await open.page.waitForSelector('.cell-title');
        assert.equal(await text(open, '.card-spent h3'), 'Ausgegeben');
      },
      { strings: { Spent: 'Ausgegeben' } },
    );
  });
});
