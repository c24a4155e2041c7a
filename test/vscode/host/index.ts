/** The entry that `extensionTestsPath` names: runs the suite inside the extension host and reports as JSON lines. */
import { appendFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import Mocha from 'mocha';

const { COST_AWARE_ROUTER_TEST_REPORT } = process.env;

function report(line: object): void {
  if (COST_AWARE_ROUTER_TEST_REPORT !== undefined) {
    appendFileSync(COST_AWARE_ROUTER_TEST_REPORT, `${JSON.stringify(line)}\n`);
  }
}

export async function run(): Promise<void> {
  const mocha = new Mocha({ ui: 'bdd', timeout: 240_000, reporter: 'spec' });
  for (const file of readdirSync(__dirname)) {
    if (file.endsWith('.suite.cjs')) mocha.addFile(join(__dirname, file));
  }
  const failures = await new Promise<number>((resolve) => {
    const runner = mocha.run(resolve);
    runner.on('pass', (test) => report({ kind: 'passed', title: test.fullTitle() }));
    runner.on('fail', (test, error) =>
      report({ kind: 'failed', title: test.fullTitle(), error: error.stack ?? String(error) }),
    );
    runner.on('pending', (test) => report({ kind: 'skipped', title: test.fullTitle() }));
  });
  report({ kind: 'ended', failures });
  if (failures > 0) throw new Error(`${failures} tests failed`);
}
