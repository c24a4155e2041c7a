/** `models`, `spend` and `cache`: what they print, and the progress of what takes long. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { App } from '../../server/src/compose.ts';
import { failure } from '../../server/src/core/errors.ts';
import type { SpeedSample, SpendReport } from '../../server/src/core/ports.ts';
import { nanoUsd } from '../../server/src/core/price.ts';
import { closedLedger } from '../../server/src/store/ledger.ts';
import { clockAt, NOVEMBER } from '../store/ledgerFixture.ts';
import { BIG, LOCAL, MINI } from '../support/scriptedPorts.ts';
import { cli, jsonOf } from './cliHarness.ts';
import { scriptedApi } from './httpApi.ts';

test('models list shows state, price and speed of each', async () => {
  const run = await cli(['models', 'list'], {
    script: {
      availability: {
        [LOCAL]: { kind: 'model_missing' },
        [BIG]: { kind: 'no_api_key' },
        [MINI]: { kind: 'unavailable', why: 'frozen' },
      },
      speeds: {
        [BIG]: {
          promptTokensPerSecond: 900,
          outputTokensPerSecond: 41.6,
          timeToFirstTokenMs: 300,
          samples: 2,
        },
      },
    },
  });
  assert.equal(run.code, 0);
  assert.match(
    run.stdout,
    /^small-local +cheap +local +not here \(0 MB to download\) +free +not measured +1 of 2, not measured$/m,
  );
  assert.match(
    run.stdout,
    /^cloud-mini +escalation +openai +unavailable: frozen +\$1\.00 \/ \$4\.00 +not measured +-$/m,
  );
  assert.match(
    run.stdout,
    /^cloud-big +escalation +openai +no API key +\$10\.00 \/ \$40\.00 +42 tokens\/s +-$/m,
  );
  assert.match(run.stdout, /^cheap: small-local · escalation: cloud-big · baseline: cloud-big$/m);
});

test('models list says when a price is old', async () => {
  const run = await cli(['models', 'list'], {
    app: (app) => ({
      ...app,
      catalogue: {
        ...app.catalogue,
        stalePrices: () => [app.catalogue.price(BIG, 0)].filter((row) => row !== undefined),
      },
    }),
  });
  assert.match(
    run.stderr,
    /price of cloud-big was last checked on 2026-01-01; run: .*refresh-prices/,
  );
});

const preparing = (app: App): App => ({
  ...app,
  local: {
    ...app.local,
    async prepare(_model, options) {
      for (const receivedBytes of [0, 10, 30, 55, 100]) {
        options?.onProgress?.({
          stage: 'downloading',
          receivedBytes,
          totalBytes: 100,
          source: 'a wheel',
        });
      }
      options?.onProgress?.({ stage: 'loading', share: 1 });
      return { kind: 'ready', path: 'model.gguf' };
    },
  },
});

test('a download shows plain steps where stderr is no terminal', async () => {
  const run = await cli(['models', 'download', LOCAL], { app: preparing });
  assert.equal(run.code, 0);
  assert.equal(run.stdout, 'small-local is ready.\n');
  assert.deepEqual(run.stderr.trimEnd().split('\n'), [
    'small-local: downloading   0 %',
    'small-local: downloading  30 %',
    'small-local: downloading  55 %',
    'small-local: downloading 100 %',
    'small-local: loading 100 %',
  ]);
});

test('a download draws a bar over itself on a terminal and takes it away', async () => {
  const run = await cli(['models', 'download', LOCAL], {
    app: preparing,
    terminal: { stderr: true },
    env: { NO_COLOR: '1' },
  });
  const drawn = run.stderr.split('\r\u001b[K');
  assert.equal(drawn[1], `small-local: downloading ${'░'.repeat(24)}   0 %`);
  assert.equal(drawn.at(-2), `small-local: loading ${'█'.repeat(24)} 100 %`);
  assert.equal(drawn.at(-1), '', 'expected the line to be taken away at the end');
  assert.equal(run.stderr.includes('\n'), false);
});

test('a probe is told and kept, so that latencies are known', async () => {
  const kept: SpeedSample[] = [];
  const run = await cli(['models', 'probe'], {
    app: (app) => ({
      ...app,
      ports: {
        ...app.ports,
        speeds: { get: () => undefined, record: (_id, sample) => kept.push(sample) },
      },
      local: {
        ...app.local,
        probe: async () => ({
          kind: 'measured',
          speed: {
            promptTokensPerSecond: 500,
            outputTokensPerSecond: 50,
            timeToFirstTokenMs: 400,
            samples: 1,
          },
        }),
      },
    }),
  });
  assert.equal(
    run.stdout,
    'small-local: reads 500 tokens/s, writes 50 tokens/s, first token after 400 ms\n' +
      'threads: 1 of 2 cores, not measured yet\n',
  );
  const [sample] = kept;
  assert.ok(sample !== undefined);
  assert.equal(sample.inputTokens / (sample.firstTokenMs / 1000), 500);
  assert.equal((sample.outputTokens - 1) / ((sample.latencyMs - sample.firstTokenMs) / 1000), 50);
});

test('a probe of a missing model ends with 4 and the next step', async () => {
  const run = await cli(['models', 'probe', LOCAL], {
    app: (app) => ({
      ...app,
      local: {
        ...app.local,
        probe: async () => ({ kind: 'failed', failure: failure('model_missing', 'no file') }),
      },
    }),
  });
  assert.equal(run.code, 4);
  assert.match(run.stderr, /next: cost-aware-router models download small-local/);
});

test('refreshed prices are told line by line, a bad file by what is wrong', async () => {
  const refreshed = await cli(['models', 'refresh-prices']);
  assert.deepEqual([refreshed.code, refreshed.stdout], [0, 'cloud-mini\ncloud-big\n']);
  const failed = await cli(['models', 'refresh-prices'], {
    app: (app) => ({
      ...app,
      refreshPrices: async () => ({
        kind: 'failed',
        failure: failure('bad_request', 'pricing.yaml:3: expected a date'),
      }),
    }),
  });
  assert.equal(failed.code, 2);
  assert.match(failed.stderr, /pricing\.yaml:3/);
});

test('cache clear tells what it forgot', async () => {
  const run = await cli(['cache', 'clear']);
  assert.deepEqual([run.code, run.stdout], [0, 'Forgot 3 answers (2.5 MB).\n']);
});

test('cache clear and outcome say why nothing was done, when it was not', async () => {
  const kept = await cli(['cache', 'clear'], {
    app: (app) => ({ ...app, cache: { ...app.cache, clear: () => undefined } }),
  });
  assert.deepEqual([kept.code, kept.stdout], [2, '']);
  assert.match(kept.stderr, /expected to write data.cache\.sqlite, .* nothing was forgotten; make/);
  const judged = await cli(['outcome', 'id-1', 'kept'], {
    script: { ledger: { answered: async () => false } },
    app: (app) => ({ ...app, ledgerProblem: () => 'the disk is full; free some space' }),
  });
  assert.equal(judged.code, 4);
  assert.match(judged.stderr, /the disk is full; free some space \(ledger_unavailable\)/);
});

const report: SpendReport = {
  budget: {
    month: '2026-11',
    limitNanoUsd: nanoUsd(20e9),
    spentNanoUsd: nanoUsd(3.12e9),
    heldNanoUsd: nanoUsd(0.01e9),
  },
  answers: 5,
  savedNanoUsd: 9.4e9,
  unknownSavings: 3,
  rows: [
    { modelId: LOCAL, served: 'local', answers: 3, costNanoUsd: nanoUsd(0) },
    { modelId: BIG, served: 'cloud', answers: 1, costNanoUsd: nanoUsd(3.12e9) },
    { modelId: BIG, served: 'cache', answers: 1, costNanoUsd: nanoUsd(0) },
  ],
  audits: {
    audits: 12,
    costNanoUsd: nanoUsd(0.04e9),
    judged: [
      { baselineId: BIG, asGood: 57, worse: 5 },
      { baselineId: 'another', asGood: 0, worse: 99 },
    ],
  },
};

const spending = { ledger: { spend: async () => report } };

test('spend tells the month for people', async () => {
  const run = await cli(['spend'], { script: spending });
  assert.deepEqual(run.stdout.split('\n'), [
    '2026-11  spent $3.12 of $20.00: at most $0.01 more is held, $16.87 left, resets on 2026-12-01',
    '         saved $9.40 against cloud-big (3 unknown)',
    '         quality kept by local answers: 92 % (82 to 97 %), n=62, measured',
    '         12 local answers audited this month for $0.04',
    '',
    'served  model        answers  cost',
    'local   Small Local  3        free',
    'cloud   cloud-big    1        $3.12',
    'cache   cloud-big    1        cached',
    '',
  ]);
});

test('spend --json has dollars, and null where there is no limit', async () => {
  const limited = jsonOf(await cli(['spend', '--json'], { script: spending }));
  assert.deepEqual(limited, {
    month: '2026-11',
    resets_on: '2026-12-01',
    budget_usd: 20,
    spent_usd: 3.12,
    held_usd: 0.01,
    remaining_usd: 16.87,
    answers: 5,
    baseline: BIG,
    saved_usd: 9.4,
    unknown_savings: 3,
    quality_kept: {
      share: 57 / 62,
      low: 0.8247142855658213,
      high: 0.9650616532351332,
      audits: 62,
      needed: 30,
    },
    audits: 12,
    audits_usd: 0.04,
    rows: [
      { model: LOCAL, served: 'local', answers: 3, cost_usd: 0 },
      { model: BIG, served: 'cloud', answers: 1, cost_usd: 3.12 },
      { model: BIG, served: 'cache', answers: 1, cost_usd: 0 },
    ],
  });
  const open = { ...report, budget: { ...report.budget, limitNanoUsd: undefined } };
  const unlimited = jsonOf(
    await cli(['spend', '--json'], { script: { ledger: { spend: async () => open } } }),
  );
  assert.deepEqual([unlimited['budget_usd'], unlimited['remaining_usd']], [null, null]);
});

test('spend of a ledger that can not be read says unknown, not none', async () => {
  const ledger = closedLedger({
    why: 'damaged',
    clock: clockAt(NOVEMBER),
    spentNanoUsd: { '2026-11': nanoUsd(0.5e9) },
  });
  const told = await cli(['spend'], { script: { ledger } });
  assert.match(told.stdout, /^2026-11 {2}spent \$0\.50 of \$20\.00/);
  assert.match(told.stdout, /answers and savings are unknown while the ledger is closed/);
  assert.doesNotMatch(told.stdout, /No answers|saved/);
  const reply = jsonOf(await cli(['spend', '--json'], { script: { ledger } }));
  const { spent_usd, answers, saved_usd, unknown_savings, audits, rows } = reply;
  assert.deepEqual(
    { spent_usd, answers, saved_usd, unknown_savings, audits, rows },
    {
      spent_usd: 0.5,
      answers: null,
      saved_usd: null,
      unknown_savings: null,
      audits: null,
      rows: [],
    },
  );
  const { get } = scriptedApi({ ledger });
  const overHttp = (await (await get('/spend')).json()) as unknown;
  assert.equal(JSON.stringify(overHttp), JSON.stringify(reply));
});
