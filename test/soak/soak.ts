/** `npm run soak -- [--minutes N] [--seed S]`: the mixed load of load.ts for so long, and its figures. */
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { assertSound, drift, mb, soak } from './load.ts';

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '20' }, seed: { type: 'string', default: '1' } },
});
const minutes = Number(values.minutes);
if (!(minutes > 0)) throw new Error(`expected --minutes above 0, got ${values.minutes}`);
setFlagsFromString('--expose-gc');
globalThis.gc = runInNewContext('gc') as typeof globalThis.gc;

console.log(`soaking for ${minutes} min, seed ${values.seed}`);
const figures = await soak(minutes * 60, Number(values.seed), (line) => console.log(`  ${line}`));
const heap = drift(figures.heapBytes);
const rss = drift(figures.rssBytes);
const host = drift(figures.hostRssBytes);
console.log(`
requests          ${figures.requests}
${[...figures.ends]
  .toSorted(([, a], [, b]) => b - a)
  .map(([end, count]) => `  ${end.padEnd(16)}${count}`)
  .join('\n')}
lost              ${figures.lost.length}
kills of the host ${figures.kills}
heap              ${mb(heap.before)} MB in the second third, ${mb(heap.after)} MB in the last
resident          ${mb(rss.before)} MB, then ${mb(rss.after)} MB
host, resident    ${mb(host.before)} MB, then ${mb(host.after)} MB
handles           ${figures.openHandles[0]} at the first sample, ${figures.openHandles[1]} at the end
spent             $${figures.spentUsd.toFixed(4)}, held $${figures.heldUsd}`);
assertSound(figures);
console.log('sound: no request lost, every hold settled, heap flat');
process.exit(0);
