/** Logistic regression for a handful of features, by Newton's method with a pull towards zero for each weight. */

export interface LogisticRow {
  readonly values: readonly number[];
  /** Logits that are given and not fitted. */
  readonly offset: number;
  readonly positive: boolean;
}

/** @param pulls per value, what its squared weight costs; 0 leaves the weight free */
export function fitLogistic(rows: readonly LogisticRow[], pulls: readonly number[]): number[] {
  let weights = pulls.map(() => 0);
  for (let round = 0; round < 25; round += 1) {
    const gradient = pulls.map((pull, at) => pull * (weights[at] ?? 0));
    const curvature = pulls.map((pull, at) => pulls.map((_, other) => (at === other ? pull : 0)));
    for (const row of rows) {
      const chance = chanceOf(row, weights);
      const error = chance - (row.positive ? 1 : 0);
      row.values.forEach((value, at) => {
        gradient[at] = (gradient[at] ?? 0) + error * value;
        const line = curvature[at] ?? [];
        row.values.forEach((otherValue, other) => {
          line[other] = (line[other] ?? 0) + chance * (1 - chance) * value * otherValue;
        });
      });
    }
    const step = solve(curvature, gradient);
    weights = weights.map((weight, at) => weight - (step[at] ?? 0));
    if (Math.max(...step.map(Math.abs)) < 1e-9) break;
  }
  return weights;
}

export function chanceOf(row: LogisticRow, weights: readonly number[]): number {
  const logit = row.values.reduce((sum, value, at) => sum + value * (weights[at] ?? 0), row.offset);
  return 1 / (1 + Math.exp(-logit));
}

/** Gaussian elimination; the matrix is symmetric and, thanks to the pulls, regular. */
function solve(matrix: readonly (readonly number[])[], right: readonly number[]): number[] {
  const rows = matrix.map((row, at) => [...row, right[at] ?? 0]);
  const size = rows.length;
  for (let pivot = 0; pivot < size; pivot += 1) {
    const pivotRow = rows[pivot] ?? [];
    const lead = (pivotRow[pivot] ?? 0) + 1e-12;
    for (let at = pivot; at <= size; at += 1) pivotRow[at] = (pivotRow[at] ?? 0) / lead;
    for (let other = 0; other < size; other += 1) {
      const row = rows[other] ?? [];
      const factor = row[pivot] ?? 0;
      if (other === pivot || factor === 0) continue;
      for (let at = pivot; at <= size; at += 1) {
        row[at] = (row[at] ?? 0) - factor * (pivotRow[at] ?? 0);
      }
    }
  }
  return rows.map((row) => row[size] ?? 0);
}
