/**
 * The dashboard page: asks the extension for the month and draws it. It keeps no figures of its own; when the ledger
 * changes it asks again. Which month, and chart or table, survive a hidden or reloaded page. It asks for the month and its
 * first routes at once and before it draws anything, since the extension takes longer to answer than the page to be made.
 */
import './dashboard.css';
import type { GroupWire, ReportWire, StatusWire } from '../../server/src/protocol.ts';
import type { DashboardToHost, HostToDashboard } from '../src/webviewMessages.ts';
import type { ChartView } from './chartFrame.ts';
import { button, dataTable, el } from './dom.ts';
import { connect, createQuestions } from './host.ts';
import { parseHostToDashboard } from './hostMessages.ts';
import { afterFirstParts, firstPartsDrawn, loadControls } from './laterParts.ts';
import { downloadLine, modelCards, type RunCommand } from './modelCards.ts';
import { firstQuestion, notices, type ServerState } from './notices.ts';
import { createRouteList } from './routeList.ts';
import { createSpendChart } from './spendChart.ts';
import { t } from './strings.ts';
import { summaryCards } from './summaryCards.ts';
import { createTrainingChart } from './trainingChart.ts';
import { createWhatIfView } from './whatIfView.ts';

/** Several changes in a row (a hold, its bill, the record) are drawn once. */
const SETTLE_MS = 300;
/** The month waits this long for its first routes, so that both are laid out and painted once. */
const TOGETHER_MS = 100;
/** A download that is cancelled or fails says nothing more; its line goes after this long. */
const FORGET_MS = 30_000;

const host = connect<DashboardToHost, HostToDashboard>(parseHostToDashboard);
const questions = createQuestions(host);
const run: RunCommand = (command, modelId) => host.post({ type: 'command', command, modelId });

let saved = readState(host.api.getState());
let server: ServerState = { state: 'starting', message: '' };
let status: StatusWire | null = null;
let report: ReportWire | null = null;
let asking = false;
let greeted = false;
const drawn = new Map<HTMLElement, string>();
let forgetting: ReturnType<typeof setTimeout> | undefined;
let refreshing: ReturnType<typeof setTimeout> | undefined;

const page = document.getElementById('page') ?? document.body;
const header = el('header');
const alerts = el('div', { class: 'notices', attrs: { 'aria-live': 'polite' } });
const downloads = el('div', { class: 'notices' });
const summary = el('div');
const chart = createSpendChart(saved.view, (view) => keep({ ...saved, view }));
const training = createTrainingChart(saved.trainingView, (trainingView) =>
  keep({ ...saved, trainingView }),
);
const whatIf = createWhatIfView(() => host.post({ type: 'close_what_if' }));
const groups = el('div', { class: 'groups' });
const routes = createRouteList(questions, firstPartsDrawn);
const models = el('div');
const figures = el('div', { class: 'figures' }, [
  summary,
  chart.element,
  groups,
  routes.element,
  models,
]);
figures.hidden = true;
page.append(header, alerts, downloads, training.element, whatIf.element, figures);

host.onMessage((message) => {
  switch (message.type) {
    case 'server':
      server = message;
      drawNotices();
      if (server.state !== 'running') firstPartsDrawn();
      else if (!asking) refreshSoon();
      return;
    case 'status': {
      status = message.status;
      // A last known status of a server that has stopped does not make it run.
      if (server.state === 'starting') server = { state: 'running', message: '' };
      drawNotices();
      // The first answers `ready`: it tells of no change.
      const isChange = greeted || (report === null && !asking);
      greeted = true;
      if (server.state === 'running' && isChange) refreshSoon();
      else if (report !== null) drawSummary(report);
      return;
    }
    case 'download': {
      const { receivedBytes, totalBytes } = message.progress;
      const done = totalBytes !== null && receivedBytes >= totalBytes;
      downloads.replaceChildren(...(done ? [] : [downloadLine(message.progress)]));
      clearTimeout(forgetting);
      forgetting = setTimeout(() => downloads.replaceChildren(), FORGET_MS);
      return;
    }
    case 'training':
      training.show(message.run);
      return;
    case 'what-if':
      whatIf.show(message.figures);
      return;
    case 'open-route':
      keep({ ...saved, month: null });
      routes.open(message.promptId);
      if (server.state === 'running') refreshSoon();
      return;
    default:
  }
});
host.post({ type: 'ready' });
const asked = questions.ask({ type: 'report', month: saved.month });
const firstRoutes = Promise.race([
  routes.begin(saved.month),
  asked.then(() => new Promise((resolve) => setTimeout(resolve, TOGETHER_MS))),
]).catch(() => {});
void refresh(asked);
void loadControls();

function refreshSoon(): void {
  clearTimeout(refreshing);
  refreshing = setTimeout(() => void refresh(), report === null && !asking ? 0 : SETTLE_MS);
}

async function refresh(
  answer = questions.ask({ type: 'report', month: saved.month }),
): Promise<void> {
  asking = true;
  try {
    const found = await answer;
    await firstRoutes;
    report = found.report;
    draw(report);
  } catch (error) {
    // The notices say why, and once it runs it is asked again.
    if (server.state !== 'running') return;
    firstPartsDrawn();
    drawn.delete(alerts);
    alerts.replaceChildren(
      el('div', { class: 'notice' }, [
        el('p', { text: error instanceof Error ? error.message : String(error) }),
        button(t('Try again'), refreshSoon, { primary: true }),
      ]),
    );
  } finally {
    asking = false;
  }
}

