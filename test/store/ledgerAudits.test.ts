/** Audits in both stores: kept once, summed by month and baseline, in the account on a line of their own, carried through migration and rebuild. */
import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import type { AuditRecord } from '../../server/src/core/audit.ts';
import { nanoUsd } from '../../server/src/core/price.ts';
import { rebuildLedger } from '../../server/src/store/ledgerRebuild.ts';
import { SECOND_VERSION } from '../../server/src/store/ledgerSecondVersion.ts';
import { THIRD_VERSION } from '../../server/src/store/ledgerThirdVersion.ts';
import {
  answer,
  clockAt,
  eachStore,
  eventsOf,
  NOVEMBER,
  openAt,
  request,
  tempFolder,
} from './ledgerFixture.ts';

const NONE = { monthlyNanoUsd: undefined };

function audit(promptId: string, more: Partial<AuditRecord> = {}): AuditRecord {
  return {
    promptId,
    atMs: Date.parse(NOVEMBER),
    modelId: 'small',
    identity: 'a1',
    baselineId: 'big',
    verdict: 'as_good',
    method: 'judged',
    costNanoUsd: nanoUsd(100),
    ...more,
  };
}

eachStore(
  'audits are summed by baseline over three months, their cost by the month',
  async (_, temp) => {
    const { ledger, open } = await temp();
    const at = (iso: string) => ({ atMs: Date.parse(iso) });
    for (const one of [
      audit('a'),
      audit('a', { verdict: 'worse' }),
      audit('b', { verdict: 'worse' }),
      audit('c', { verdict: 'unjudged', method: 'none', costNanoUsd: nanoUsd(7) }),
      audit('d', { baselineId: 'old' }),
      audit('e', at('2026-09-01T00:00:00Z')),
      audit('f', { ...at('2026-09-30T23:59:59Z'), verdict: 'worse' }),
      audit('too old', at('2026-08-31T23:59:59Z')),
      audit('too new', at('2026-12-01T00:00:00Z')),
    ]) {
      await ledger.recordAudit(one);
    }
    const want = {
      audits: 4,
      costNanoUsd: 307,
      judged: [
        { baselineId: 'big', asGood: 2, worse: 2 },
        { baselineId: 'old', asGood: 1, worse: 0 },
      ],
    };
    assert.deepEqual((await ledger.spend(NONE)).audits, want);
    const other = await open();
    assert.deepEqual((await other.reports.month(NONE, '2026-11')).audits, want);
    const january = (await other.reports.month(NONE, '2027-01')).audits;
    assert.deepEqual([january.audits, january.costNanoUsd], [0, 0]);
    assert.deepEqual(january.judged, [
      { baselineId: 'big', asGood: 2, worse: 1 },
      { baselineId: 'old', asGood: 1, worse: 0 },
    ]);
  },
);

eachStore('a reservation says in its event that it is an audit’s', async (_, temp) => {
  const { ledger } = await temp();
  await ledger.reserve(request('r', 0.1, { purpose: 'audit' }), NONE);
  await ledger.reserve(request('s', 0.1), NONE);
  const purposes = (await eventsOf(ledger)).map(({ details }) => JSON.parse(details).purpose);
  assert.deepEqual(purposes, ['audit', undefined]);
  assert.deepEqual(await ledger.verify(), []);
});

test('a ledger of the third version takes audits, and keeps what it has', async (t) => {
  const path = join(tempFolder(t), 'ledger.sqlite');
  const db = new DatabaseSync(path, { timeout: 0 });
  const first = readFileSync(join(import.meta.dirname, '../fixtures/ledgerVersion1.sql'), 'utf8');
  db.exec(`${first}; ${SECOND_VERSION} ${THIRD_VERSION} PRAGMA user_version = 3;`);
  const rows = () => db.prepare('SELECT seq, hash FROM events ORDER BY seq').all();
  const before = rows();
  const ledger = await openAt(path);
  await ledger.recordAudit(audit('p1'));
  assert.deepEqual(rows(), before);
  assert.deepEqual(ledger.verify(), []);
  assert.equal((await ledger.spend(NONE)).audits.audits, 1);
  await ledger.close();
  db.close();
});

test('a rebuild carries audits over', async (t) => {
  const path = join(tempFolder(t), 'ledger.sqlite');
  const ledger = await openAt(path);
  await ledger.reserve(request('r', 0.1, { purpose: 'audit' }), NONE);
  await ledger.dispatch('r');
  await ledger.recordAudit(audit('a'));
  await ledger.recordAudit(audit('b', { verdict: 'worse' }));
  const { audits } = await ledger.spend(NONE);
  await ledger.close();
  // A flipped hash is enough for the ledger not to be trusted.
  const db = new DatabaseSync(path);
  db.exec(`DROP TRIGGER events_stay; UPDATE events SET hash = 'x' WHERE seq = 2`);
  db.close();
  const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
  const options = { path, clock: clockAt(NOVEMBER), newId: randomUUID, sha256, dryRun: false };
  assert.equal(rebuildLedger(options).kind, 'rebuilt');
  const again = await openAt(path);
  assert.deepEqual((await again.spend(NONE)).audits, audits);
  await again.close();
});

eachStore('the trace of a route has its audit, and none where there was none', async (_, temp) => {
  const { ledger } = await temp();
  for (const promptId of ['a', 'b']) await ledger.record(answer(promptId));
  await ledger.recordAudit(audit('a', { verdict: 'worse', method: 'checked' }));
  const { reports } = ledger;
  const audited = await reports.trace('a');
  assert.deepEqual(audited?.audit, {
    baselineId: 'big',
    verdict: 'worse',
    method: 'checked',
    costNanoUsd: nanoUsd(100),
  });
  const other = await reports.trace('b');
  assert.ok(other !== undefined && other.audit === undefined);
});
