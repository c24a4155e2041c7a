/** The past as the dashboard shows it: a month in sums and words, pages of routes, and the trace behind one. */
import type { App } from '../compose.ts';
import { resetDate, usedShare } from '../core/budget.ts';
import { auditsText, qualityKept, qualityKeptText } from '../core/qualityKept.ts';
import { formatSeconds, formatUsd, labelOf } from '../core/report.ts';
import type { MonthReport, RouteRow, Sums } from '../core/routeReports.ts';
import type { Translate } from '../core/translate.ts';
import type {
  DayWire,
  GroupWire,
  ReportWire,
  RouteRowWire,
  RoutesPage,
  RoutesParams,
  TraceWire,
} from '../protocol.ts';
import type { Language } from './language.ts';
import { modelCards } from './models/cards.ts';
import { rolesOf } from './models/roles.ts';
import { pricesAsOf } from './status.ts';
import { sentenceOfText } from './wire/reasonOfText.ts';
import { storedTraceWire } from './wire/route.ts';
import { budgetMoney, countText, dayText, moneyOf, savedText } from './wire/texts.ts';

/** No page is longer, whatever a client asks for. */
const MAX_ROWS = 500;

export async function reportWire(
  app: App,
  month: string | undefined,
  language: Language,
): Promise<ReportWire> {
  const report = await app.reports.month(month);
  const { budget, total } = report;
  const { t } = language;
  const names = labelOf(app.catalogue.registry());
  const limit = budget.limitNanoUsd;
  return {
    month: budget.month,
    months: report.months,
    spent: moneyOf(budget.spentNanoUsd),
    budget: limit === undefined ? null : budgetMoney(limit),
    // Narrower budgets are of this moment, and this is about a month.
    usedShare: usedShare({ ...budget, narrower: [] }) ?? null,
    projection: projection(report, app.ports.clock.now(), language),
    saved: savedText(total, t),
    baseline: rolesOf(app).baseline?.label ?? t('unknown'),
    unknownSavings: total.unknownSavings,
    answers: total.answers,
    answersText: countText(total.answers, language.tag),
    shares: sharesOf(report),
    ...qualityWire(app, report, t),
    days: report.days.map((day) => dayWire(day, t)),
    byModel: report.byModel.map((row) =>
      groupWire(modelName(row.modelId, names, t), row, language),
    ),
    byTask: report.byTask.map((row) => groupWire(t(row.task), row, language)),
    pricesAsOf: pricesAsOf(app, language),
    models: await modelCards(app, t),
  };
}

export async function routesPage(
  app: App,
  params: RoutesParams,
  language: Language,
): Promise<RoutesPage> {
  const offset = Math.max(0, Math.trunc(params.offset));
  const limit = Math.min(MAX_ROWS, Math.max(0, Math.trunc(params.limit)));
  const month = params.month ?? (await app.budget()).month;
  const { served, modelId, reason, search } = params;
  const found = await app.reports.routes({
    month,
    ...(served === undefined ? {} : { served }),
    ...(modelId === undefined ? {} : { modelId }),
    ...(reason === undefined ? {} : { reasonCode: reason }),
    ...(search === undefined || search === '' ? {} : { search }),
    offset,
    limit,
  });
  const names = labelOf(app.catalogue.registry());
  // One for all rows: making it takes longer than all else about a row.
  const words = { t: language.t, times: timeFormat(language.tag) };
  const titles = app.history.questions(found.rows.map(({ promptId }) => promptId));
  return {
    total: found.total,
    totalText: countText(found.total, language.tag),
    offset,
    rows: found.rows.map((row) => rowWire(row, titles.get(row.promptId), names, words)),
  };
}

export async function routeTrace(
  app: App,
  promptId: string,
  t: Translate,
): Promise<TraceWire | null> {
  const stored = await app.reports.trace(promptId);
  if (stored === undefined) return null;
  return storedTraceWire(stored, labelOf(app.catalogue.registry()), t);
}

function rowWire(
  row: RouteRow,
  question: string | undefined,
  names: (modelId: string) => string,
  { t, times }: { readonly t: Translate; readonly times: Intl.DateTimeFormat },
): RouteRowWire {
  return {
    promptId: row.promptId,
    atMs: row.atMs,
    time: times.format(row.atMs),
    title: question ?? `${t(row.task)} · ${row.promptSha256.slice(0, 8)}`,
    model: row.modelId === undefined ? t('no answer') : names(row.modelId),
    served: row.served,
    cost: rowCost(row, t),
    saved: row.savedNanoUsd === undefined ? t('unknown') : formatUsd(row.savedNanoUsd),
    latency: formatSeconds(row.latencyMs),
    score: row.score,
    reasonCode: row.reasonCode,
    reason: sentenceOfText(row.reason, names, t),
  };
}