function draw(next: ReportWire): void {
  figures.hidden = false;
  drawChanged(header, [next.month, next.months, next.pricesAsOf], () => headerParts(next));
  drawSummary(next);
  const nothing = next.answers === 0;
  chart.element.hidden = nothing;
  groups.hidden = nothing;
  chart.show(next.days, next.baseline);
  drawChanged(groups, [next.byModel, next.byTask], () => [
    groupTable('model', t('By model'), t('Model'), next.byModel),
    groupTable('task', t('By task'), t('Task'), next.byTask),
  ]);
  routes.show(
    next.month,
    next.models.map(({ id, label }) => ({ id, label })),
  );
  // They stand below everything.
  void afterFirstParts.then(() =>
    drawChanged(models, report?.models, () => [modelCards(report?.models ?? [], run)]),
  );
}

function drawSummary(next: ReportWire): void {
  drawChanged(summary, [next, status?.level, status?.usedUp], () => [
    ...(next.answers === 0 ? [firstQuestion(run)] : []),
    summaryCards(next, status),
  ]);
}

/** What can hold the focus is drawn anew only when it says something else, so that a refresh never takes the focus away. */
function drawChanged(holder: HTMLElement, facts: unknown, parts: () => readonly Node[]): void {
  const key = JSON.stringify(facts);
  if (drawn.get(holder) === key) return;
  drawn.set(holder, key);
  holder.replaceChildren(...parts());
}

function headerParts(next: ReportWire): readonly HTMLElement[] {
  const chosen = el('vscode-single-select', {
    class: 'month',
    attrs: { label: t('Month') },
    on: {
      change: (event) => {
        const month = (event.currentTarget as HTMLElement & { value: string }).value;
        keep({ ...saved, month });
        void refresh();
      },
    },
  });
  const months = next.months.includes(next.month) ? next.months : [next.month, ...next.months];
  chosen.append(
    ...months.map((month) =>
      el('vscode-option', { attrs: { value: month, selected: month === next.month } }),
    ),
  );
  // Nothing shows them until the controls are loaded, and the browser's first name of a month takes tens of milliseconds.
  void afterFirstParts.then(() => {
    months.forEach((month, index) => {
      const option = chosen.children[index];
      if (option) option.textContent = monthName(month);
    });
  });
  return [
    el('h1', { class: 'unseen', text: t('What was spent and saved, and why') }),
    chosen,
    el('div', { class: 'header-actions' }, [
      button(t('Prices as of {0}', next.pricesAsOf), () => run('refresh_prices', null), {
        label: t('Prices as of {0}; refresh them', next.pricesAsOf),
      }),
      button(t('CSV'), () => host.post({ type: 'export', month: next.month, format: 'csv' }), {
        label: t('Export this month as CSV'),
      }),
      button(t('JSONL'), () => host.post({ type: 'export', month: next.month, format: 'jsonl' }), {
        label: t('Export this month as JSON lines'),
      }),
      button(t('What If...'), () => run('what_if', null), {
        label: t('What would last month have cost?'),
      }),
      button(t('Settings'), () => run('open_settings', null)),
    ]),
  ];
}

function drawNotices(): void {
  drawChanged(
    alerts,
    [server, status?.missing, status?.level, status?.notices, status?.locked],
    () => notices(server, status, run),
  );
}

function groupTable(
  name: string,
  title: string,
  heading: string,
  rows: readonly GroupWire[],
): HTMLElement {
  return el('section', { class: `group group-${name}` }, [
    el('h2', { text: title }),
    rows.length === 0
      ? el('p', { class: 'quiet', text: t('Nothing yet.') })
      : dataTable(
          title,
          [heading, t('Answers'), t('Spent'), t('Saved'), t('Unknown')],
          rows.map((row) => [
            row.name,
            row.answersText,
            row.spent,
            row.saved,
            String(row.unknownSavings),
          ]),
        ),
  ]);
}

/** `November 2026` in the editor's language. */
function monthName(month: string): string {
  const day = new Date(`${month}-01T00:00:00Z`);
  if (Number.isNaN(day.getTime())) return month;
  return day.toLocaleDateString(document.documentElement.lang || 'en', {
    month: 'long',
    year: 'numeric',
    timeZone: 'UTC',
  });
}

interface SavedState {
  /** `null` follows the current month. */
  readonly month: string | null;
  readonly view: ChartView;
  readonly trainingView: ChartView;
}

function keep(next: SavedState): void {
  saved = next;
  host.api.setState(next);
}

function readState(state: unknown): SavedState {
  const kept: Record<string, unknown> =
    typeof state === 'object' && state !== null ? { ...state } : {};
  const view = (name: string): ChartView => (kept[name] === 'table' ? 'table' : 'chart');
  return {
    month: typeof kept['month'] === 'string' ? kept['month'] : null,
    view: view('view'),
    trainingView: view('trainingView'),
  };
}
