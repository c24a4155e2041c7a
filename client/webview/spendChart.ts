/**
 * Spend per day as bars with the baseline as a line above them, and the same as a table. The two differ in shape, not only
 * in colour. Every label is the server's own text: the chart only places numbers, it never formats or adds them.
 */
import type uPlot from 'uplot';
import type { DayWire } from '../../server/src/protocol.ts';
import { type ChartView, createChartFrame, themeColour } from './chartFrame.ts';
import { dataTable } from './dom.ts';
import { t } from './strings.ts';

const HEIGHT = 180;
/** The server's word, from the same translations, for a figure that can't be known. */
const UNKNOWN = t('unknown');

export interface SpendChart {
  readonly element: HTMLElement;
  show(days: readonly DayWire[], baseline: string): void;
}

export function createSpendChart(view: ChartView, onView: (view: ChartView) => void): SpendChart {
  let days: readonly DayWire[] = [];
  let baselineName = '';
  let drawn = false;
  const frame = createChartFrame({
    name: 'spend',
    title: t('Spend per day'),
    heightPx: HEIGHT,
    view,
    onView,
    content: () =>
      days.length === 0
        ? null
        : {
            summary: summary(days, baselineName),
            table: () => dayTable(days, baselineName),
            plot: (Plot, box) => drawPlot(Plot, box, days, baselineName),
          },
  });

  return {
    element: frame.element,
    show: (next, baseline) => {
      // Drawing the same again would take the focus from the table.
      if (drawn && baseline === baselineName && JSON.stringify(next) === JSON.stringify(days)) {
        return;
      }
      drawn = true;
      days = next;
      baselineName = baseline;
      frame.draw();
    },
  };
}

function dayTable(days: readonly DayWire[], baseline: string): HTMLElement {
  return dataTable(
    t('Spend per day'),
    [t('Day'), t('Spent'), t('Saved'), t('Baseline ({0})', baseline)],
    days.map((day) => [day.day, day.spent, day.saved, day.baseline]),
  );
}

function summary(days: readonly DayWire[], baseline: string): string {
  const dearest = days.reduce((a, b) => (b.spentNanoUsd > a.spentNanoUsd ? b : a));
  return t(
    'Spend per day, {0} days; most on {1}: {2} spent, {3} would have cost {4}. The table has every day.',
    days.length,
    dearest.day,
    dearest.spent,
    baseline,
    dearest.baseline,
  );
}

function drawPlot(
  Plot: typeof uPlot,
  box: HTMLElement,
  days: readonly DayWire[],
  baseline: string,
): uPlot {
  const theme = getComputedStyle(document.body);
  const colour = themeColour(theme);
  const text = colour('--vscode-descriptionForeground', '--vscode-foreground');
  const bars = colour('--vscode-charts-blue', '--vscode-foreground');
  const line = colour('--vscode-charts-yellow', '--vscode-foreground');
  const font = `11px ${theme.fontFamily}`;
  const highest = days.reduce((a, b) => (peak(b) > peak(a) ? b : a));
  const top = Math.max(1, peak(highest));
  const topText = topLabel(highest);
  // Without a pointer over the chart the legend tells the last day.
  const legend =
    (text: (day: DayWire) => string): uPlot.Series.Value =>
    (_plot, _x, _series, index) => {
      const day = days[index ?? days.length - 1];
      return day ? text(day) : '';
    };
  return new Plot(
    {
      width: box.clientWidth,
      height: HEIGHT,
      padding: [12, 8, 0, 0],
      cursor: { y: false, drag: { x: false, y: false } },
      scales: { x: { time: false, range: [-0.6, days.length - 0.4] }, y: { range: [0, top] } },
      axes: [
        {
          stroke: text,
          font,
          grid: { show: false },
          ticks: { show: false },
          size: 26,
          space: 28,
          incrs: [1, 2, 5, 10],
          values: (_plot, splits) => splits.map((index) => days[index]?.day.slice(-2) ?? ''),
        },
        {
          stroke: text,
          font,
          size: 62,
          ticks: { show: false },
          grid: { stroke: colour('--vscode-editorWidget-border', '--vscode-foreground'), width: 1 },
          splits: () => [0, top],
          values: () => ['0', topText],
        },
      ],
      series: [
        {
          label: t('Day'),
          value: legend((day) => day.day),
        },
        {
          label: t('▮ spent'),
          stroke: bars,
          width: 0,
          fill: bars,
          ...(Plot.paths.bars ? { paths: Plot.paths.bars({ size: [0.6, 28] }) } : {}),
          points: { show: false },
          value: legend((day) => day.spent),
        },
        {
          label: t('●─ baseline ({0})', baseline),
          stroke: line,
          width: 2,
          points: { show: true, size: 5, fill: line },
          value: legend((day) => day.baseline),
        },
      ],
    },
    [
      days.map((_day, index) => index),
      days.map((day) => day.spentNanoUsd),
      // What is unknown has no point: a point at zero would say that the baseline was free.
      days.map((day) => (day.baseline === UNKNOWN ? null : day.baselineNanoUsd)),
    ],
    box,
  );
}

/** Nothing where nothing is known that stands above zero. */
function topLabel(highest: DayWire): string {
  if (peak(highest) === 0) return '';
  return highest.baselineNanoUsd >= highest.spentNanoUsd ? highest.baseline : highest.spent;
}

function peak(day: DayWire): number {
  return Math.max(day.spentNanoUsd, day.baselineNanoUsd);
}
