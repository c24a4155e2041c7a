/**
 * How a run went: `curve.jsonl` with a line a step and a line a validation, and `curve.svg` drawn from it. Losses are means in
 * nats per token.
 */
import { appendFile, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { writeWhole } from './wholeFile.ts';

const pointSchema = z.union([
  z.object({
    step: z.number(),
    loss: z.number(),
    lr: z.number(),
    grad_norm: z.number(),
    tokens_per_s: z.number(),
  }),
  z.object({ step: z.number(), val_loss: z.number() }),
]);

export type CurvePoint = z.infer<typeof pointSchema>;

export interface LossCurve {
  add(point: CurvePoint): Promise<void>;
  draw(): Promise<void>;
}

/** Goes on with the curve in `saveDir` up to `step`; what was recorded after that belongs to a run that is gone. */
export async function openLossCurve(saveDir: string, step: number): Promise<LossCurve> {
  const path = join(saveDir, 'curve.jsonl');
  await mkdir(saveDir, { recursive: true });
  const points = step === 0 ? [] : (await readCurve(path)).filter((point) => point.step <= step);
  await writeWhole(path, points.map((point) => `${JSON.stringify(point)}\n`).join(''));
  return {
    async add(point) {
      points.push(point);
      await appendFile(path, `${JSON.stringify(point)}\n`);
    },
    async draw() {
      await writeWhole(join(saveDir, 'curve.svg'), curveSvg(points));
    },
  };
}

/** The points of a curve file; a last line that was cut is left out. */
async function readCurve(path: string): Promise<CurvePoint[]> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text.split('\n').flatMap((line) => {
    try {
      return [pointSchema.parse(JSON.parse(line))];
    } catch {
      return [];
    }
  });
}

const WIDTH = 720;
const HEIGHT = 400;
const MARGIN = { top: 32, right: 24, bottom: 44, left: 56 };
/** More would not be seen. */
const MOST_POINTS = 600;

export function curveSvg(points: readonly CurvePoint[]): string {
  const train = points.flatMap((point) =>
    'loss' in point ? [[point.step, point.loss] as const] : [],
  );
  const validation = points.flatMap((point) =>
    'val_loss' in point ? [[point.step, point.val_loss] as const] : [],
  );
  const losses = [...train, ...validation].map(([, loss]) => loss);
  const lastStep = Math.max(1, ...points.map(({ step }) => step));
  const [low, high] = losses.length === 0 ? [0, 1] : [Math.min(...losses), Math.max(...losses)];
  const yTicks = ticks(low, Math.max(high, low + 0.1));
  const xTicks = ticks(0, lastStep).filter((tick) => tick <= lastStep && Number.isInteger(tick));
  const bottom = Math.min(low, yTicks[0] ?? low);
  const top = Math.max(high, low + 0.1, yTicks.at(-1) ?? high);
  const x = (step: number) =>
    MARGIN.left + (step / lastStep) * (WIDTH - MARGIN.left - MARGIN.right);
  const y = (loss: number) =>
    HEIGHT -
    MARGIN.bottom -
    ((loss - bottom) / (top - bottom)) * (HEIGHT - MARGIN.top - MARGIN.bottom);
  const line = (values: readonly (readonly [number, number])[], colour: string, width: number) =>
    `<polyline fill="none" stroke="${colour}" stroke-width="${width}" points="${thinned(values)
      .map(([step, loss]) => `${x(step).toFixed(1)},${y(loss).toFixed(1)}`)
      .join(' ')}"/>`;
  const last = validation.at(-1)?.[1];
  const title = `Training loss of ${train.length} steps${last === undefined ? '' : `; validation ended at ${last.toFixed(3)}`}`;
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" font-family="sans-serif" font-size="12">`,
    `<title>${title}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    ...yTicks.map(
      (tick) =>
        `<line x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${y(tick).toFixed(1)}" y2="${y(tick).toFixed(1)}" stroke="#dddddd"/><text x="${MARGIN.left - 8}" y="${(y(tick) + 4).toFixed(1)}" text-anchor="end" fill="#444444">${short(tick)}</text>`,
    ),
    ...xTicks.map(
      (tick) =>
        `<text x="${x(tick).toFixed(1)}" y="${HEIGHT - MARGIN.bottom + 18}" text-anchor="middle" fill="#444444">${tick}</text>`,
    ),
    `<text x="${WIDTH / 2}" y="${HEIGHT - 8}" text-anchor="middle" fill="#444444">optimizer steps</text>`,
    `<text x="${MARGIN.left}" y="18" fill="#444444">loss in nats per token: <tspan fill="#2166ac">training</tspan>, <tspan fill="#b2182b">validation</tspan></text>`,
    line(train, '#2166ac', 1.2),
    line(validation, '#b2182b', 2),
    '</svg>',
  ].join('\n')}\n`;
}

/** Means of equal runs of points. */
function thinned(
  values: readonly (readonly [number, number])[],
): readonly (readonly [number, number])[] {
  const run = Math.ceil(values.length / MOST_POINTS);
  if (run <= 1) return values;
  return Array.from({ length: Math.ceil(values.length / run) }, (_, at) => {
    const some = values.slice(at * run, (at + 1) * run);
    const mean = (part: 0 | 1) => some.reduce((sum, value) => sum + value[part], 0) / some.length;
    return [mean(0), mean(1)] as const;
  });
}

/** Round numbers that enclose a range, about five of them. */
function ticks(low: number, high: number): readonly number[] {
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough) ?? rough;
  const first = Math.floor(low / step);
  const count = Math.ceil(high / step) - first + 1;
  return Array.from({ length: count }, (_, at) => Number(((first + at) * step).toPrecision(12)));
}

function short(value: number): string {
  return String(Number(value.toFixed(3)));
}
