/** Ratios of an earlier run, to see whether one has become worse. Ratios to a peer of the same run carry over to other machines. */
import { z } from 'zod';
import type { ToldRow } from './rows.ts';

/** A slow day must not look like a regression. */
const MARGIN = 1.6;

const storedSchema = z.object({
  ratios: z.record(z.string(), z.object({ value: z.number(), better: z.enum(['less', 'more']) })),
});

type Stored = z.infer<typeof storedSchema>;

export function ratiosOf(told: readonly ToldRow[]): Stored {
  const found = told.flatMap(({ row: { name, value, unit, goal } }) => {
    if (unit !== 'times' || value === null || goal === null) return [];
    return [[name, { value, better: goal.startsWith('<=') ? 'less' : 'more' } as const] as const];
  });
  return { ratios: Object.fromEntries(found) };
}

/** One line per ratio that is worse than `MARGIN` times the stored one, else one line that says that none is. */
export function comparison(told: readonly ToldRow[], read: unknown): readonly string[] {
  const { ratios } = storedSchema.parse(read);
  const now = ratiosOf(told).ratios;
  const compared = Object.entries(ratios).filter(([name]) => now[name] !== undefined);
  const worse = compared.flatMap(([name, { value, better }]) => {
    const current = now[name]?.value ?? Number.NaN;
    const factor = better === 'less' ? current / value : value / current;
    return factor > MARGIN
      ? [`slower: ${name} is ${current} times, stored ${value} (${factor.toFixed(1)} times worse)`]
      : [];
  });
  const gone = Object.keys(ratios).filter((name) => now[name] === undefined);
  return [
    ...worse,
    ...gone.map((name) => `not compared: ${name} was not measured in this run`),
    `${compared.length} ratios compared, ${worse.length} worse than ${MARGIN} times the stored one`,
  ];
}
