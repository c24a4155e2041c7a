/** Chance that replays: the same seed makes the same choices, on any machine. */
import { createSeededRandom } from '../../server/src/learning/seededRandom.ts';

export interface Random {
  /** In [0,1). */
  share(): number;
  chance(probability: number): boolean;
  /** Whole, from `least` to `most`, both included. */
  whole(least: number, most: number): number;
  pick<T>(items: readonly T[]): T;
  /** Items are taken as often as their weights say; a weight of zero never. */
  weighed<T>(items: readonly (readonly [weight: number, item: T])[]): T;
}

export function randomOf(seed: number): Random {
  // Neighbouring seeds must not begin alike.
  const { next: share } = createSeededRandom(Math.imul(seed, 0x9e3779b1) ^ (seed >>> 3));
  const whole = (least: number, most: number) => least + Math.floor(share() * (most - least + 1));
  return {
    share,
    whole,
    chance: (probability) => share() < probability,
    pick(items) {
      const item = items[whole(0, items.length - 1)];
      if (item === undefined) throw new Error('expected items to pick from, got none');
      return item;
    },
    weighed(items) {
      let left = share() * items.reduce((sum, [weight]) => sum + weight, 0);
      for (const [weight, item] of items) {
        left -= weight;
        if (left < 0) return item;
      }
      throw new Error('expected an item with a weight, got none');
    },
  };
}
