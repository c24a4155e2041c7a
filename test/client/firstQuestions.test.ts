/** The page's first questions are asked while it is made: each early answer is used once, and only for the question it answers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Ask, askFirst, ROUTES_PAGE } from '../../client/src/firstQuestions.ts';
import { report, routesPage } from '../webview/sampleView.ts';

const firstPage = { type: 'routes', id: 2, params: { offset: 0, limit: ROUTES_PAGE } } as const;
const thisMonth = { type: 'report', id: 1, month: null } as const;

/** @param failures how many calls fail before the server answers */
function server(failures = 0): { readonly ask: Ask; readonly asked: string[] } {
  const asked: string[] = [];
  const ask = async (method: string, params: unknown): Promise<unknown> => {
    asked.push(`${method} ${JSON.stringify(params)}`);
    if (asked.length <= failures) throw new Error('The router is not running.');
    return method === 'costAwareRouter/report' ? report : routesPage(firstPage.params, 5);
  };
  return { ask: ask as Ask, asked };
}

test('both are asked before the page is there, and answered without asking again', async () => {
  const { ask, asked } = server();
  const first = askFirst(ask);
  assert.deepEqual(asked, [
    'costAwareRouter/report {}',
    'costAwareRouter/routes {"offset":0,"limit":100}',
  ]);
  assert.equal(await first.report(thisMonth), report);
  assert.equal((await first.routes(firstPage)).total, 5);
  assert.equal(asked.length, 2);
});

test('a second question goes to the server, since the month may have changed', async () => {
  const { ask, asked } = server();
  const first = askFirst(ask);
  for (let time = 0; time < 2; time += 1) {
    await first.report(thisMonth);
    await first.routes(firstPage);
  }
  assert.equal(asked.length, 4);
});

test('another month, a filter or another page is another question', async () => {
  const { ask, asked } = server();
  const first = askFirst(ask);
  await first.report({ ...thisMonth, month: '2026-10' });
  await first.routes({ ...firstPage, params: { ...firstPage.params, month: '2026-10' } });
  assert.deepEqual(asked.slice(2), [
    'costAwareRouter/report {"month":"2026-10"}',
    'costAwareRouter/routes {"offset":0,"limit":100,"month":"2026-10"}',
  ]);
  await first.report(thisMonth);
  assert.equal(asked.length, 5, 'an early answer that did not fit is not kept for later');
});

test('what was told before a change is not shown after it', async () => {
  const { ask, asked } = server();
  const first = askFirst(ask);
  first.forget();
  await first.report(thisMonth);
  await first.routes(firstPage);
  assert.equal(asked.length, 4);
});

test('a server that was not there yet is asked again, and its second failure is told', async () => {
  const late = server(2);
  const first = askFirst(late.ask);
  assert.equal(await first.report(thisMonth), report);
  const never = askFirst(server(9).ask);
  await assert.rejects(never.routes(firstPage), /not running/);
});
