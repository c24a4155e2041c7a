/** What the bench of modes says: cost, quality and time of each mode, and of routing against the cloud model alone. */
import { type ShareInterval, shareInterval } from '../core/shareInterval.ts';
import { quantile } from './metrics.ts';

export interface ModeAnswer {
  /** `undefined` where nothing can check it. */
  readonly right: boolean | undefined;
  readonly costNanoUsd: number;
  readonly latencyMs: number;
  readonly served: 'local' | 'cloud' | 'cache';
}

export const modes = ['cheap', 'cloud', 'routed'] as const;
export type Mode = (typeof modes)[number];

/** One prompt, answered in every mode. */
export type ModeRow = Readonly<Record<Mode, ModeAnswer>>;

export interface ModeFigures {
  readonly costNanoUsd: number;
  /** Over the prompts whose answer can be checked in every mode. */
  readonly quality: ShareInterval | undefined;
  readonly localShare: number;
  readonly medianMs: number;
  /** Share of answers that were whole within the target; `undefined` without one. */
  readonly inTimeShare: number | undefined;
}

export interface BenchFigures {
  readonly prompts: number;
  readonly checked: number;
  readonly modes: Readonly<Record<Mode, ModeFigures>>;
  /** Of routed against the cloud alone; `undefined` where the cloud cost nothing. May be negative. */
  readonly costReduction: number | undefined;
  /** Right answers routed, over those of the cloud alone; `undefined` where nothing could be checked. May pass 1. */
  readonly qualityKept: number | undefined;
}

/** Throws without rows. */
export function benchFigures(
  rows: readonly ModeRow[],
  latencyMs: number | undefined,
): BenchFigures {
  if (rows.length === 0) throw new RangeError('expected at least one prompt, got none');
  const checked = rows.filter((row) => modes.every((mode) => row[mode].right !== undefined));
  const right = (mode: Mode) => checked.filter((row) => row[mode].right === true).length;
  const cost = (mode: Mode) => rows.reduce((sum, row) => sum + row[mode].costNanoUsd, 0);
  const share = (holds: (row: ModeRow) => boolean) => rows.filter(holds).length / rows.length;
  const figures = (mode: Mode): ModeFigures => ({
    costNanoUsd: cost(mode),
    quality: shareInterval(right(mode), checked.length),
    localShare: share((row) => row[mode].served === 'local'),
    medianMs: quantile(
      rows.map((row) => row[mode].latencyMs),
      0.5,
    ),
    inTimeShare:
      latencyMs === undefined ? undefined : share((row) => row[mode].latencyMs <= latencyMs),
  });
  return {
    prompts: rows.length,
    checked: checked.length,
    modes: { cheap: figures('cheap'), cloud: figures('cloud'), routed: figures('routed') },
    costReduction: cost('cloud') === 0 ? undefined : 1 - cost('routed') / cost('cloud'),
    qualityKept: right('cloud') === 0 ? undefined : right('routed') / right('cloud'),
  };
}
