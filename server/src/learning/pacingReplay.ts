/**
 * Replays months of prompts under a budget, paced and unpaced, with the program's own rule of pacing:
 *   node server/src/learning/pacingReplay.ts [--svg docs/pacing.svg]
 * Prompts differ in what escalating them is worth; the budget pays for a part of them. Figures are of made-up demand, by seed.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { pacedShare, pressureOf } from '../core/pacing.ts';
import { nanoUsd, ZERO_USD } from '../core/price.ts';
import { mean } from './metrics.ts';
import { createSeededRandom } from './seededRandom.ts';

export interface ReplayedMonth {
  readonly name: string;
  /** What escalating as one likes would cost, as a multiple of the budget. */
  readonly demand: number;
  /** In order of time: when, as a share of the month; what escalating is worth; what it costs, as a share of the budget. */
  readonly prompts: readonly {
    readonly at: number;
    readonly worth: number;
    readonly cost: number;
  }[];
}

export interface Replay {
  readonly spentShare: number;
  /** Sum of what the escalated prompts were worth. */
  readonly gained: number;
  /** Days of the month on which no prompt could be paid any more, although there was one worth it. */
  readonly dryDays: number;
  /** Spent share at the end of each day. */
  readonly curve: readonly number[];
}

const DAYS = 30;
const MONTH = '2026-11';
const BEGIN_MS = Date.UTC(2026, 10, 1);
const DAY_MS = 86_400_000;
/** Nano-dollars; 20 USD. */
const BUDGET = 20_000_000_000;
const USUAL_SHARE = 0.5;

/** Months whose demand the budget covers, and months that want half as much again and three times as much. */
export function replayMonths(seed: number): ReplayedMonth[] {
  return [
    drawMonth('demand 0.9 of the budget', 0.9, () => 1, seed),
    drawMonth('demand 1.5 of the budget', 1.5, () => 1, seed + 100),
    drawMonth('demand 3 times the budget', 3, () => 1, seed + 200),
    // Work that is due at the beginning of the month.
    drawMonth('busy first week, 2 times the budget', 2, (day) => (day < 7 ? 3 : 1), seed + 300),
  ];
}

export function replayMonth(month: ReplayedMonth): {
  readonly paced: Replay;
  readonly unpaced: Replay;
} {
  return { paced: replay(month, 0.8), unpaced: replay(month, 1) };
}

function drawMonth(
  name: string,
  demand: number,
  weightOf: (day: number) => number,
  seed: number,
): ReplayedMonth {
  const random = createSeededRandom(seed);
  const drawn: { at: number; worth: number; size: number }[] = [];
  for (let day = 0; day < DAYS; day += 1) {
    // Nobody works as much on a weekend; November 2026 begins on a Sunday.
    const weekend = day % 7 === 0 || day % 7 === 6;
    const prompts = Math.round(40 * weightOf(day) * (weekend ? 0.2 : 1) * (0.5 + random.next()));
    const times = Array.from({ length: prompts }, () => (8 + 10 * random.next()) / 24).sort();
    for (const time of times) {
      // Sizes of prompts differ by a factor of ten and more.
      const size = Math.exp(1.2 * (random.next() + random.next() + random.next() - 1.5));
      drawn.push({ at: (day + time) / DAYS, worth: random.next(), size });
    }
  }
  const wanted = drawn.filter(({ worth }) => worth > 1 - USUAL_SHARE);
  const unit = demand / wanted.reduce((sum, { size }) => sum + size, 0);
  return {
    name,
    demand,
    prompts: drawn.map(({ at, worth, size }) => ({ at, worth, cost: size * unit })),
  };
}

