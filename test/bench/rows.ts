/**
 * What `npm run bench` measures, as data: each section declares its rows with what is to be reached, and tells what it
 * found. A row that was not told, because something before it failed or its peer could not be had, says why.
 */

/** `most` and `least` are of the row's own unit. */
export type Goal = { readonly most: number } | { readonly least: number } | undefined;

export interface RowSpec {
  readonly name: string;
  /** `µs`, `ms`, `MB`, or `times` for a ratio to the peer: only those can be compared between machines. */
  readonly unit: string;
  readonly goal: Goal;
}

export type Measured =
  | {
      readonly value: number;
      /** The peer and its figure; `null` where a row is held against its goal alone. */
      readonly against: string | null;
      /** Medians, spread, how many rounds. */
      readonly note?: string;
    }
  | { readonly value: null; readonly why: string };

export interface Bench {
  /** Few rounds: for trying the program out, not for figures. */
  readonly quick: boolean;
  /** For whoever waits. */
  readonly say: (line: string) => void;
}

export interface Section {
  readonly name: string;
  readonly title: string;
  /** After which it is ended and its untold rows are failed. */
  readonly limitS: number;
  readonly rows: Readonly<Record<string, RowSpec>>;
  /** Fetches what it compares with, once; not counted as time of the run. */
  readonly prepare?: () => void | Promise<void>;
  readonly run: (bench: Bench, tell: (row: string, measured: Measured) => void) => Promise<void>;
}

/** Checks that a section tells only rows that it has declared. */
export function section<Id extends string>(given: {
  readonly name: string;
  readonly title: string;
  readonly limitS: number;
  readonly rows: Readonly<Record<Id, RowSpec>>;
  readonly prepare?: () => void | Promise<void>;
  readonly run: (bench: Bench, tell: (row: Id, measured: Measured) => void) => Promise<void>;
}): Section {
  return { ...given, run: (bench, tell) => given.run(bench, tell) };
}

/** One row as `--json` prints it. */
export interface Row {
  readonly name: string;
  readonly value: number | null;
  readonly unit: string;
  readonly against: string | null;
  readonly goal: string | null;
  readonly reached: boolean | null;
}

export interface ToldRow {
  readonly row: Row;
  /** Spread and counts, or why there is no figure. */
  readonly note: string;
}

export function rowOf(spec: RowSpec, measured: Measured): ToldRow {
  const { name, unit, goal } = spec;
  const shared = { name, unit, goal: goalText(goal) };
  if (measured.value === null || Number.isNaN(measured.value)) {
    const why = measured.value === null ? measured.why : 'no number came of it';
    return { row: { ...shared, value: null, against: null, reached: null }, note: why };
  }
  const value = Number(measured.value.toPrecision(4));
  const reached = isReached(goal, value);
  return {
    row: { ...shared, value, against: measured.against, reached },
    note: measured.note ?? '',
  };
}

function isReached(goal: Goal, value: number): boolean | null {
  if (goal === undefined) return null;
  return 'most' in goal ? value <= goal.most : value >= goal.least;
}

function goalText(goal: Goal): string | null {
  if (goal === undefined) return null;
  return 'most' in goal ? `<= ${goal.most}` : `>= ${goal.least}`;
}

/** Order of the columns, which the reader of the JSON may rely on. */
export function jsonOf(told: readonly ToldRow[]): string {
  const rows = told.map(({ row: { name, value, unit, against, goal, reached } }) => ({
    name,
    value,
    unit,
    against,
    goal,
    reached,
  }));
  return JSON.stringify({ rows }, undefined, 2);
}
