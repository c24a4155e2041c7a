/** Every boundary shortly. A failure names its seed and path; docs/SECURITY.md tells how to run it again. */
import { test } from 'node:test';
import fc from 'fast-check';
import { boundaries } from './boundaries.ts';

const seed = Number(process.env['COST_AWARE_ROUTER_SEED'] ?? 1);

for (const { name, runs, open } of boundaries) {
  test(`whatever comes in, ${name} are refused in words or read right`, {
    timeout: 120_000,
  }, async (t) => {
    const { property, close } = await open();
    t.after(() => close?.());
    await fc.assert(property as fc.IAsyncProperty<unknown>, { seed, numRuns: runs });
  });
}
