/** What a person does to a ledger in a data folder without an app: rebuilding it, and looking at its clock. */
import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import envPaths from 'env-paths';
import type { LedgerEvent } from '../core/ledgerAudit.ts';
import { clockMovedText, judgeStart, whyUnbelieved } from '../core/steadyClock.ts';
import { clockFile, confirmClock, readMachineClock, readMarks } from './ledgerClock.ts';
import { type Rebuild, rebuildLedger } from './ledgerRebuild.ts';
import { faultOf } from './sqliteFile.ts';
import { integer } from './sqliteRows.ts';

export const LEDGER_NAME = 'ledger.sqlite';

/** What the command line does with an open ledger, whatever keeps it. */
export interface LedgerTools {
  verify(): readonly string[] | Promise<readonly string[]>;
  events(): Iterable<LedgerEvent> | AsyncIterable<LedgerEvent>;
  unfreeze(modelId: string): Promise<void>;
}

export interface LedgerCare {
  readonly path: string;
  rebuild(options: { readonly dryRun: boolean }): Rebuild;
  clock(): ClockView;
  confirmClock(): void;
}

export interface ClockView {
  /** What the machine says. */
  readonly wallMs: number;
  /** What budgets would go by in a program that is started now. */
  readonly budgetsMs: number;
  readonly newestEntryMs: number | undefined;
  /** What is wrong, and whether the cloud tier is closed by it. */
  readonly problem: { readonly text: string; readonly closes: boolean } | undefined;
}

/** @param dataDir the user's data folder when absent */
export function ledgerCare(
  dataDir = envPaths('cost-aware-router', { suffix: '' }).data,
): LedgerCare {
  const path = join(dataDir, LEDGER_NAME);
  const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
  const clock = { now: () => Date.now() };
  return {
    path,
    rebuild: ({ dryRun }) =>
      rebuildLedger({ path, clock, newId: () => randomUUID(), sha256, dryRun }),
    clock() {
      const reading = readMachineClock();
      const newestEntryMs = newestEntry(path);
      const start = judgeStart(reading, readMarks(clockFile(path)), newestEntryMs);
      const closed = whyUnbelieved(start, reading.wallMs);
      const moved = start.kind === 'moved' ? clockMovedText(start.byMs, start.baseMs) : undefined;
      const text = closed ?? moved;
      return {
        wallMs: reading.wallMs,
        budgetsMs: start.baseMs,
        newestEntryMs,
        problem: text === undefined ? undefined : { text, closes: closed !== undefined },
      };
    },
    confirmClock: () => confirmClock(clockFile(path)),
  };
}

/** `undefined` where there is none, or where the file can't be read now. */
function newestEntry(path: string): number | undefined {
  if (!existsSync(path)) return undefined;
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(path, { readOnly: true, timeout: 0 });
    const row = db.prepare('SELECT at_ms FROM events ORDER BY seq DESC LIMIT 1').get();
    return row && integer(row, 'at_ms');
  } catch (error) {
    if (faultOf(error) === undefined && !(error instanceof Error && 'errcode' in error))
      throw error;
    return undefined;
  } finally {
    db?.close();
  }
}
