/** The status item as data: this month's money in one line, its breakdown, and everything that is missing, in one place. */
import type { App } from '../compose.ts';
import { lockedSentences } from '../core/adminPolicy.ts';
import { byTightness, remaining } from '../core/budget.ts';
import { pressureOf } from '../core/pacing.ts';
import { portOf } from '../core/portOf.ts';
import type { BudgetScope, BudgetState } from '../core/ports.ts';
import { costBound } from '../core/price.ts';
import { formatUsd, labelOf } from '../core/report.ts';
import type { Model } from '../core/types.ts';
import type { MissingWire, StatusWire } from '../protocol.ts';
import type { Language } from './language.ts';
import { rolesOf } from './models/roles.ts';
import { type BudgetTime, budgetFigure, budgetSentence, usedUpText } from './wire/budgetTexts.ts';
import { sentenceOfText } from './wire/reasonOfText.ts';
import { retold } from './wire/retold.ts';
import { dayText, moneyOf, savedText } from './wire/texts.ts';

export interface StatusInput {
  readonly scope: BudgetScope;
  readonly running: StatusWire['running'];
  /** `undefined` before the first answer of this server. */
  readonly lastReason: string | undefined;
  readonly notices: readonly string[];
}

export async function statusOf(
  app: App,
  input: StatusInput,
  language: Language,
): Promise<StatusWire> {
  const report = await app.reports.month();
  const budget = await app.budget(input.scope);
  const missing = missingOf(app, language);
  const level = levelOf(app, budget);
  const inForce = byTightness(budget);
  const time: BudgetTime = { nowMs: app.ports.clock.now(), month: budget.month };
  const [binding] = inForce;
  const usedUp =
    level === 'exhausted' && binding !== undefined ? usedUpText(binding, time, language) : '';
  const saved = savedText(report.total, language.t);
  const served = ['local', 'cloud', 'cache'] as const;
  const of = (name: (typeof report.byServed)[number]['served']) =>
    report.byServed.find((row) => row.served === name);
  return {
    text: textOf(app, { budget, saved, level, usedUp }, language),
    level,
    running: input.running,
    rows: served.map((name) => {
      const sums = of(name);
      // Only the cloud bills for what came to no answer, so that the rows add up to the month.
      const lostNanoUsd = name === 'cloud' ? (of('none')?.costNanoUsd ?? 0) : 0;
      return {
        served: name,
        answers: sums?.answers ?? 0,
        spent: formatUsd((sums?.costNanoUsd ?? 0) + lostNanoUsd),
        saved: savedText(sums, language.t),
      };
    }),
    spent: moneyOf(budget.spentNanoUsd),
    budgets: inForce.map((one) => budgetSentence(one, time, language)),
    usedUp,
    pricesAsOf: pricesAsOf(app, language),
    lastReason: input.lastReason ?? (await lastRecorded(app, budget.month, language)),
    missing,
    notices: input.notices.map((notice) => retold(notice, language.t)),
    locked: lockedSentences(app.policy(), language.t),
  };
}

/** What stands while there is no app: everything unknown, with the reason. */
export function statusWithoutApp(
  why: string | undefined,
  notices: readonly string[],
  { t }: Language,
): StatusWire {
  return {
    text: why === undefined ? 'starting' : t('set up'),
    level: 'normal',
    running: null,
    rows: [],
    spent: moneyOf(0),
    budgets: [],
    usedUp: '',
    pricesAsOf: t('unknown'),
    lastReason: '',
    missing: why === undefined ? [] : [{ what: 'registry', message: why, nextStep: 'show_log' }],
    notices,
    locked: [],
  };
}

/** The oldest check among the prices of the models in use; a list is as current as its oldest line. */
export function pricesAsOf(app: App, { t, tag }: Language): string {
  const now = app.ports.clock.now();
  const checked = app.catalogue
    .registry()
    .models.filter((model) => model.enabled && model.provider !== 'local')
    .flatMap((model) => app.catalogue.price(model.id, now)?.checkedAt ?? [])
    .sort();
  const [oldest] = checked;
  return oldest === undefined ? t('unknown') : `${dayText(oldest, tag)} ${oldest.slice(0, 4)}`;
}

function textOf(
  app: App,
  month: {
    readonly budget: BudgetState;
    readonly saved: string;
    readonly level: StatusWire['level'];
    readonly usedUp: string;
  },
  language: Language,
): string {
  const { budget, saved, level, usedUp } = month;
  const { t } = language;
  const { cheap, escalation } = rolesOf(app);
  const hasLocal = cheap !== undefined && isReady(app, cheap);
  const hasCloud = escalation !== undefined && isReady(app, escalation);
  if (!hasLocal && !hasCloud) return t('set up');
  if (usedUp !== '') return usedUp;
  if (!hasCloud && budget.spentNanoUsd === 0) return t('local only');
  const [binding] = byTightness(budget);
  if (binding === undefined) {
    return t('{spent} this month', { spent: formatUsd(budget.spentNanoUsd) });
  }
  const end =
    level === 'pacing'
      ? t('pacing')
      : saved === t('unknown')
        ? t('savings unknown')
        : t('saved {amount}', { amount: saved });
  return `${budgetFigure(binding, language)} · ${end}`;
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
  return pressureOf(budget, app.ports.clock.now(), settings.pacingFrom) > 0 ? 'pacing' : 'normal';
}

function missingOf(app: App, language: Language): MissingWire[] {
  const missing: MissingWire[] = [];
  const { t } = language;
  const { cheap, escalation } = rolesOf(app);
  if (cheap !== undefined) {
    const availability = app.ports.local.availability(cheap);
    if (availability.kind === 'model_missing') {
      missing.push({
        what: 'model',
        message: t(
          '{model} is not on this machine yet; download it, or point at a GGUF file of your own.',
          { model: cheap.label },
        ),
        nextStep: 'download_model',
      });
    } else if (availability.kind === 'unavailable') {
      missing.push({ what: 'model', message: retold(availability.why, t), nextStep: 'show_log' });
    }
  }
  if (escalation !== undefined && app.ports.cloud.availability(escalation).kind === 'no_api_key') {
    missing.push({
      what: 'key',
      message: t(
        'Without an API key everything stays local; with one, hard questions go to {model}, within your budget.',
        { model: escalation.label },
      ),
      nextStep: 'set_key',
    });
  }
  const ledger = app.ledgerProblem();
  if (ledger !== undefined) {
    missing.push({
      what: 'ledger',
      message: t('The ledger is closed, so answers stay local: {why}', { why: retold(ledger, t) }),
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
      message: t('Prices were last checked on {day}; refresh them.', {
        day: pricesAsOf(app, language),
      }),
      nextStep: 'refresh_prices',
    });
  }
  return missing;
}

function isReady(app: App, model: Model): boolean {
  return portOf(model, app.ports).availability(model).kind === 'ready';
}

async function lastRecorded(app: App, month: string, { t }: Language): Promise<string> {
  const { rows } = await app.reports.routes({ month, offset: 0, limit: 1 });
  const [last] = rows;
  if (last === undefined) return '';
  return sentenceOfText(last.reason, labelOf(app.catalogue.registry()), t);
}
