/** What the ledger adds to a cloud call, every step durable: by processes, and as the ledger grows. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { buildLedger } from '../bigLedger.ts';
import { median, quantile, ratios, spread } from '../figures.ts';
import { residentMb, startServer } from '../languageServer.ts';
import { callTimes, diskOf, syncsPerCall } from '../ledgerCalls.ts';
import { type RowSpec, section } from '../rows.ts';

const SMALL_ROWS = 1_000;
const BIG_ROWS = 1_000_000;

export const ledger = section<'one' | 'four' | 'eight' | 'syncs' | 'growth' | 'rows'>({
  name: 'ledger',
  title: 'Ledger: reserve, dispatch and settle, durable on the disk',
  limitS: 200,
  rows: {
    one: call('1 process'),
    four: call('4 processes'),
    eight: call('8 processes'),
    syncs: { name: 'ledger: waits for the disk per call', unit: 'fsync', goal: undefined },
    growth: {
      name: 'ledger: a call among 1 M records',
      unit: 'times',
      goal: { most: 1.5 },
    },
    rows: { name: 'memory: server per million ledger rows', unit: 'MB', goal: { most: 20 } },
  },
  async run({ quick, say }, tell) {
    const folder = mkdtempSync(join(tmpdir(), 'bench-ledger-'));
    const calls = quick ? 60 : 300;
    try {
      for (const [id, processes] of [
        ['one', 1],
        ['four', 4],
        ['eight', 8],
      ] as const) {
        const path = join(folder, id, 'ledger.sqlite');
        const times = await callTimes(path, processes, Math.ceil(calls / Math.sqrt(processes)));
        tell(id, {
          value: median(times.wholeMs),
          against: null,
          note: `99th percentile ${quantile(times.wholeMs, 0.99).toFixed(2)} ms; reserve and dispatch ${median(times.holdMs).toFixed(2)}, settle ${median(times.settleMs).toFixed(2)} ms; ${diskOf(folder)}`,
        });
      }
      const syncs = syncsPerCall(folder);
      tell(
        'syncs',
        syncs === undefined
          ? { value: null, why: 'needs strace, on Linux' }
          : { value: syncs, against: null, note: 'counted by strace' },
      );
      const small = join(folder, 'small', 'ledger.sqlite');
      const big = join(folder, 'big', 'ledger.sqlite');
      const rows = quick ? BIG_ROWS / 20 : BIG_ROWS;
      await buildLedger(small, SMALL_ROWS);
      await buildLedger(big, rows);
      say(`${rows} rows are written`);
      const [few, many]: [number[], number[]] = [[], []];
      for (let round = 0; round < (quick ? 1 : 2); round++) {
        few.push(median((await callTimes(small, 1, calls / 2)).wholeMs));
        many.push(median((await callTimes(big, 1, calls / 2)).wholeMs));
      }
      const growth = ratios(many, few);
      tell('growth', {
        value: median(growth),
        against: `among ${SMALL_ROWS} records: ${spread(few)} ms`,
        note: `${spread(growth)}; ${spread(many)} ms among ${rows}`,
      });
      const before = await serverMb(dirname(small));
      const after = await serverMb(dirname(big));
      tell('rows', {
        value: Math.max(0, after - before) * (BIG_ROWS / rows),
        against: null,
        note: `resident ${before.toFixed(0)} MB beside the small ledger, ${after.toFixed(0)} MB beside ${rows} rows`,
      });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
});

function call(processes: string): RowSpec {
  return { name: `ledger: a whole call, ${processes}`, unit: 'ms', goal: undefined };
}

async function serverMb(dataDir: string): Promise<number> {
  const server = await startServer(dataDir);
  try {
    await server.request('costAwareRouter/report', {});
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    return residentMb(server.pid);
  } finally {
    await server.stop();
  }
}
