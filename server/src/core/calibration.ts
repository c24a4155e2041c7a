/**
 * What a calibration of one local model found: its gate, its outcomes by task and the share of prompts that escalate. It is
 * bound to the file's sha256, because neither thresholds nor abilities transfer to another model or quantisation.
 */
import { z } from 'zod';
import { type FittedConfidence, gateSchema } from './confidence.ts';

const share = z.number().min(0).max(1);

/** What the cascade does on the calibration's prompts. Shares in [0,1]; `null` where nothing can tell. */
const figuresSchema = z.strictObject({
  /** Prompts that end in the cloud, by route or by deferral. */
  escalated: share,
  /** Estimated quality of the answers given. */
  quality: share,
  /** That quality over the escalation model's. */
  kept: z.number().nonnegative(),
  gateAuroc: share.nullable(),
  gateCalibrationError: share.nullable(),
  scoreAuroc: share.nullable(),
  /** Of score and gate together. */
  bothAuroc: share.nullable(),
});

export const calibrationSchema = z.strictObject({
  schema: z.literal(1),
  /** The file's sha256. */
  identity: z.string().min(1),
  modelId: z.string(),
  atMs: z.number(),
  /** Hash of the questions. */
  questions: z.string(),
  escalationId: z.string().nullable(),
  /** `measured`: the cloud model answered the questions too; `estimated`: its quality is what the score expects. */
  cloud: z.enum(['measured', 'estimated']),
  target: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('kept'), value: share }),
    z.strictObject({ kind: z.literal('escalated'), value: share }),
  ]),
  gate: gateSchema,
  escalateShare: share,
  /** Outcomes by task, as the score names tasks. */
  outcomes: z.record(
    z.string(),
    z.strictObject({ good: z.number().nonnegative(), bad: z.number().nonnegative() }),
  ),
  /** By kind of question: how many, how many right, and the median of what one took. */
  kinds: z.record(
    z.string(),
    z.strictObject({ answers: z.int(), right: z.int(), medianMs: z.number().nullable() }),
  ),
  tokensPerSecond: z.number().nullable(),
  before: figuresSchema,
  after: figuresSchema,
});

export type Calibration = z.infer<typeof calibrationSchema>;
export type CalibrationTarget = Calibration['target'];
export type CascadeFigures = z.infer<typeof figuresSchema>;

/** How many outcomes of a task were good and bad; fractions where an outcome says little. */
export interface OutcomeCount {
  readonly good: number;
  readonly bad: number;
}

export type OutcomeCounts = Readonly<Record<string, OutcomeCount>>;

/** The shipped gates with the calibrated ones over them. */
export function withCalibratedGates(
  shipped: FittedConfidence,
  calibrations: Iterable<Calibration>,
): FittedConfidence {
  const models = new Map(shipped.models);
  for (const { identity, gate } of calibrations) models.set(identity, gate);
  return { ...shipped, models };
}
