/** Fits the curve from logits to observed chances: Platt's two numbers or an isotonic staircase, whichever foretells better. */
import { type CalibrationCurve, onCurve } from '../core/calibrationCurve.ts';
import { fitLogistic } from './logistic.ts';
import { mean } from './metrics.ts';
import { rounded } from './quantise.ts';

export interface CurveRow {
  readonly logit: number;
  readonly good: boolean;
}

/** Fewer answers than this can't tell a curve from noise. */
const FEWEST = 40;
/** A staircase has as many parameters as steps; it needs more answers than two numbers do. */
const FEWEST_FOR_STAIRS = 150;
const FOLDS = 5;

/** `undefined` where no curve foretells better than the logits as they are. */
export function fitCurve(rows: readonly CurveRow[]): CalibrationCurve | undefined {
  if (rows.length < FEWEST) return undefined;
  const fits = [platt, ...(rows.length < FEWEST_FOR_STAIRS ? [] : [isotonic])];
  const plain = lossOf(rows, () => ({ kind: 'platt', scale: 1, shift: 0 }));
  const judged = fits.map((fit) => ({ fit, loss: lossOf(rows, fit) }));
  const [best] = judged.toSorted((a, b) => a.loss - b.loss);
  return best === undefined || best.loss >= plain ? undefined : best.fit(rows);
}

/** Platt's scaling, with a light pull so that few answers can't make a cliff of it. */
export function platt(rows: readonly CurveRow[]): CalibrationCurve {
  const [shift = 0, scale = 1] = fitLogistic(
    rows.map(({ logit, good }) => ({ values: [1, logit], offset: 0, positive: good })),
    [0.1, 0.1],
  );
  return { kind: 'platt', scale: rounded(Math.max(0.05, scale), 3), shift: rounded(shift, 3) };
}

interface Pool {
  readonly fromLogit: number;
  readonly toLogit: number;
  readonly good: number;
  readonly count: number;
}

/** Pool adjacent violators; each pool keeps one answer's weight of doubt, so that no chance is 0 or 1. */
export function isotonic(rows: readonly CurveRow[]): CalibrationCurve {
  const pools: Pool[] = [];
  for (const { logit, good } of rows.toSorted((a, b) => a.logit - b.logit)) {
    let pool: Pool = { fromLogit: logit, toLogit: logit, good: good ? 1 : 0, count: 1 };
    for (let last = pools.at(-1); last && rateOf(last) >= rateOf(pool); last = pools.at(-1)) {
      pools.pop();
      pool = {
        fromLogit: last.fromLogit,
        toLogit: pool.toLogit,
        good: last.good + pool.good,
        count: last.count + pool.count,
      };
    }
    pools.push(pool);
  }
  const points = pools.map((pool): [number, number] => [
    rounded((pool.fromLogit + pool.toLogit) / 2, 3),
    rounded((pool.good + 0.5) / (pool.count + 1), 3),
  ]);
  // Doubt can turn the order of two small neighbouring pools.
  points.forEach((point, at) => {
    point[1] = Math.max(point[1], points[at - 1]?.[1] ?? 0);
  });
  const [first = [0, 0.5]] = points;
  return {
    kind: 'isotonic',
    points: points.length > 1 ? points : [first, [first[0] + 1, first[1]]],
  };
}

function rateOf({ good, count }: Pool): number {
  return good / count;
}

/** Mean -ln of the chance given to what happened, each row judged by a curve that had not seen it. */
function lossOf(
  rows: readonly CurveRow[],
  fit: (rows: readonly CurveRow[]) => CalibrationCurve,
): number {
  return mean(
    heldOutChances(rows, fit).map(
      (chance, at) => -Math.log(Math.max(1e-3, rows[at]?.good ? chance : 1 - chance)),
    ),
  );
}

/** Rows are in an order that says nothing, so every fifth makes a fold. */
function heldOutChances(
  rows: readonly CurveRow[],
  fitter: (rows: readonly CurveRow[]) => CalibrationCurve,
): number[] {
  const curves = Array.from({ length: FOLDS }, (_, fold) =>
    fitter(rows.filter((_row, at) => at % FOLDS !== fold)),
  );
  return rows.map(({ logit }, at) => {
    const curve = curves[at % FOLDS];
    return curve === undefined ? 0.5 : onCurve(curve, logit);
  });
}

/** The same with the curve that would be chosen from the other rows. */
export function calibratedChances(rows: readonly CurveRow[]): number[] {
  const asItIs: CalibrationCurve = { kind: 'platt', scale: 1, shift: 0 };
  return heldOutChances(rows, (others) => fitCurve(others) ?? asItIs);
}
