/** The curve file of a training run (`curve.jsonl` of its `save_dir`) as the dashboard draws it. */

export interface TrainingRun {
  /** Name of its configuration, as `tiny.json`. */
  readonly name: string;
  readonly state: 'running' | 'ended' | 'stopped' | 'failed';
  /** `null` where the configuration does not say it in a form that is understood. */
  readonly totalSteps: number | null;
  /** Nats per token by optimizer step, thinned to what can be seen. */
  readonly train: readonly LossPoint[];
  readonly validation: readonly LossPoint[];
}

export type LossPoint = readonly [step: number, loss: number];

/** More would not be seen. */
const MOST_POINTS = 400;

/** Both engines write a line a step and a line a validation; one that is cut or of another form is left out. */
export function readCurve(text: string): Pick<TrainingRun, 'train' | 'validation'> {
  const train: LossPoint[] = [];
  const validation: LossPoint[] = [];
  for (const line of text.split('\n')) {
    const point = objectOf(line);
    if (point === null || !isNumber(point['step'])) continue;
    if (isNumber(point['loss'])) train.push([point['step'], point['loss']]);
    if (isNumber(point['val_loss'])) validation.push([point['step'], point['val_loss']]);
  }
  return { train: thinned(train), validation: thinned(validation) };
}

/** Every n-th point, and always the last. */
function thinned(points: readonly LossPoint[]): readonly LossPoint[] {
  const every = Math.ceil(points.length / MOST_POINTS);
  return points.filter((_, index) => index % every === 0 || index === points.length - 1);
}

/** What the follower of a run needs of its configuration; the command line checks the whole. */
export interface TrainingConfig {
  readonly saveDir: string;
  readonly totalSteps: number | null;
}

export function readTrainingConfig(text: string): TrainingConfig | null {
  const config = objectOf(text);
  if (config === null || typeof config['save_dir'] !== 'string') return null;
  const steps = config['max_steps'];
  return { saveDir: config['save_dir'], totalSteps: isNumber(steps) ? steps : null };
}

function objectOf(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}
