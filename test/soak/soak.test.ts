/** The short form of `npm run soak`. */
import { test } from 'node:test';
import { assertSound, mb, soak } from './load.ts';

test('a mixed load with cancels and kills of the host loses no request and no money', {
  timeout: 240_000,
}, async (t) => {
  const figures = await soak(15, 1);
  const ends = [...figures.ends].map(([end, count]) => `${end} ${count}`).join(', ');
  t.diagnostic(
    `${figures.requests} requests: ${ends}; ${figures.kills} kills; resident ${mb(figures.rssBytes.at(-1) ?? 0)} MB`,
  );
  assertSound(figures);
});
