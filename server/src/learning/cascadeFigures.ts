/** From prompts that went through the cascade to its figures. What is not known stays unknown, within the bounds that are. */
import { type ShareInterval, shareInterval } from '../core/shareInterval.ts';
import type { NanoUsd } from '../core/types.ts';
import { areaUnderRoc, calibrationError } from './metrics.ts';

/** Who answers: the local model, the cloud by the score, or the cloud after the gate refused the local answer. */
export type CascadeEnd = 'local' | 'at once' | 'deferred';

export interface CascadeRow {
  readonly kind: string;
  /** Whether the local answer is right. */
  readonly local: boolean;
  /** By the gate, of the local answer. */
  readonly confidence: number;
  readonly end: CascadeEnd;
  /** Absent where the cloud's answer is not known. */
  readonly cloud?: { readonly quality: number; readonly costNanoUsd?: NanoUsd };
}

export interface CascadeFigures {
  readonly prompts: number;
  readonly cheapOnly: ShareInterval;
  /** `undefined` where the cloud's answer to a prompt that it should have got is not known. */
  readonly cascade: ShareInterval | undefined;
  /** What the cascade's accuracy is at least and at most, whatever the unknown answers are. */
  readonly cascadeBounds: { readonly low: number; readonly high: number };
  /** Over the prompts that it is known for. */
  readonly strong: ShareInterval | undefined;
  readonly strongKnown: number;
  /** What sending as many prompts at random would reach; `undefined` where the strong model's is. */
  readonly byLuck: number | undefined;
  readonly atOnceShare: number;
  readonly deferredShare: number;
  readonly gateAuroc: number | undefined;
  readonly gateCalibrationError: number;
  /** `undefined` where a cost is not known. */
  readonly cascadeNanoUsd: number | undefined;
  readonly strongNanoUsd: number | undefined;
  readonly kinds: readonly KindFigures[];
}

export interface KindFigures {
  readonly kind: string;
  readonly prompts: number;
  readonly localRight: number;
  readonly sent: number;
}

/** Throws without rows. */
export function cascadeFigures(rows: readonly CascadeRow[]): CascadeFigures {
  const count = rows.length;
  const right = rows.filter(({ local }) => local).length;
  const cheapOnly = shareInterval(right, count);
  if (cheapOnly === undefined) throw new RangeError('expected at least one prompt, got none');
  const sent = rows.filter(({ end }) => end !== 'local');
  const known = rows.flatMap(({ cloud }) => cloud ?? []);
  const unknown = sent.filter(({ cloud }) => cloud === undefined).length;
  const least = sum(
    rows.map(({ end, local, cloud }) => (end === 'local' ? Number(local) : (cloud?.quality ?? 0))),
  );
  const strong = shareInterval(sum(known.map(({ quality }) => quality)), known.length);
  const sentShare = sent.length / count;
  return {
    prompts: count,
    cheapOnly,
    cascade: unknown === 0 ? shareInterval(least, count) : undefined,
    cascadeBounds: { low: least / count, high: (least + unknown) / count },
    strong,
    strongKnown: known.length,
    byLuck: strong && (1 - sentShare) * cheapOnly.share + sentShare * strong.share,
    atOnceShare: rows.filter(({ end }) => end === 'at once').length / count,
    deferredShare: rows.filter(({ end }) => end === 'deferred').length / count,
    gateAuroc: areaUnderRoc(
      rows.map(({ confidence, local }) => ({ score: confidence, positive: local })),
    ),
    gateCalibrationError: calibrationError(
      rows.map(({ confidence, local }) => ({ estimate: confidence, happened: Number(local) })),
    ),
    cascadeNanoUsd: costOf(sent),
    strongNanoUsd: costOf(rows),
    kinds: [...Map.groupBy(rows, ({ kind }) => kind)].map(([kind, of]) => ({
      kind,
      prompts: of.length,
      localRight: of.filter(({ local }) => local).length,
      sent: of.filter(({ end }) => end !== 'local').length,
    })),
  };
}

function costOf(rows: readonly CascadeRow[]): number | undefined {
  const costs = rows.map(({ cloud }) => cloud?.costNanoUsd);
  return costs.every((cost) => cost !== undefined) ? sum(costs) : undefined;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
