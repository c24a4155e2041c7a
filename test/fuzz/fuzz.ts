/**
 * `npm run fuzz -- [--minutes N] [--seed S] [--only NAME] [--path P]`: every boundary in turn with new seeds until the time is
 * over. A failure ends it with exit 1, its input made small, and the command that brings it back.
 */
import { parseArgs } from 'node:util';
import fc from 'fast-check';
import { boundaries } from './boundaries.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    seed: { type: 'string' },
    only: { type: 'string' },
    path: { type: 'string' },
  },
});
const minutes = Number(values.minutes);
if (!(minutes > 0)) throw new Error(`expected --minutes above 0, got ${values.minutes}`);
const chosen = boundaries.filter(({ name }) => values.only === undefined || name === values.only);
if (chosen.length === 0) {
  throw new Error(
    `expected one of ${boundaries.map(({ name }) => `"${name}"`).join(', ')}, got "${values.only}"`,
  );
}

const until = performance.now() + minutes * 60_000;
let seed = values.seed === undefined ? Date.now() % 2 ** 31 : Number(values.seed);
const tried = new Map<string, number>();
console.log(`fuzzing ${chosen.length} boundaries for ${minutes} min from seed ${seed}`);
do {
  for (const { name, runs, open } of chosen) {
    const { property, close } = await open();
    try {
      const result = await fc.check(property as fc.IAsyncProperty<unknown>, {
        seed,
        numRuns: runs * 5,
        ...(values.path === undefined ? {} : { path: values.path }),
      });
      tried.set(name, (tried.get(name) ?? 0) + result.numRuns);
      if (result.failed) {
        console.error(`${name}: failed\n${await fc.asyncDefaultReportMessage(result)}`);
        console.error(
          `again: npm run fuzz -- --only "${name}" --seed ${result.seed} --path "${result.counterexamplePath}"`,
        );
        process.exit(1);
      }
    } finally {
      await close?.();
    }
    if (values.path !== undefined || performance.now() > until) break;
  }
  seed = (seed + 1) % 2 ** 31;
} while (values.path === undefined && performance.now() < until);
for (const [name, inputs] of tried) console.log(`${name}: ${inputs} inputs, none failed`);
process.exit(0);
