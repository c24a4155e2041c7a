/**
 * What the dashboard's page asks first, asked of the server while the editor still makes the page: the answers are there when
 * the question comes. Each answers one question at most, so that nothing old is ever shown twice.
 */
import type { ReportWire, Requests, RoutesPage } from '../../server/src/protocol.ts';
import type { DashboardToHost } from './webviewMessages.ts';

/** Routes that the page asks for at a time. */
export const ROUTES_PAGE = 100;

export type Ask = <M extends 'costAwareRouter/report' | 'costAwareRouter/routes'>(
  method: M,
  params: Requests[M][0],
) => Promise<Requests[M][1]>;

export interface FirstQuestions {
  /** As the server answered before, or as it answers now. */
  report(question: Extract<DashboardToHost, { type: 'report' }>): Promise<ReportWire>;
  routes(question: Extract<DashboardToHost, { type: 'routes' }>): Promise<RoutesPage>;
  /** The ledger or the server changed: what was told before may no longer hold. */
  forget(): void;
}

export function askFirst(ask: Ask): FirstQuestions {
  // A server that is not there yet may be when the page asks, so a failure is no answer.
  const early = <T>(answer: Promise<T>): Promise<T | null> => answer.catch(() => null);
  let report: Promise<ReportWire | null> | null = early(ask('costAwareRouter/report', {}));
  let routes: Promise<RoutesPage | null> | null = early(
    ask('costAwareRouter/routes', { offset: 0, limit: ROUTES_PAGE }),
  );
  return {
    report: async ({ month }) => {
      const there = month === null ? report : null;
      report = null;
      return (
        (await there) ?? (await ask('costAwareRouter/report', month === null ? {} : { month }))
      );
    },
    routes: async ({ params }) => {
      const { offset, limit, ...rest } = params;
      const isFirst = offset === 0 && limit === ROUTES_PAGE && Object.keys(rest).length === 0;
      const there = isFirst ? routes : null;
      routes = null;
      return (await there) ?? (await ask('costAwareRouter/routes', params));
    },
    forget: () => {
      report = null;
      routes = null;
    },
  };
}