function rowCost(row: RouteRow, t: Translate): string {
  if (row.costNanoUsd > 0) return formatUsd(row.costNanoUsd);
  if (row.served === 'cache') return t('cached');
  return row.served === 'local' ? t('free') : formatUsd(0);
}

/** In the time zone of this machine, where the person sits. */
function timeFormat(tag: string): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat(tag, {
    day: 'numeric',
    month: 'short',
    hour: '2-digit',
    minute: '2-digit',
  });
}

function dayWire(row: Sums & { readonly day: string }, t: Translate): DayWire {
  // Days on which no saving is known have a sum of zero that means nothing.
  const known = row.answers > row.unknownSavings;
  return {
    day: row.day,
    spentNanoUsd: row.costNanoUsd,
    savedNanoUsd: row.savedNanoUsd,
    baselineNanoUsd: row.baselineNanoUsd,
    spent: formatUsd(row.costNanoUsd),
    saved: savedText(row, t),
    baseline: known ? formatUsd(row.baselineNanoUsd) : t('unknown'),
  };
}

function groupWire(name: string, sums: Sums, { t, tag }: Language): GroupWire {
  return {
    name,
    answers: sums.answers,
    answersText: countText(sums.answers, tag),
    spent: formatUsd(sums.costNanoUsd),
    saved: savedText(sums, t),
    unknownSavings: sums.unknownSavings,
  };
}

function modelName(modelId: string, names: (modelId: string) => string, t: Translate): string {
  return modelId === 'none' ? t('no answer') : names(modelId);
}

/** Shares of what was answered; prompts without an answer count for none. */
function sharesOf(report: MonthReport): ReportWire['shares'] {
  const answers = (served: string) =>
    report.byServed.find((row) => row.served === served)?.answers ?? 0;
  const [local, cloud, cache] = [answers('local'), answers('cloud'), answers('cache')];
  const all = Math.max(1, local + cloud + cache);
  return { local: local / all, cloud: cloud / all, cache: cache / all };
}

/** Less of a month than this says nothing about its end. */
const LEAST_DAYS = 3;

function projection(report: MonthReport, nowMs: number, { t, tag }: Language): string {
  const { month, spentNanoUsd } = report.budget;
  const start = Date.parse(`${month}-01T00:00:00Z`);
  const end = Date.parse(`${resetDate(month)}T00:00:00Z`);
  const dayMs = 86_400_000;
  // A month that is over needs no projection, and its first days allow none.
  if (nowMs >= end || nowMs - start < LEAST_DAYS * dayMs || spentNanoUsd === 0) return '';
  const whole = (spentNanoUsd * (end - start)) / (nowMs - start);
  const lastDay = new Date(end - dayMs).toISOString().slice(0, 10);
  return t('≈ {amount} by {day}', { amount: formatUsd(whole), day: dayText(lastDay, tag) });
}

/**
 * The audit's figure where answers are audited, else that of people's verdicts; what the other says, and what the figure
 * stands for, are its lines.
 */
function qualityWire(
  app: App,
  report: MonthReport,
  t: Translate,
): Pick<ReportWire, 'quality' | 'qualityLines'> {
  const { auditShare } = app.settings();
  const { baseline } = rolesOf(app);
  const kept = qualityKept(report.audits, baseline?.id);
  const audited = auditsText(report.audits, t);
  const verdicts = qualityText(report, t);
  if (auditShare === 0 && kept.n === 0 && audited === '') {
    return { quality: verdicts, qualityLines: [] };
  }
  const against = t('local answers at least as good as {baseline}', {
    baseline: baseline?.label ?? t('unknown'),
  });
  return {
    quality: qualityKeptText(kept, auditShare, t),
    qualityLines: [
      against,
      ...(audited === '' ? [] : [audited]),
      t('Your verdicts: {quality}', { quality: verdicts }),
    ],
  };
}

/** Fewer verdicts than this are no measurement. */
const LEAST_VERDICTS = 10;

/** Measured by people's verdicts or unknown: an estimate of the router's own would only repeat what it hoped. */
function qualityText(report: MonthReport, t: Translate): string {
  const { kept, up, good_enough, down, asked_bigger } = report.verdicts;
  const good = kept + up + good_enough;
  const n = good + down + asked_bigger;
  if (n < LEAST_VERDICTS) {
    return t('unknown ({n} of {least} verdicts)', { n, least: LEAST_VERDICTS });
  }
  // Agresti and Coull: an interval that holds for small counts and shares near 1, too.
  const z = 1.96;
  const total = n + z * z;
  const share = (good + (z * z) / 2) / total;
  const margin = z * Math.sqrt((share * (1 - share)) / total);
  return t('{percent} % ± {margin} (n={n}), measured', {
    percent: percent(good / n),
    margin: Math.max(1, percent(margin)),
    n,
  });
}

function percent(share: number): number {
  return Math.round(share * 100);
}
