/**
 * Torn and bit-flipped files: a ledger opens with all that its mirror knows of, up to one moment of its life, or it is
 * refused with a sentence. It never starts again at zero, and never says less than the mirror.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { openLedger } from '../../server/src/store/ledger.ts';
import { LedgerUnavailableError } from '../../server/src/store/ledgerFaults.ts';
import type { LedgerFile } from '../../server/src/store/ledgerFile.ts';
import { bill, clockAt, NOVEMBER, request } from '../store/ledgerFixture.ts';
import { startProvider } from './billingProvider.ts';
import { type Damage, MAIN_DAMAGES, WAL_DAMAGES } from './damages.ts';
import { type Random, randomFrom, SEED, times } from './proof.ts';
import { copyOf, settlementsOf, type WornLedger, wearLedger } from './wornLedger.ts';

const NO_LIMIT = { monthlyNanoUsd: undefined };
const MONTH = NOVEMBER.slice(0, 7);
const SENTENCE =
  /^expected .*(damaged|the mirror says|the mirror knows its event|belongs to another|missing or empty|update this program|another program's database|check its folder and disk|read-only)/;

type DamagedFiles = 'log' | 'main';

interface Tally {
  opened: number;
  refused: Map<string, number>;
  foundByVerify: number;
}

/** Sometimes the process died between the commit and the mirror, which then knows less. */
function ageMirror(path: string, worn: WornLedger, random: Random): number {
  const mirrorPath = path.replace('.sqlite', '.mirror.json');
  const { sha256: _, ...mirror } = JSON.parse(readFileSync(mirrorPath, 'utf8'));
  if (random() < 0.6) return mirror.spentNanoUsd[MONTH];
  // At the youngest the step before the last; the oldest knows of one payment at least, for zero may start anew.
  const known = worn.spentSteps[random.below(worn.spentSteps.length - 1)] ?? 0;
  writeFileSync(
    mirrorPath,
    JSON.stringify({ ...mirror, version: 2, spentNanoUsd: { [MONTH]: known } }),
  );
  return known;
}

async function tryDamage(
  t: TestContext,
  worn: WornLedger,
  damage: Damage,
  random: Random,
  tally: Tally,
  files: DamagedFiles,
): Promise<void> {
  const path = join(copyOf(t, worn.folder), 'ledger.sqlite');
  const mirrored = ageMirror(path, worn, random);
  const what = damage(path, random);
  try {
    const opened = await openLedger({ path, clock: clockAt(NOVEMBER), newId: randomUUID });
    if (opened.kind === 'unavailable') {
      const [, kind = ''] = SENTENCE.exec(opened.why) ?? assert.fail(`no sentence: ${opened.why}`);
      tally.refused.set(kind, (tally.refused.get(kind) ?? 0) + 1);
      assert.equal((await opened.ledger.budget(NO_LIMIT)).spentNanoUsd, mirrored);
      const reply = await opened.ledger.reserve(request('r', 0.1), NO_LIMIT);
      assert.equal(reply.kind, 'unavailable');
    } else {
      tally.opened += 1;
      await examine(opened.ledger, worn, mirrored, tally, files);
    }
  } catch (error) {
    throw new Error(`after "${what}": ${error instanceof Error ? error.stack : error}`, {
      cause: error,
    });
  } finally {
    rmSync(dirname(path), { recursive: true, force: true });
  }
}

async function examine(
  ledger: LedgerFile,
  worn: WornLedger,
  mirrored: number,
  tally: Tally,
  files: DamagedFiles,
): Promise<void> {
  const { spentNanoUsd, heldNanoUsd } = await ledger.budget(NO_LIMIT);
  assert.ok(spentNanoUsd >= mirrored, `${spentNanoUsd} spent, ${mirrored} in the mirror`);
  assert.ok(spentNanoUsd > 0);
  const findings = ledger.verify();
  // What is lost of a log is lost to its end; a page of the main file may be bad where no money is.
  if (files === 'log') assert.deepEqual(findings, []);
  else assert.equal(spentNanoUsd + heldNanoUsd, worn.spentOnceOpened);
  if (findings.length > 0) tally.foundByVerify += 1;
  else {
    const settlements = settlementsOf(ledger.events());
    assert.deepEqual(settlements, worn.settlements.slice(0, settlements.length));
  }
  await goOn(ledger);
}

/** Whatever a damaged page does to the work that follows, it is said in a sentence. */
async function goOn(ledger: LedgerFile): Promise<void> {
  try {
    const reply = await ledger.reserve(request('next', 0.1), NO_LIMIT);
    if (reply.kind === 'held') {
      await ledger.dispatch('next');
      await ledger.settle('next', bill(0.1));
    } else assert.ok(reply.kind === 'unavailable', `got ${reply.kind}`);
  } catch (error) {
    if (!(error instanceof LedgerUnavailableError)) throw error;
  }
  await ledger.close();
}

