/** The status item as data: this month's money in one line, its breakdown, and everything that is missing, in one place. */
import type { App } from '../compose.ts';
import { remaining, resetDate, usedShare } from '../core/budget.ts';
import type { BudgetScope, BudgetState } from '../core/ports.ts';
import { costBound } from '../core/price.ts';
import { formatUsd, labelOf } from '../core/report.ts';
import type { Model } from '../core/types.ts';
import type { MissingWire, StatusWire } from '../protocol.ts';
import { rolesOf } from './models/roles.ts';
import { sentenceOfText } from './wire/reasonOfText.ts';
import { budgetMoney, dayText, moneyOf, savedText } from './wire/texts.ts';

export interface StatusInput {
  readonly scope: BudgetScope;
  readonly running: StatusWire['running'];
  /** `undefined` before the first answer of this server. */
  readonly lastReason: string | undefined;
  readonly notices: readonly string[];
}

export function statusOf(app: App, input: StatusInput): StatusWire {
  const report = app.reports.month();
  const budget = app.budget(input.scope);
  const missing = missingOf(app);
  const level = levelOf(app, budget);
  const { limitNanoUsd } = budget;
  const saved = savedText(report.total);
  const served = ['local', 'cloud', 'cache'] as const;
  return {
    text: textOf(app, { budget, saved, level }),
    level,
    running: input.running,
    rows: served.map((name) => {
      const sums = report.byServed.find((row) => row.served === name);
      return {
        served: name,
        answers: sums?.answers ?? 0,
        spent: formatUsd(sums?.costNanoUsd ?? 0),
        saved: savedText(sums),
      };
    }),
    spent: moneyOf(budget.spentNanoUsd),
    budget: limitNanoUsd === undefined ? null : budgetMoney(limitNanoUsd),
    resetDate: dayText(resetDate(budget.month)),
    pricesAsOf: pricesAsOf(app),
    lastReason: input.lastReason ?? lastRecorded(app, budget.month),
    missing,
    notices: input.notices,
  };
}

/** What stands while there is no app: everything unknown, with the reason. */
export function statusWithoutApp(why: string | undefined, notices: readonly string[]): StatusWire {
  return {
    text: why === undefined ? 'starting' : 'set up',
    level: 'normal',
    running: null,
    rows: [],
    spent: moneyOf(0),
    budget: null,
    resetDate: '',
    pricesAsOf: 'unknown',
    lastReason: '',
    missing: why === undefined ? [] : [{ what: 'registry', message: why, nextStep: 'show_log' }],
    notices,
  };
}

/** The oldest check among the prices of the models in use; a list is as current as its oldest line. */
export function pricesAsOf(app: App): string {
  const now = app.ports.clock.now();
  const checked = app.catalogue
    .registry()
    .models.filter((model) => model.enabled && model.provider !== 'local')
    .flatMap((model) => app.catalogue.price(model.id, now)?.checkedAt ?? [])
    .sort();
  const [oldest] = checked;
  return oldest === undefined ? 'unknown' : `${dayText(oldest)} ${oldest.slice(0, 4)}`;
}

function textOf(
  app: App,
  month: {
    readonly budget: BudgetState;
    readonly saved: string;
    readonly level: StatusWire['level'];
  },
): string {
  const { budget, saved, level } = month;
  const { cheap, escalation } = rolesOf(app);
  const hasLocal = cheap !== undefined && isReady(app, cheap);
  const hasCloud = escalation !== undefined && isReady(app, escalation);
  if (!hasLocal && !hasCloud) return 'set up';
  if (level === 'exhausted') return `local only until ${dayText(resetDate(budget.month), 'short')}`;
  if (!hasCloud && budget.spentNanoUsd === 0) return 'local only';
  const spent = formatUsd(budget.spentNanoUsd);
  if (budget.limitNanoUsd === undefined) return `${spent} this month`;
  const end =
    level === 'pacing' ? 'pacing' : saved === 'unknown' ? 'savings unknown' : `saved ${saved}`;
  return `${spent} / ${budgetMoney(budget.limitNanoUsd).text} · ${end}`;
}

/** A short question, for telling whether anything at all can still be paid. */
const SHORT_INPUT_TOKENS = 200;

function levelOf(app: App, budget: BudgetState): StatusWire['level'] {
  const left = remaining(budget);
  if (left === undefined) return 'normal';
  const settings = app.settings();
  const { escalation } = rolesOf(app);
  const row = escalation && app.catalogue.price(escalation.id, app.ports.clock.now());
  // The limit is reached when the next call does not fit, which is somewhat before the last cent is spent.
  const leastBound =
    row === undefined ? 0 : costBound(row, SHORT_INPUT_TOKENS, settings.minUsefulOutputTokens);
  if (left === 0 || left < leastBound) return 'exhausted';
  return (usedShare(budget) ?? 0) >= settings.pacingFrom ? 'pacing' : 'normal';
}

function missingOf(app: App): MissingWire[] {
  const missing: MissingWire[] = [];
  const { cheap, escalation } = rolesOf(app);
  if (cheap !== undefined) {
    const availability = app.ports.local.availability(cheap);
    if (availability.kind === 'model_missing') {
      missing.push({
        what: 'model',
        message: `${cheap.label} is not on this machine yet; download it, or point at a GGUF file of your own.`,
        nextStep: 'download_model',
      });
    } else if (availability.kind === 'unavailable') {
      missing.push({ what: 'model', message: availability.why, nextStep: 'show_log' });
    }
  }
  if (escalation !== undefined && app.ports.cloud.availability(escalation).kind === 'no_api_key') {
    missing.push({
      what: 'key',
      message: `Without an API key everything stays local; with one, hard questions go to ${escalation.label}, within your budget.`,
      nextStep: 'set_key',
    });
  }
  const ledger = app.ledgerProblem();
  if (ledger !== undefined) {
    missing.push({
      what: 'ledger',
      message: `The ledger is closed, so answers stay local: ${ledger}`,
      nextStep: 'show_log',
    });
  }
  const problems = app.catalogue.problems();
  if (problems.length > 0) {
    const message = problems.map((problem) => problem.message).join(' ');
    missing.push({ what: 'registry', message, nextStep: 'show_log' });
  }
  const stale = app.catalogue.stalePrices(app.ports.clock.now());
  if (stale.length > 0) {
    missing.push({
      what: 'prices',
      message: `Prices were last checked on ${pricesAsOf(app)}; refresh them.`,
      nextStep: 'refresh_prices',
    });
  }
  return missing;
}

function isReady(app: App, model: Model): boolean {
  const port = model.provider === 'local' ? app.ports.local : app.ports.cloud;
  return port.availability(model).kind === 'ready';
}

function lastRecorded(app: App, month: string): string {
  const [last] = app.reports.routes({ month, offset: 0, limit: 1 }).rows;
  return last === undefined ? '' : sentenceOfText(last.reason, labelOf(app.catalogue.registry()));
}
