/**
 * Sentence patterns from which further training prompts for the editor tasks are drawn. The things that are spoken of
 * come from pools which the tasks share, so that the classifier learns what is asked and not what it is about.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { shippedModels } from '../models/shippedFiles.ts';
import { createSeededRandom, type SeededRandom } from './seededRandom.ts';
import type { SeedPrompt } from './seedPrompts.ts';

const patternSchema = z.strictObject({
  texts: z.array(z.string()).min(1),
  /** Code is attached, in a language drawn at random, half of the time. */
  context: z.boolean().optional(),
  /**
   * Most prompts come with a text to work on, a text that the question is about, some sentences of what is wanted, or wishes
   * for the form of the answer, which any task may have.
   */
  material: z.enum(['given', 'case', 'brief', 'form']).optional(),
});

const fileSchema = z.strictObject({
  /** What a `{slot}` of a text may be filled with. */
  pools: z.record(z.string(), z.array(z.string()).min(1)),
  patterns: z.record(z.string(), patternSchema),
});

type Material = NonNullable<z.infer<typeof patternSchema>['material']>;
type Pools = z.infer<typeof fileSchema>['pools'];

/** Of the prompts of a task that may come with material. Wishes for the form are rarer: a prompt is often one sentence. */
const materialShares: Readonly<Record<Material, number>> = {
  given: 0.7,
  case: 0.7,
  brief: 0.7,
  form: 0.3,
};
/** The fewest and the most sentences that are added. */
const wishesOf = { brief: [2, 6], form: [1, 3] } as const;

const STOPS = ['', '', '.', '.', '!'];

/**
 * Draws that many prompts for every task that has patterns.
 * @param passages further texts to be given to work on, whatever they are: what is asked of a text decides, not its words
 */
export function drawPatterns(
  perTask: number,
  seed: number,
  passages: readonly string[] = [],
): SeedPrompt[] {
  const random = createSeededRandom(seed);
  const file = join(shippedModels(), 'seedPatterns.json');
  const { pools: own, patterns } = fileSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  const pools: Pools = { ...own, given: [...(own['given'] ?? []), ...passages] };
  return Object.entries(patterns).flatMap(([task, { texts, context, material }]) =>
    Array.from({ length: perTask }, () => {
      const asked = sentence(filled(pick(texts, random), pools, random), random);
      const hasMaterial = material !== undefined && random.next() < materialShares[material];
      const text = hasMaterial ? withMaterial(asked, material, pools, random) : asked;
      const hasContext = context === true && random.next() < 0.5;
      if (!hasContext) return { task, text };
      return { task, text, language: pick(pools['language'] ?? [], random).toLowerCase() };
    }),
  );
}

/** A text to work on stands below or above what is asked, one to be questioned on above it; both whole or cut. Wishes follow. */
function withMaterial(
  asked: string,
  material: Material,
  pools: Pools,
  random: SeededRandom,
): string {
  if (material === 'brief' || material === 'form') {
    const [least, most] = wishesOf[material];
    const wishes = Array.from({ length: least + random.below(most - least + 1) }, () =>
      pick(pools[material] ?? [], random),
    );
    return [asked, ...new Set(wishes)].join(' ');
  }
  const whole = pick(pools['given'] ?? [], random);
  const text = random.next() < 0.5 ? whole : whole.slice(0, 80 + random.below(whole.length));
  const set = pick([text, `"${text}"`, `'${text}'`, `Text:\n${text}`, `---\n${text}\n---`], random);
  if (material === 'case' || random.next() < 0.25) return set + pick([' ', '\n\n'], random) + asked;
  return asked + pick([' ', '\n', '\n\n', ':\n\n'], random) + set;
}

function filled(pattern: string, pools: Pools, random: SeededRandom): string {
  return pattern.replace(/\{([a-z]+)\}/g, (_, name: string) => pick(pools[name] ?? [], random));
}

function sentence(text: string, random: SeededRandom): string {
  const tidy = text.replace(/\s+/g, ' ').trim();
  // People often don't bother with a capital letter or a full stop.
  const cased = random.next() < 0.7 ? tidy.charAt(0).toUpperCase() + tidy.slice(1) : tidy;
  return /[.?!]$/.test(cased) ? cased : cased + pick(STOPS, random);
}

function pick(items: readonly string[], random: SeededRandom): string {
  const item = items[random.below(items.length)];
  if (item === undefined) throw new Error('expected a pool with entries, got an unknown slot');
  return item;
}
