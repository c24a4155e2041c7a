/** Reads what an account needs out of the ledger while other processes may go on writing it. */
import type { App } from '../compose.ts';
import { type AccountEntry, createEntryReader } from '../core/accountEntries.ts';
import type { RouteRow } from '../core/routeReports.ts';
import type { StatementInput } from '../core/statement.ts';

const PAGE_ROWS = 2_000;
const READINGS = 5;

export class LedgerChangedError extends Error {
  override readonly name = 'LedgerChangedError';
}

export type MonthAccounts = Omit<StatementInput, 'baselineId' | 'electricity'>;

/**
 * Counters, events and answers are three readings; they belong together only where nothing was written in between.
 * @param month the current one when absent
 */
export async function readMonth(app: App, month?: string): Promise<MonthAccounts> {
  for (let reading = 0; reading < READINGS; reading++) {
    const before = await app.reports.month(month);
    const ofMonth = before.budget.month;
    const entries = await readEntries(app, (one) => one === ofMonth);
    const routes = await readRoutes(app, ofMonth);
    const answeredPrompts = await answeredAmong(app, entries, routes);
    const after = await app.reports.month(ofMonth);
    if (
      after.budget.spentNanoUsd === before.budget.spentNanoUsd &&
      after.budget.heldNanoUsd === before.budget.heldNanoUsd &&
      after.total.answers === routes.length
    ) {
      return { month: ofMonth, entries, routes, answeredPrompts, counters: after.budget };
    }
  }
  throw new LedgerChangedError(
    `expected a ledger at rest, but it changed during ${READINGS} readings; ask again when fewer answers are under way`,
  );
}

export async function readEntries(
  app: App,
  wanted: (month: string) => boolean,
): Promise<readonly AccountEntry[]> {
  const reader = createEntryReader(wanted);
  for await (const event of app.reports.events()) reader.take(event);
  return reader.entries();
}

async function readRoutes(app: App, month: string): Promise<readonly RouteRow[]> {
  const rows: RouteRow[] = [];
  for (;;) {
    const page = await app.reports.routes({ month, offset: rows.length, limit: PAGE_ROWS });
    rows.push(...page.rows);
    if (page.rows.length === 0 || rows.length >= page.total) return rows;
  }
}

/** A call reserved at the end of a month may be answered in the next one, where the month's rows do not show it. */
async function answeredAmong(
  app: App,
  entries: readonly AccountEntry[],
  routes: readonly RouteRow[],
): Promise<ReadonlySet<string>> {
  const status = new Map(routes.map((row) => [row.promptId, row.status]));
  const answered = new Set<string>();
  for (const { promptId } of entries) {
    if (promptId === undefined) continue;
    const known = status.get(promptId) ?? (await app.reports.trace(promptId))?.record.status;
    if (known === 'complete') answered.add(promptId);
  }
  return answered;
}
