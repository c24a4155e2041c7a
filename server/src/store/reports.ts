/** Reports as an edge asks for them: under the limits in force, with what the history knows of prompts, whatever the ledger's state. */
import type { AccountEvent } from '../core/accountEntries.ts';
import type { BudgetLimits, Ledger } from '../core/ports.ts';
import type {
  ExportFormat,
  JudgedRecord,
  MonthReport,
  RoutePage,
  RouteReports,
  RoutesQuery,
  StoredRoute,
} from '../core/routeReports.ts';
import type { History } from './history.ts';
import { LedgerUnavailableError } from './ledgerFaults.ts';
import { closedReports } from './ledgerRoutes.ts';

/** The past, under the limits in force. Traces and rows are the ledger's own; prompts come from the history where it is on. */
export interface AppReports {
  /** @param month `2026-11`; the current one when absent */
  month(month?: string): Promise<MonthReport>;
  routes(query: Omit<RoutesQuery, 'alsoPromptIds'>): Promise<RoutePage>;
  trace(promptId: string): Promise<StoredRoute | undefined>;
  /** Every verdict with the answer that it is about, oldest first. */
  judged(): Promise<readonly JudgedRecord[]>;
  export(month: string, format: ExportFormat): Promise<string>;
  /** Every event of the ledger in order; throws with a sentence when the ledger can't be trusted. */
  events(): Iterable<AccountEvent> | AsyncIterable<AccountEvent>;
}

/** A ledger of either kind, as far as its past goes. */
type OpenedPast =
  | {
      readonly kind: 'open';
      readonly ledger: Pick<AppReports, 'events'> & { readonly reports: RouteReports };
    }
  | {
      readonly kind: 'unavailable';
      readonly why: string;
      readonly ledger: Pick<Ledger, 'budget'>;
    };

/**
 * A ledger that can't be trusted shows its budget and no routes.
 * @param recorded resolves when the answers that were handed out are in the ledger; awaited before each look at it
 */
export function openReports(
  opened: OpenedPast,
  limits: () => BudgetLimits,
  history: History,
  recorded: () => Promise<void>,
): AppReports {
  if (opened.kind === 'unavailable') {
    return {
      ...closedReports(() => opened.ledger.budget(limits())),
      events() {
        throw new LedgerUnavailableError(opened.why);
      },
    };
  }
  const { reports } = opened.ledger;
  return {
    async month(month) {
      await recorded();
      return await reports.month(limits(), month);
    },
    async routes(query) {
      const { search = '' } = query;
      const alsoPromptIds = search.trim() === '' ? [] : history.find(search.trim());
      await recorded();
      return await reports.routes({ ...query, alsoPromptIds });
    },
    async trace(promptId) {
      await recorded();
      return await reports.trace(promptId);
    },
    async judged() {
      await recorded();
      return await reports.judged();
    },
    async export(month, format) {
      await recorded();
      return await reports.export(month, format);
    },
    events: () => opened.ledger.events(),
  };
}
