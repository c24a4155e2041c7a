/** The learning rate of an optimizer step: a straight warm-up, then half a cosine down to `min_lr` at `max_steps`. */
import type { TrainConfig } from './config.ts';

/** @param step optimizer steps done before this one */
export function learningRateAt(
  step: number,
  config: Pick<TrainConfig, 'lr' | 'min_lr' | 'warmup_steps' | 'max_steps'>,
): number {
  const { lr, min_lr = lr / 10, warmup_steps, max_steps } = config;
  if (step < warmup_steps) return (lr * (step + 1)) / warmup_steps;
  if (step >= max_steps) return min_lr;
  const share = (step - warmup_steps) / (max_steps - warmup_steps);
  return min_lr + 0.5 * (1 + Math.cos(Math.PI * share)) * (lr - min_lr);
}
