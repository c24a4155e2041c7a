/** An app whose accounts are those of a real ledger in a folder of its own; everything else of it is scripted. */
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { App } from '../../server/src/compose.ts';
import { openHistory } from '../../server/src/store/history.ts';
import { openLedger } from '../../server/src/store/ledger.ts';
import type { LedgerFile } from '../../server/src/store/ledgerFile.ts';
import { openReports } from '../../server/src/store/reports.ts';
import { clockAt, type SettableClock, tempFolder } from '../store/ledgerFixture.ts';

export interface Accounted {
  readonly ledger: LedgerFile;
  readonly clock: SettableClock;
  readonly path: string;
  /** For `cli(argv, { app })`. */
  readonly app: (scripted: App) => App;
}

export async function accountedApp(t: TestContext, startsAt: string): Promise<Accounted> {
  const folder = tempFolder(t);
  const clock = clockAt(startsAt);
  const path = join(folder, 'ledger.sqlite');
  let ids = 0;
  const opened = await openLedger({ path, clock, newId: () => `owner-${ids++}` });
  if (opened.kind === 'unavailable') throw new Error(opened.why);
  const { ledger } = opened;
  const history = openHistory({ path: join(folder, 'history.sqlite'), clock });
  t.after(async () => {
    history.close();
    await ledger.close();
  });
  const reports = openReports(
    opened,
    () => ({ monthlyNanoUsd: undefined }),
    history,
    async () => undefined,
  );
  return {
    ledger,
    clock,
    path,
    app: (scripted) => ({ ...scripted, reports }),
  };
}
