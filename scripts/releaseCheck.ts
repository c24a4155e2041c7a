// `npm run release:check`: everything that a publisher would run, told as a table. Exits 1 when a part fails.
import { type Checked, runCheck, tableOf } from './release/check.ts';
import { releaseChecks } from './release/checks.ts';

const args = process.argv.slice(2);
const strange = args.find((arg) => arg !== '--full');
if (strange !== undefined) throw new Error(`expected --full or nothing, got ${strange}`);

const told: Checked[] = [];
for (const check of releaseChecks({ full: args.includes('--full') })) {
  const checked = await runCheck(check);
  process.stderr.write(`· ${checked.name}: ${checked.verdict.kind}\n`);
  told.push(checked);
}
process.stdout.write(`\n${tableOf(told)}`);
process.exit(told.some(({ verdict }) => verdict.kind === 'failed') ? 1 : 0);
