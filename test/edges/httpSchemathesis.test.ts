/**
 * Schemathesis, a generator of hostile requests that we did not write, against the document of the REST edge on a real
 * socket, so that a new route is tested as soon as it is in the document. COST_AWARE_ROUTER_SCHEMATHESIS is how many requests
 * it makes up for each operation; `npm run test:schemathesis` is the long form. Left out, and said so, where PyPI can't be had.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { serveHttp } from '../../server/src/http/serveHttp.ts';
import { startProgram } from '../support/programs.ts';
import { installPythonPackage } from '../support/pythonPackage.ts';
import { scriptedApi } from './httpApi.ts';

const { COST_AWARE_ROUTER_SCHEMATHESIS: EXAMPLES = '2' } = process.env;
const TOKEN = 'T'.repeat(43);
const UNLIMITED = { perSecond: 1e9, burst: 1e9 };

/**
 * All of its checks but one: a request of the right shape may still be refused, because of a model that is not there or of
 * money that is not. It must then be a refusal that the document names, which other checks see to.
 */
const CHECKS = ['--checks', 'all', '--exclude-checks', 'positive_data_acceptance'];

let bin: string | undefined;
let lacking: string | undefined;
try {
  bin = await installPythonPackage(
    { name: 'Schemathesis', package: 'schemathesis', version: '4.32.5' },
    { oldest: 10, newest: 14 },
  );
} catch (error) {
  lacking = error instanceof Error ? error.message : 'it could not be installed';
  console.error(`Left out: Schemathesis against /openapi.json: ${lacking}`);
}
const skip = lacking ?? false;

/** Runs it over the document, with these headers on every request. Fails with what it found, and how to do it again. */
async function attack(
  t: TestContext,
  headers: readonly string[],
  replies: (status: number) => void,
  more: readonly string[] = [],
) {
  const scripted = scriptedApi(
    {},
    { token: TOKEN, limits: { rate: UNLIMITED, strangerRate: UNLIMITED } },
  );
  const folder = mkdtempSync(join(tmpdir(), 'router-schemathesis-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const document = await scripted.get('/openapi.json', { authorization: `Bearer ${TOKEN}` });
  const file = join(folder, 'openapi.json');
  writeFileSync(file, await document.text());
  const api = {
    secured: true,
    async fetch(request: Request) {
      const reply = await scripted.api.fetch(request);
      replies(reply.status);
      return reply;
    },
  };
  const served = await serveHttp({ api, port: 0, limits: { closeMs: 0 } });
  t.after(() => served.close());
  const run = startProgram(
    'schemathesis',
    join(bin ?? '', 'schemathesis'),
    [
      ...['run', file, '--url', served.url, ...CHECKS, '--max-examples', EXAMPLES],
      ...headers.flatMap((header) => ['-H', header]),
      ...more,
      ...['--seed', '1', '--request-timeout', '60', '--continue-on-failure'],
    ],
    { cwd: folder, env: { PATH: process.env['PATH'], HOME: folder, NO_COLOR: '1' } },
  );
  t.after(() => run.kill());
  assert.equal(await run.ended(), 0, run.said());
  assert.deepEqual(scripted.defects, []);
}

test('Schemathesis with the token finds no 5xx and nothing that the document does not say', {
  skip,
  timeout: 1_200_000,
}, async (t) => {
  const statuses = new Map<number, number>();
  await attack(t, [`Authorization: Bearer ${TOKEN}`], (status) =>
    statuses.set(status, (statuses.get(status) ?? 0) + 1),
  );
  const told = [...statuses].sort(([a], [b]) => a - b);
  t.diagnostic(`replies by status: ${told.map(([s, count]) => `${s}: ${count}`).join(', ')}`);
  assert.ok((statuses.get(200) ?? 0) > 0, 'some requests got through to the router');
  assert.deepEqual(
    told.filter(([status]) => status >= 500),
    [],
  );
});

test('Schemathesis without the token gets nothing but refusals and /health', {
  skip,
  timeout: 1_200_000,
}, async (t) => {
  const statuses = new Set<number>();
  await attack(t, [], (status) => statuses.add(status), ['--phases', 'fuzzing']);
  assert.ok(statuses.has(401));
  assert.deepEqual(
    [...statuses].filter((status) => ![200, 401, 405].includes(status)),
    [],
  );
});
