/** A ledger of many calls by the ledger's own rules, in one transaction that does not wait for the disk. */
import { createHash, randomUUID } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { dispatchIn, reserveIn, settleIn } from '../../server/src/core/ledgerRules.ts';
import { nanoUsd } from '../../server/src/core/price.ts';
import { openLedger } from '../../server/src/store/ledger.ts';
import { openBook } from '../../server/src/store/ledgerBook.ts';

/** Rows of one call: its reservation, and the events reserved, dispatched and settled. */
export const ROWS_PER_CALL = 4;

export async function buildLedger(path: string, rows: number): Promise<void> {
  const clock = { now: () => Date.now(), monotonicMs: () => performance.now() };
  const opened = await openLedger({ path, clock, newId: randomUUID });
  if (opened.kind === 'unavailable') throw new Error(opened.why);
  await opened.ledger.close();
  const db = new DatabaseSync(path);
  db.exec('PRAGMA synchronous = OFF');
  // Keys are random, so that most pages of an index are written to: they stay in memory until the end.
  db.exec('PRAGMA cache_size = -600000');
  const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
  const book = openBook(db, sha256, () => false);
  const limits = { monthlyNanoUsd: undefined };
  const usage = {
    inputTokens: 900,
    outputTokens: 200,
    cachedInputTokens: 0,
    cacheWriteTokens: 0,
    reasoningTokens: 0,
  };
  const entry = { owner: randomUUID(), atMs: Date.now() };
  db.exec('BEGIN');
  for (let nth = 0; nth < rows / ROWS_PER_CALL; nth += 1) {
    const id = randomUUID();
    const request = {
      id,
      promptId: id,
      modelId: 'cloud-model',
      priceRowId: 'cloud-model@2026-01-01',
      boundNanoUsd: nanoUsd(2_000),
      fingerprint: id,
    };
    reserveIn(book, request, limits, entry);
    dispatchIn(book, id, entry);
    settleIn(book, id, { kind: 'settled', costNanoUsd: nanoUsd(1_000), usage }, entry);
  }
  db.exec('COMMIT');
  db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  db.close();
}
