/** The loss of a training run while it goes on: each step's, and that of the validation set, as lines and as a table. */
import type uPlot from 'uplot';
import type { TrainingRun } from '../src/trainingCurve.ts';
import { type ChartView, createChartFrame, themeColour } from './chartFrame.ts';
import { dataTable, el } from './dom.ts';
import { t } from './strings.ts';

const HEIGHT = 200;

export interface TrainingChart {
  readonly element: HTMLElement;
  /** A run that was never begun shows nothing at all. */
  show(run: TrainingRun): void;
}

export function createTrainingChart(
  view: ChartView,
  onView: (view: ChartView) => void,
): TrainingChart {
  let run: TrainingRun | null = null;
  const line = el('p', { class: 'quiet training-line', attrs: { 'aria-live': 'polite' } });
  const frame = createChartFrame({
    name: 'training',
    title: t('Training'),
    heightPx: HEIGHT,
    view,
    onView,
    content: () => {
      const shown = run;
      if (shown === null || shown.train.length + shown.validation.length === 0) return null;
      return {
        summary: `${lineOf(shown)} ${t('The table has every point that is drawn.')}`,
        table: () => lossTable(shown),
        plot: (Plot, box) => drawPlot(Plot, box, shown),
      };
    },
  });
  frame.element.append(line);
  frame.element.hidden = true;

  return {
    element: frame.element,
    show(next) {
      run = next;
      frame.element.hidden = false;
      line.textContent = lineOf(next);
      frame.draw();
    },
  };
}

/** `tiny.json: step 120 of 250, loss 4.213, validation loss 4.300. Running in the terminal.` */
function lineOf(run: TrainingRun): string {
  const [step, loss] = run.train.at(-1) ?? [0, null];
  const [, validation] = run.validation.at(-1) ?? [0, null];
  const parts = [
    run.totalSteps === null ? t('step {0}', step) : t('step {0} of {1}', step, run.totalSteps),
    ...(loss === null ? [] : [t('loss {0}', loss.toFixed(3))]),
    ...(validation === null ? [] : [t('validation loss {0}', validation.toFixed(3))]),
  ];
  return `${run.name}: ${parts.join(', ')}. ${stateText(run)}`;
}

function stateText({ state }: TrainingRun): string {
  switch (state) {
    case 'running':
      return t('Running in the terminal.');
    case 'ended':
      return t('Ended.');
    case 'stopped':
      return t('Stopped; it can go on from its last checkpoint.');
    case 'failed':
      return t('Failed; the terminal says why.');
  }
}

function lossTable(run: TrainingRun): HTMLElement {
  const validation = new Map(run.validation);
  const train = new Map(run.train);
  const steps = [...new Set([...train.keys(), ...validation.keys()])].sort((a, b) => a - b);
  const shown = (loss: number | undefined) => loss?.toFixed(4) ?? '';
  return dataTable(
    t('Training'),
    [t('Step'), t('Loss'), t('Validation loss')],
    steps.map((step) => [String(step), shown(train.get(step)), shown(validation.get(step))]),
  );
}

function drawPlot(Plot: typeof uPlot, box: HTMLElement, run: TrainingRun): uPlot {
  const theme = getComputedStyle(document.body);
  const colour = themeColour(theme);
  const text = colour('--vscode-descriptionForeground', '--vscode-foreground');
  const blue = colour('--vscode-charts-blue', '--vscode-foreground');
  const orange = colour('--vscode-charts-orange', '--vscode-foreground');
  const grid = { stroke: colour('--vscode-editorWidget-border', '--vscode-foreground'), width: 1 };
  const axis = { stroke: text, font: `11px ${theme.fontFamily}`, ticks: { show: false } };
  const lossText: uPlot.Series.Value = (_plot, value) => value?.toFixed(4) ?? '–';
  const aligned = Plot.join([columns(run.train), columns(run.validation)]);
  return new Plot(
    {
      width: box.clientWidth,
      height: HEIGHT,
      padding: [12, 8, 0, 0],
      cursor: { y: false, drag: { x: false, y: false } },
      scales: { x: { time: false } },
      axes: [
        { ...axis, grid: { show: false }, size: 26 },
        { ...axis, grid, size: 48 },
      ],
      series: [
        { label: t('Step') },
        { label: t('─ loss'), stroke: blue, width: 1.5, spanGaps: true, value: lossText },
        {
          label: t('● validation loss'),
          stroke: orange,
          width: 1.5,
          spanGaps: true,
          points: { show: true, size: 6, fill: orange },
          value: lossText,
        },
      ],
    },
    aligned,
    box,
  );
}

function columns(points: readonly (readonly [step: number, loss: number])[]): uPlot.AlignedData {
  return [points.map(([step]) => step), points.map(([, loss]) => loss)];
}
