/** What the dashboard's readings take on a ledger with a month of this many routes, in milliseconds. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { AnswerRecord } from '../../server/src/core/ports.ts';
import { nanoUsd } from '../../server/src/core/price.ts';
import type { RoutesQuery } from '../../server/src/core/routeReports.ts';
import { openLedger } from '../../server/src/store/ledger.ts';

const MONTH = '2026-11';
const START_MS = Date.parse(`${MONTH}-01T00:00:00Z`);
const MONTH_MS = 22 * 24 * 3_600_000;
const TASKS = ['explain', 'find_problems', 'write_test', 'refactor', 'general', 'math'];
/** A trace with its candidates and features takes about this much. */
const TRACE_PADDING = 'x'.repeat(4_000);

export async function benchReports(routes: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'reports-bench-'));
  const path = join(folder, 'ledger.sqlite');
  const clock = { now: () => START_MS + MONTH_MS, monotonicMs: () => performance.now() };
  const opened = await openLedger({ path, clock, newId: randomUUID });
  if (opened.kind === 'unavailable') throw new Error(opened.why);
  const { ledger } = opened;
  try {
    fill(path, routes);
    const { reports } = ledger;
    const limits = { monthlyNanoUsd: nanoUsd(20e9) };
    const page = (query: Partial<RoutesQuery>) =>
      reports.routes({ month: MONTH, offset: 0, limit: 50, ...query });
    console.log(`reports of ${routes} routes, ${Math.round(statSync(path).size / 1e6)} MB`);
    await timed('month', () => reports.month(limits));
    await timed('month, nothing changed', () => reports.month(limits));
    await timed('first page', () => page({}));
    await timed('page in the middle', () => page({ offset: Math.floor(routes / 2) }));
    await timed('last page of the cloud', () =>
      page({ served: 'cloud', offset: routes / 10 - 50 }),
    );
    await timed('search that finds a sixth', () => page({ search: 'math' }));
    await timed('search that finds nothing', () => page({ search: 'no such words' }));
    await timed('one trace', () => reports.trace('p1'));
    await timed('one more answer', () => ledger.record(recordOf(routes, routes)));
    await timed('month after it', () => reports.month(limits));
    await timed('export as CSV', () => reports.export(MONTH, 'csv'));
  } finally {
    await ledger.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function timed(name: string, work: () => unknown): Promise<void> {
  const startedMs = performance.now();
  await work();
  console.log(`  ${name.padEnd(28)} ${(performance.now() - startedMs).toFixed(2)} ms`);
}

/** In one transaction, since every record of its own is flushed to the disk. */
function fill(path: string, routes: number): void {
  const db = new DatabaseSync(path);
  const insert = db.prepare('INSERT INTO answers (record) VALUES (?)');
  db.exec('BEGIN');
  for (let n = 0; n < routes; n += 1) insert.run(JSON.stringify(recordOf(n, routes)));
  db.exec('COMMIT');
  db.close();
}

function recordOf(n: number, routes: number): AnswerRecord {
  const cloud = n % 10 === 0;
  const task = TASKS[n % TASKS.length];
  const code = cloud ? 'prompt_complexity_high' : 'prompt_complexity_low';
  return {
    promptId: `p${n}`,
    atMs: START_MS + Math.floor((n / routes) * MONTH_MS),
    promptSha256: 'ab'.repeat(32),
    modelId: cloud ? 'gpt-6-sol' : 'smollm2',
    served: cloud ? 'cloud' : n % 7 === 0 ? 'cache' : 'local',
    status: 'complete',
    reason: `${code}(score=0.${n % 100}, threshold=0.55, task=${task})`,
    usage: {
      inputTokens: n % 900,
      outputTokens: 50,
      cachedInputTokens: undefined,
      cacheWriteTokens: undefined,
      reasoningTokens: undefined,
    },
    costNanoUsd: nanoUsd(cloud ? 3_100_000 : 0),
    savings:
      n % 20 === 1
        ? { kind: 'unknown', why: 'answer_incomplete' }
        : { kind: 'known', savedNanoUsd: 1000, baselineCostNanoUsd: nanoUsd(2000) },
    timing: { latencyMs: 12.5 },
    score: (n % 100) / 100,
    confidence: undefined,
    trace: JSON.stringify({ route: { trace: { task, padding: TRACE_PADDING } } }),
  };
}
