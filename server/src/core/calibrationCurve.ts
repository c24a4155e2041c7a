/**
 * From the logit of a fit to the chance that was observed: Platt's two numbers (Platt 1999), or a staircase made smooth by
 * lines between its steps (isotonic regression, Zadrozny and Elkan 2002). Both keep the order of answers.
 */
import { z } from 'zod';

export const curveSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('platt'),
    scale: z.number().positive(),
    shift: z.number(),
  }),
  z.strictObject({
    kind: z.literal('isotonic'),
    /** Ascending in both; level beyond the ends. */
    points: z.array(z.tuple([z.number(), z.number().min(0).max(1)])).min(2),
  }),
]);

export type CalibrationCurve = z.infer<typeof curveSchema>;

export function onCurve(curve: CalibrationCurve, logit: number): number {
  if (curve.kind === 'platt') return 1 / (1 + Math.exp(-(curve.scale * logit + curve.shift)));
  const { points } = curve;
  const after = points.findIndex(([at]) => at >= logit);
  if (after === -1) return points.at(-1)?.[1] ?? 0;
  const [toLogit, toChance] = points[after] ?? [0, 0];
  const [fromLogit, fromChance] = points[after - 1] ?? [toLogit, toChance];
  if (toLogit === fromLogit) return toChance;
  return fromChance + ((toChance - fromChance) * (logit - fromLogit)) / (toLogit - fromLogit);
}
