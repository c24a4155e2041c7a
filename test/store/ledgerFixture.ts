/** Real ledgers in temporary folders, and the smallest requests that make one work. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { LedgerEvent } from '../../server/src/core/ledgerAudit.ts';
import type {
  AnswerRecord,
  Clock,
  Ledger,
  ReservationRequest,
  Settlement,
} from '../../server/src/core/ports.ts';
import { nanoUsd, nanoUsdFromDollars } from '../../server/src/core/price.ts';
import type { Usage } from '../../server/src/core/types.ts';
import { openLedger } from '../../server/src/store/ledger.ts';
import type { LedgerFile } from '../../server/src/store/ledgerFile.ts';
import { openTeamLedger, type TeamLedger } from '../../server/src/store/ledgerPostgres.ts';
import { endPostgresAfterTests, freshDatabase, lacksPostgres } from '../support/postgres.ts';

export interface SettableClock extends Clock {
  set(iso: string): void;
}

export function clockAt(iso: string): SettableClock {
  let now = Date.parse(iso);
  return {
    now: () => now,
    monotonicMs: () => performance.now(),
    set(next) {
      now = Date.parse(next);
    },
  };
}

export const NOVEMBER = '2026-11-23T07:00:00Z';

export const ONE_DOLLAR = { monthlyNanoUsd: nanoUsdFromDollars(1) };

export const USAGE: Usage = {
  inputTokens: 10,
  cachedInputTokens: 0,
  cacheWriteTokens: 0,
  outputTokens: 5,
  reasoningTokens: 0,
};

export function tempFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'ledger-test-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export async function openAt(path: string, clock: Clock = clockAt(NOVEMBER)): Promise<LedgerFile> {
  const opened = await openLedger({ path, clock, newId: randomUUID });
  assert.ok(opened.kind === 'open', opened.kind === 'unavailable' ? opened.why : '');
  return opened.ledger;
}

export async function tempLedger(
  t: TestContext,
  clock: Clock = clockAt(NOVEMBER),
): Promise<{ readonly ledger: LedgerFile; readonly path: string }> {
  const path = join(tempFolder(t), 'ledger.sqlite');
  const ledger = await openAt(path, clock);
  t.after(() => ledger.close());
  return { ledger, path };
}

/** What both stores are; awaiting a reading of the file changes nothing. */
export type AnyLedger = LedgerFile | TeamLedger;

export interface AnyPlace {
  readonly ledger: AnyLedger;
  /** Opens the same ledger once more, as another process does. It is closed when the test ends. */
  open(clock?: Clock): Promise<AnyLedger>;
}

interface Store {
  readonly name: string;
  readonly skip: string | undefined;
  /** A place where no ledger is yet, and how to open the one there. */
  place(t: TestContext): Promise<(clock: Clock) => Promise<AnyLedger>>;
}

const STORES: readonly Store[] = [
  {
    name: 'SQLite',
    skip: undefined,
    async place(t) {
      const path = join(tempFolder(t), 'ledger.sqlite');
      return (clock) => openAt(path, clock);
    },
  },
  {
    name: 'PostgreSQL',
    skip: lacksPostgres,
    async place(t) {
      const dataDir = tempFolder(t);
      const url = await freshDatabase(t);
      return (clock) => openTeamAt(url, dataDir, clock);
    },
  },
];

let endsPostgres = false;

/** One test of the port for each store that can be had here. */
export function eachStore(
  name: string,
  run: (
    t: TestContext,
    temp: (clock?: Clock) => Promise<AnyPlace>,
    storeName: string,
  ) => Promise<void>,
): void {
  if (!endsPostgres) endPostgresAfterTests();
  endsPostgres = true;
  for (const store of STORES) {
    test(`${store.name}: ${name}`, { skip: store.skip }, async (t) => {
      await run(
        t,
        async (clock = clockAt(NOVEMBER)) => {
          const openThere = await store.place(t);
          const open = async (other: Clock = clockAt(NOVEMBER)) => {
            const ledger = await openThere(other);
            t.after(() => ledger.close());
            return ledger;
          };
          return { ledger: await open(clock), open };
        },
        store.name,
      );
    });
  }
}

export async function openTeamAt(
  url: string,
  dataDir: string,
  clock: Clock = clockAt(NOVEMBER),
): Promise<TeamLedger> {
  const opened = await openTeamLedger({ url, dataDir, clock, newId: randomUUID });
  assert.ok(opened.kind === 'open', opened.kind === 'unavailable' ? opened.why : '');
  return opened.ledger;
}

export async function eventsOf(ledger: AnyLedger): Promise<readonly LedgerEvent[]> {
  const events: LedgerEvent[] = [];
  for await (const event of ledger.events()) events.push(event);
  return events;
}

export async function expectUnavailable(path: string, why: RegExp): Promise<void> {
  const opened = await openLedger({ path, clock: clockAt(NOVEMBER), newId: randomUUID });
  assert.ok(opened.kind === 'unavailable', 'expected the ledger to be refused');
  assert.match(opened.why, why);
  const reply = await opened.ledger.reserve(request('r1', 0.1), { monthlyNanoUsd: undefined });
  assert.equal(reply.kind, 'unavailable');
}

export function request(
  id: string,
  bound: number,
  more: Partial<ReservationRequest> = {},
): ReservationRequest {
  return {
    id,
    promptId: `prompt of ${id}`,
    modelId: 'cloud-model',
    priceRowId: 'cloud-model@2026-01-01',
    boundNanoUsd: nanoUsdFromDollars(bound),
    fingerprint: `fingerprint of ${id}`,
    ...more,
  };
}

export function bill(cost: number): Settlement {
  return { kind: 'settled', costNanoUsd: nanoUsdFromDollars(cost), usage: USAGE };
}

/** Reserves, dispatches and settles one call. */
export async function pay(ledger: Ledger, id: string, bound: number, cost: number): Promise<void> {
  assert.deepEqual(await ledger.reserve(request(id, bound), { monthlyNanoUsd: undefined }), {
    kind: 'held',
  });
  await ledger.dispatch(id);
  await ledger.settle(id, bill(cost));
}

export function answer(promptId: string, more: Partial<AnswerRecord> = {}): AnswerRecord {
  return {
    promptId,
    atMs: Date.parse(NOVEMBER),
    promptSha256: 'ab12',
    modelId: 'cloud-model',
    served: 'cloud',
    status: 'complete',
    reason: 'prompt_complexity_high(score=0.9)',
    usage: USAGE,
    costNanoUsd: nanoUsd(1000),
    savings: { kind: 'known', savedNanoUsd: 500, baselineCostNanoUsd: nanoUsd(1500) },
    timing: { latencyMs: 12.5, firstTokenMs: 3 },
    score: 0.9,
    confidence: 0.5,
    trace: '{}',
    ...more,
  };
}
