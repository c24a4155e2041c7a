/**
 * How ability grows with size, for models without outcomes: logit(ability) = task + slope x log10(size). The models at
 * hand differ more by age and training than by size, and two are no chat models at all, so medians and a prior decide.
 */

export interface SizeRow {
  readonly billions: number;
  /** Logit of ability per task. */
  readonly logits: readonly number[];
}

export interface SizeLine {
  /** Logits per factor of ten. */
  readonly slope: number;
  /** What the rows alone would say, and how unsure that is. */
  readonly slopeOfRows: number;
  readonly slopeError: number;
  /** Per task, at the reference size. */
  readonly intercepts: readonly number[];
}

export const REFERENCE_BILLIONS = 10;

/**
 * A judgement: within one family of models, tenfold the size has been worth about one logit on published benchmarks
 * of knowledge and code. The rows move it as far as they are sure of themselves.
 */
const PRIOR_SLOPE = { mean: 1, deviation: 0.3 };
/** Models whose level is further than this many median deviations from the rest say nothing of size. */
const OUTLIER_DEVIATIONS = 3;

export function fitSizeLine(rows: readonly SizeRow[]): SizeLine {
  const { tasks, models } = medianPolish(rows.map((row) => row.logits));
  const middle = median(models);
  const spread = 1.4826 * median(models.map((level) => Math.abs(level - middle)));
  const points = rows.flatMap((row, at) => {
    const level = models[at] ?? 0;
    if (Math.abs(level - middle) > OUTLIER_DEVIATIONS * spread) return [];
    return [{ x: Math.log10(row.billions / REFERENCE_BILLIONS), y: level }];
  });
  const x = mean(points.map((point) => point.x));
  const y = mean(points.map((point) => point.y));
  const variance = sum(points.map((point) => (point.x - x) ** 2));
  const slopeOfRows = sum(points.map((point) => (point.x - x) * (point.y - y))) / variance;
  const residual = sum(points.map((point) => (point.y - y - slopeOfRows * (point.x - x)) ** 2));
  const slopeError = Math.sqrt(residual / Math.max(1, points.length - 2) / variance);
  const [trust, priorTrust] = [1 / slopeError ** 2, 1 / PRIOR_SLOPE.deviation ** 2];
  const slope = (slopeOfRows * trust + PRIOR_SLOPE.mean * priorTrust) / (trust + priorTrust);
  const level = median(points.map((point) => point.y - slope * point.x));
  return { slope, slopeOfRows, slopeError, intercepts: tasks.map((task) => task + level) };
}

/** Splits a table of model by task into a level per task and one per model, by medians. */
function medianPolish(table: readonly (readonly number[])[]): {
  tasks: number[];
  models: number[];
} {
  let tasks = (table[0] ?? []).map(() => 0);
  let models = table.map(() => 0);
  for (let round = 0; round < 20; round += 1) {
    tasks = tasks.map((_, task) =>
      median(table.map((row, model) => (row[task] ?? 0) - (models[model] ?? 0))),
    );
    models = table.map((row) => median(row.map((value, task) => value - (tasks[task] ?? 0))));
  }
  return { tasks, models };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  const upper = sorted[half] ?? 0;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[half - 1] ?? 0)) / 2;
}

function mean(values: readonly number[]): number {
  return sum(values) / values.length;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