/** @param from where the rule of pacing begins; 1 is no pacing, which is spending until the money is gone */
function replay(month: ReplayedMonth, from: number): Replay {
  let spent = 0;
  let gained = 0;
  const curve: number[] = [];
  const starved = new Set<number>();
  const paid = new Set<number>();
  for (const { at, worth, cost } of month.prompts) {
    const day = Math.floor(at * DAYS);
    while (curve.length < day) curve.push(spent);
    const state = {
      month: MONTH,
      limitNanoUsd: nanoUsd(BUDGET),
      spentNanoUsd: nanoUsd(Math.round(spent * BUDGET)),
      heldNanoUsd: ZERO_USD,
    };
    const pressure = pressureOf(state, BEGIN_MS + at * DAYS * DAY_MS, from);
    if (worth <= 1 - pacedShare(USUAL_SHARE, pressure)) continue;
    if (spent + cost > 1) {
      starved.add(day);
      continue;
    }
    spent += cost;
    gained += worth;
    paid.add(day);
  }
  while (curve.length < DAYS) curve.push(spent);
  const dryDays = [...starved].filter((day) => !paid.has(day)).length;
  return { spentShare: spent, gained, dryDays, curve };
}

const WIDTH = 640;
const HEIGHT = 360;
const EDGE = 48;

function svgOf(month: ReplayedMonth): string {
  const { paced, unpaced } = replayMonth(month);
  const x = (day: number) => EDGE + (day / DAYS) * (WIDTH - 2 * EDGE);
  const y = (share: number) => HEIGHT - EDGE - share * (HEIGHT - 2 * EDGE);
  const line = (curve: readonly number[], style: string) =>
    `<polyline fill="none" ${style} points="${[0, ...curve].map((share, day) => `${x(day).toFixed(1)},${y(share).toFixed(1)}`).join(' ')}"/>`;
  const text = (at: number, down: number, words: string, more = '') =>
    `<text x="${at}" y="${down}" ${more}>${words}</text>`;
  const rule = (share: number) =>
    `<line x1="${EDGE}" x2="${WIDTH - EDGE}" y1="${y(share)}" y2="${y(share)}" stroke="#ccc"/>${text(EDGE - 6, y(share) + 4, `${share * 100} %`, 'text-anchor="end"')}`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12" fill="#333">
<title>Share of the budget spent by day: ${month.name}</title>
<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>
${[0, 0.25, 0.5, 0.75, 1].map(rule).join('\n')}
${[1, 8, 15, 22, 30].map((day) => text(x(day), HEIGHT - EDGE + 18, `day ${day}`, 'text-anchor="middle"')).join('\n')}
${line(unpaced.curve, 'stroke="#c2410c" stroke-width="2" stroke-dasharray="6 4"')}
${line(paced.curve, 'stroke="#1d4ed8" stroke-width="2.5"')}
${text(EDGE, 24, `Share of the budget spent, ${month.name}`, 'font-weight="bold"')}
${text(WIDTH - EDGE - 190, HEIGHT - EDGE - 52, `paced: worth ${paced.gained.toFixed(0)}, dry days ${paced.dryDays}`, 'fill="#1d4ed8"')}
${text(WIDTH - EDGE - 190, HEIGHT - EDGE - 34, `until it is gone: worth ${unpaced.gained.toFixed(0)}, dry days ${unpaced.dryDays}`, 'fill="#c2410c"')}
</svg>
`;
}

function main(): void {
  const { values } = parseArgs({ options: { svg: { type: 'string' } } });
  const seeds = [1, 2, 3, 4, 5];
  const months = seeds.map(replayMonths);
  console.log(
    'month | paced: spent, dry days | until it is gone: spent, dry days | worth, paced against not',
  );
  for (const [at, { name }] of (months[0] ?? []).entries()) {
    const replays = months.flatMap((of) => {
      const month = of[at];
      return month === undefined ? [] : [replayMonth(month)];
    });
    const of = (pick: (one: (typeof replays)[number]) => number) => mean(replays.map(pick));
    console.log(
      `${name} | ${(100 * of(({ paced }) => paced.spentShare)).toFixed(0)} %, ${of(({ paced }) => paced.dryDays).toFixed(1)} | ${(100 * of(({ unpaced }) => unpaced.spentShare)).toFixed(0)} %, ${of(({ unpaced }) => unpaced.dryDays).toFixed(1)} | ${of(({ paced, unpaced }) => paced.gained / unpaced.gained).toFixed(2)}`,
    );
  }
  const shown = months[0]?.[1];
  if (values.svg !== undefined && shown !== undefined) writeFileSync(values.svg, svgOf(shown));
}

if (import.meta.main) main();
