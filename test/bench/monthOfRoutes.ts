/** A ledger that holds a month of many routes, as a month of work would leave it. */
import { randomUUID } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { monthOf } from '../../server/src/core/budget.ts';
import type { AnswerRecord } from '../../server/src/core/ports.ts';
import { nanoUsd } from '../../server/src/core/price.ts';
import { openLedger } from '../../server/src/store/ledger.ts';

const TASKS = ['explain', 'find_problems', 'write_test', 'refactor', 'general', 'math'];
/** A trace with its candidates and features takes about this much. */
const TRACE_PADDING = 'x'.repeat(4_000);

/** In one transaction, since every record of its own is flushed to the disk. */
export async function fillMonth(path: string, routes: number): Promise<void> {
  const clock = { now: () => Date.now(), monotonicMs: () => performance.now() };
  const opened = await openLedger({ path, clock, newId: randomUUID });
  if (opened.kind === 'unavailable') throw new Error(opened.why);
  await opened.ledger.close();
  const startMs = Date.parse(`${monthOf(Date.now())}-01T00:00:00Z`);
  const lengthMs = Date.now() - startMs;
  const db = new DatabaseSync(path);
  const insert = db.prepare('INSERT INTO answers (record) VALUES (?)');
  db.exec('BEGIN');
  for (let nth = 0; nth < routes; nth += 1) {
    insert.run(JSON.stringify(recordOf(nth, startMs + Math.floor((nth / routes) * lengthMs))));
  }
  db.exec('COMMIT');
  db.close();
}

function recordOf(nth: number, atMs: number): AnswerRecord {
  const cloud = nth % 10 === 0;
  const task = TASKS[nth % TASKS.length];
  const code = cloud ? 'prompt_complexity_high' : 'prompt_complexity_low';
  return {
    promptId: `p${nth}`,
    atMs,
    promptSha256: 'ab'.repeat(32),
    modelId: cloud ? 'gpt-6-sol' : 'smollm2',
    served: cloud ? 'cloud' : nth % 7 === 0 ? 'cache' : 'local',
    status: 'complete',
    reason: `${code}(score=0.${nth % 100}, threshold=0.55, task=${task})`,
    usage: {
      inputTokens: nth % 900,
      outputTokens: 50,
      cachedInputTokens: undefined,
      cacheWriteTokens: undefined,
      reasoningTokens: undefined,
    },
    costNanoUsd: nanoUsd(cloud ? 3_100_000 : 0),
    savings:
      nth % 20 === 1
        ? { kind: 'unknown', why: 'answer_incomplete' }
        : { kind: 'known', savedNanoUsd: 1000, baselineCostNanoUsd: nanoUsd(2000) },
    timing: { latencyMs: 12.5 },
    score: (nth % 100) / 100,
    confidence: undefined,
    trace: JSON.stringify({ route: { trace: { task, padding: TRACE_PADDING } } }),
  };
}