async function tryAll(
  t: TestContext,
  ledgers: readonly WornLedger[],
  damages: Readonly<Record<string, Damage>>,
  count: number,
  files: DamagedFiles,
): Promise<void> {
  const names = Object.keys(damages);
  const tallies = new Map<string, Tally>();
  const failures: string[] = [];
  for (let n = 0; n < count; n += 1) {
    const name = names[n % names.length] ?? '';
    const worn = ledgers[Math.floor(n / names.length) % ledgers.length];
    const damage = damages[name];
    assert.ok(damage !== undefined && worn !== undefined);
    const tally = tallies.get(name) ?? { opened: 0, refused: new Map(), foundByVerify: 0 };
    tallies.set(name, tally);
    // A seed of its own, so that one damage can be tried again alone.
    const random = randomFrom(SEED * 1_000_003 + n);
    try {
      await tryDamage(t, worn, damage, random, tally, files);
    } catch (error) {
      failures.push(`${n}, ${name}, ${error instanceof Error ? error.message : error}`);
    }
  }
  for (const [name, { opened, refused, foundByVerify }] of tallies) {
    const reasons = [...refused].map(([kind, times]) => `${times} "${kind}"`).join(', ');
    t.diagnostic(
      `${name}: ${opened} opened${foundByVerify > 0 ? ` (${foundByVerify} with findings of verify)` : ''}, ` +
        `refused ${reasons || 'none'}`,
    );
  }
  const all = [...tallies.values()];
  const opened = all.reduce((sum, tally) => sum + tally.opened, 0);
  t.diagnostic(`seed ${SEED}: ${count} damages, ${opened} opened, ${count - opened} refused`);
  assert.deepEqual(failures, []);
  // Both ways must have been gone, or nothing was proved.
  assert.ok(opened > 0 && opened < count, `${opened} of ${count} opened`);
}

test('torn and bit-flipped write-ahead logs', async (t) => {
  const provider = await startProvider(t, randomFrom(SEED));
  // One whose whole life is in the log, and one that has been moved to the main file in part.
  const ledgers = [
    await wearLedger(t, provider, 15, 'killed'),
    await wearLedger(t, provider, 150, 'killed'),
  ];
  const logs = ledgers.map(({ walBytes, settlements }) => `${settlements.length} in ${walBytes} B`);
  t.diagnostic(`settlements in the logs: ${logs.join(', ')}`);
  for (const { walBytes } of ledgers) assert.ok(walBytes > 10_000);
  await tryAll(t, ledgers, WAL_DAMAGES, times({ short: 32, full: 300 }), 'log');
});

test('bit-flipped and torn main files', async (t) => {
  const provider = await startProvider(t, randomFrom(SEED));
  const ledgers = [
    await wearLedger(t, provider, 40, 'closed'),
    await wearLedger(t, provider, 150, 'killed'),
  ];
  await tryAll(t, ledgers, MAIN_DAMAGES, times({ short: 32, full: 300 }), 'main');
});

test('a schema that this program can not work with is damage, said in a sentence', async (t) => {
  const provider = await startProvider(t, randomFrom(SEED));
  const worn = await wearLedger(t, provider, 5, 'closed');
  const rows: readonly [what: string, damage: (path: string) => void, why: RegExp][] = [
    [
      'an unknown format of the schema',
      (path) => {
        const bytes = readFileSync(path);
        bytes.writeUInt8(bytes.readUInt8(47) ^ 16, 47);
        writeFileSync(path, bytes);
      },
      /it is damaged \(unsupported file format\); put a backup in its place$/,
    ],
    [
      'a column of another name',
      (path) => renameInSchema(path, 'reservations', 'fingerprint TEXT', 'fingerprins TEXT'),
      /it is damaged \(table reservations has no column named fingerprint\); put a backup/,
    ],
  ];
  for (const [what, damage, why] of rows) {
    const path = join(copyOf(t, worn.folder), 'ledger.sqlite');
    damage(path);
    const opened = await openLedger({ path, clock: clockAt(NOVEMBER), newId: randomUUID });
    assert.ok(opened.kind === 'unavailable', what);
    assert.match(opened.why, why);
  }

  // SQL takes a capital for its small letter, so that all statements compile and only the rows are strange.
  const path = join(copyOf(t, worn.folder), 'ledger.sqlite');
  renameInSchema(path, 'reservations', 'fingerprint TEXT', 'fingerprinT TEXT');
  const opened = await openLedger({ path, clock: clockAt(NOVEMBER), newId: randomUUID });
  assert.ok(opened.kind === 'open');
  assert.equal((await opened.ledger.reserve(request('next', 0.1), NO_LIMIT)).kind, 'held');
  await assert.rejects(opened.ledger.dispatch('next'), {
    name: 'LedgerUnavailableError',
    message: /it is damaged; restart, and it will be set aside$/,
  });
  const reply = await opened.ledger.reserve(request('later', 0.1), NO_LIMIT);
  assert.ok(reply.kind === 'unavailable' && /is damaged/.test(reply.why));
  await opened.ledger.close();
});

function renameInSchema(path: string, table: string, from: string, to: string): void {
  const db = new DatabaseSync(path, { defensive: false });
  db.exec('PRAGMA writable_schema = ON');
  const sql = db.prepare('UPDATE sqlite_schema SET sql = replace(sql, ?, ?) WHERE name = ?');
  assert.equal(sql.run(from, to, table).changes, 1);
  db.close();
}
