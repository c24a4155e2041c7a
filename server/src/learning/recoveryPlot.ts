/** Draws recovery curves as a plain SVG, readable on light and dark pages. */
import type { CurvePoint } from './metrics.ts';

export interface PlottedCurve {
  readonly name: string;
  readonly points: readonly CurvePoint[];
}

const WIDTH = 640;
const HEIGHT = 420;
const LEFT = 56;
const TOP = 40;
const RIGHT = 170;
const BOTTOM = 48;
/** Distinguishable without colour vision (after Okabe and Ito). */
const COLOURS = [
  '#888888',
  '#E69F00',
  '#009E73',
  '#56B4E9',
  '#0072B2',
  '#D55E00',
  '#CC79A7',
  '#B8A000',
];

/** The gap recovered (upwards, to 110 %) over the share of prompts sent to the strong model (rightwards). */
export function recoveryPlot(title: string, curves: readonly PlottedCurve[]): string {
  const x = (share: number) => LEFT + share * (WIDTH - LEFT - RIGHT);
  const lowest = Math.min(0, ...curves.flatMap(({ points }) => points.map((p) => p.recovered)));
  const highest = Math.max(1.1, ...curves.flatMap(({ points }) => points.map((p) => p.recovered)));
  const y = (value: number) =>
    TOP + ((highest - value) / (highest - lowest)) * (HEIGHT - TOP - BOTTOM);
  const ticks = [0, 0.25, 0.5, 0.75, 1];
  const grid = ticks.map(
    (tick) =>
      `<line x1="${x(0)}" x2="${x(1)}" y1="${fixed(y(tick))}" y2="${fixed(y(tick))}" class="grid"/>` +
      `<text x="${LEFT - 8}" y="${fixed(y(tick) + 4)}" text-anchor="end">${tick * 100} %</text>` +
      `<text x="${fixed(x(tick))}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${tick * 100} %</text>`,
  );
  const lines = curves.map(({ name, points }, at) => {
    const colour = COLOURS[at % COLOURS.length];
    const path = points.map((p) => `${fixed(x(p.share))},${fixed(y(p.recovered))}`).join(' ');
    const labelY = TOP + 14 + at * 20;
    return (
      `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>` +
      `<line x1="${x(1) + 12}" x2="${x(1) + 32}" y1="${labelY - 4}" y2="${labelY - 4}" stroke="${colour}" stroke-width="3"/>` +
      `<text x="${x(1) + 38}" y="${labelY}">${escaped(name)}</text>`
    );
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escaped(title)}">`,
    '<style>text{font:12px sans-serif;fill:#555}.grid{stroke:#999;stroke-opacity:.35}@media(prefers-color-scheme:dark){text{fill:#bbb}}</style>',
    `<text x="${LEFT}" y="22" font-weight="bold">${escaped(title)}</text>`,
    ...grid,
    `<line x1="${fixed(x(0))}" y1="${fixed(y(0))}" x2="${fixed(x(1))}" y2="${fixed(y(1))}" stroke="#888" stroke-dasharray="4 4"/>`,
    ...lines,
    `<text x="${fixed(x(0.5))}" y="${HEIGHT - 10}" text-anchor="middle">prompts sent to the strong model</text>`,
    '</svg>',
    '',
  ].join('\n');
}

function fixed(value: number): string {
  return value.toFixed(1);
}

function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
