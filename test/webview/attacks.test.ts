/** A corpus of hostile answers in a real browser: nothing runs, nothing is fetched, nothing is pressed or said for the person. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { markdownAttacks } from '../support/markdownAttacks.ts';
import { question, route } from './answerScript.ts';
import { describeInChromium, type OpenPage } from './pageHarness.ts';
import { answer, report, status, trace } from './sampleView.ts';

/** What an answer may not bring into the page. Our own buttons are elements of their own name. */
const FORBIDDEN =
  'script, img, iframe, svg, math, style, link, base, meta, object, embed, video, audio, form, input, select, textarea, button, a, template, [href], [src], [srcdoc], [style*="url"], [style*="expression"]';

describeInChromium('hostile answers', (harness) => {
  async function assertNoTrace(open: OpenPage, what: string): Promise<void> {
    const found = await open.page.evaluate(
      `[...document.querySelectorAll('main ${FORBIDDEN.replaceAll(', ', ', main ')}')].map((one) => one.outerHTML.slice(0, 120))`,
    );
    assert.deepEqual(found, [], what);
    const handlers = await open.page.evaluate(
      `[...document.querySelectorAll('main *')].flatMap((one) => [...one.attributes].map(({ name }) => name)).filter((name) => name.startsWith('on'))`,
    );
    assert.deepEqual(handlers, [], what);
    assert.equal(await open.page.evaluate('window.__hacked'), undefined, what);
    assert.deepEqual(open.complaints, [], what);
    assert.match(open.page.url(), /^http:\/\/127\.0\.0\.1:\d+\/$/);
  }

  test('leave no trace as a stream, as an answer, as a reason, a model, a draft or a question', async () => {
    assert.ok(markdownAttacks.length >= 60);
    const open = await harness().open({ page: 'answers' });
    try {
      let batch: unknown[] = [];
      for (const [index, attack] of markdownAttacks.entries()) {
        const requestId = `r${index}`;
        const half = Math.floor(attack.length / 2);
        const delta = (text: string) => ({
          type: 'event',
          requestId,
          event: { kind: 'delta', text, model: attack, draft: true },
        });
        const hostile = { ...trace, task: attack, findings: [attack], wouldFlip: [attack] };
        batch.push(
          question(requestId, attack),
          {
            type: 'event',
            requestId,
            event: {
              kind: 'route',
              route: { ...route, reason: attack, model: attack, trace: hostile },
            },
          },
          delta(attack.slice(0, half)),
          delta(attack.slice(half)),
          { type: 'event', requestId, event: { kind: 'deferred', line: attack, toModel: attack } },
          {
            type: 'result',
            requestId,
            result: {
              kind: 'answered',
              answer: answer({
                requestId,
                text: attack,
                reason: attack,
                model: attack,
                line: attack,
                trace: hostile,
              }),
            },
          },
          { type: 'notice', requestId, message: attack },
        );
        // The page keeps thirty questions.
        if (index % 25 === 24 || index === markdownAttacks.length - 1) {
          // All in one go: a call of the browser for each takes a minute.
          await open.page.evaluate(
            `for (const message of ${JSON.stringify(batch)}) window.postMessage(message, '*')`,
          );
          batch = [];
          await open.page.waitForSelector(`[data-request="${requestId}"][aria-busy="false"]`);
          await open.page.evaluate(
            `for (const link of document.querySelectorAll('main .link')) link.click()`,
          );
          await assertNoTrace(open, `up to ${attack}`);
        }
      }
      assert.deepEqual(
        open.sent.filter(({ type }) => type !== 'ready'),
        [],
        'no message but those of pressed buttons',
      );
    } finally {
      await open.close();
    }
  });

  test('leave no trace on the dashboard, whose words come from models, registries and files', async () => {
    const attack = markdownAttacks.join('\n');
    const open = await harness().open({
      page: 'dashboard',
      reply: ({ type, id }) => {
        switch (type) {
          case 'ready':
            return [
              {
                type: 'status',
                status: {
                  ...status,
                  text: attack,
                  lastReason: attack,
                  notices: [attack],
                  locked: [attack],
                },
              },
            ];
          case 'report':
            return [
              {
                type: 'report',
                id,
                report: {
                  ...report,
                  byModel: [
                    {
                      name: attack,
                      answers: 1,
                      answersText: attack,
                      spent: attack,
                      saved: attack,
                      unknownSavings: 0,
                    },
                  ],
                },
              },
            ];
          case 'routes':
            return [
              {
                type: 'routes',
                id,
                page: {
                  total: 1,
                  offset: 0,
                  rows: [
                    {
                      promptId: 'p',
                      atMs: 1,
                      time: attack,
                      title: attack,
                      model: attack,
                      served: 'cloud',
                      cost: attack,
                      saved: attack,
                      latency: attack,
                      score: 0.5,
                      reasonCode: attack,
                      reason: attack,
                    },
                  ],
                },
              },
            ];
          default:
            return [];
        }
      },
    });
    try {
      await open.page.getByText('onerror').first().waitFor();
      await assertNoTrace(open, 'dashboard');
    } finally {
      await open.close();
    }
  });

  test('would not run or fetch even if one became markup: the policy of the page forbids it', async () => {
    const open = await harness().open({ page: 'answers' });
    const hits: string[] = [];
    const attacker = createServer((request, response) => {
      hits.push(request.url ?? '');
      response.end();
    });
    await new Promise<void>((resolve) => attacker.listen(0, '127.0.0.1', resolve));
    const { port } = attacker.address() as AddressInfo;
    const attacks = markdownAttacks.map((attack) =>
      attack.replaceAll('https://evil.example', `http://127.0.0.1:${port}`),
    );
    try {
      const ran = await open.page.evaluate(
        `(async () => {
          for (const attack of ${JSON.stringify(attacks)}) {
            const place = document.createElement('div');
            // Links to other pages are the one thing that a policy does not stop; nothing here presses them.
            place.innerHTML = attack.replaceAll('http-equiv', 'data-x');
            document.body.append(place);
            for (const old of place.querySelectorAll('script')) {
              const fresh = document.createElement('script');
              fresh.textContent = old.textContent;
              if (old.src) fresh.src = old.src;
              place.append(fresh);
            }
            place.querySelector('form')?.submit();
          }
          await new Promise((resolve) => setTimeout(resolve, 300));
          return window.__hacked;
        })()`,
      );
      assert.equal(ran, undefined);
      assert.deepEqual(hits, [], 'no request reached the port of the attacker');
      assert.ok(open.complaints.length > 0, 'the browser says what it refused');
    } finally {
      await open.close();
      attacker.closeAllConnections();
      attacker.close();
    }
  });
});
