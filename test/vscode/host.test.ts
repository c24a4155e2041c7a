/**
 * Runs the suite of `host/` inside an extension host: in a desktop VS Code where `desktop.ts` found one, otherwise in the
 * server. Each of its tests is a test here; a run that ends well without a whole report is a failure.
 */
import assert from 'node:assert/strict';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { runTests, TestRunFailedError } from '@vscode/test-electron';
import { repositoryRoot } from '../support/localModel.ts';
import { desktopCommand } from './desktop.ts';
import { launchVscode, openBrowser } from './launch.ts';
import { placeOwnServer, startOwnServer } from './ownServer.ts';

type Line =
  | { readonly kind: 'passed' | 'skipped'; readonly title: string }
  | { readonly kind: 'failed'; readonly title: string; readonly error: string }
  | { readonly kind: 'ended'; readonly failures: number };

const suite = join(repositoryRoot, 'build', 'hostSuite', 'index.cjs');
const extension = join(repositoryRoot, 'build', 'stage', `${process.platform}-${process.arch}`);
/** Both as the preparation of these tests found them. */
const { COST_AWARE_ROUTER_TEST_DESKTOP: desktop, COST_AWARE_ROUTER_TEST_XVFB: xvfbRun } =
  process.env;

test('inside the extension host', { timeout: 900_000 }, async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'car-report-'));
  const report = join(folder, 'report.jsonl');
  const env = { COST_AWARE_ROUTER_TEST_REPORT: report };
  const provider = await startOwnServer();
  try {
    const exitCode =
      desktop === undefined
        ? await onServer(provider.url, env)
        : await onDesktop(desktop, folder, provider.url, env);
    const lines = linesOf(report);
    for (const line of lines) {
      if (line.kind === 'ended') continue;
      await context.test(line.title, { skip: line.kind === 'skipped' }, () => {
        if (line.kind === 'failed') assert.fail(line.error);
      });
    }
    const ended = lines.some(({ kind }) => kind === 'ended');
    const passed = lines.filter(({ kind }) => kind === 'passed').length;
    assert.ok(ended && passed > 0, `expected a whole report, got ${lines.length} lines`);
    assert.equal(exitCode, lines.some(({ kind }) => kind === 'failed') ? 1 : 0);
  } finally {
    await provider.stop();
    rmSync(folder, { recursive: true, force: true });
  }
});

async function onServer(
  providerUrl: string,
  env: Readonly<Record<string, string>>,
): Promise<number> {
  // Without the flag the workbench silently ignores what the payload names.
  const server = await launchVscode({
    env,
    serverArgs: ['--enable-smoke-test-driver'],
    installed: false,
    model: false,
  });
  placeOwnServer(server.dataDir, providerUrl);
  const opened = await openBrowser(server.url);
  try {
    const page = await opened.context.newPage();
    let exited: (code: number) => void = () => {};
    const exit = new Promise<number>((resolve) => {
      exited = resolve;
    });
    await page.exposeFunction('codeAutomationExit', (code: number) => exited(code));
    await page.exposeFunction('codeAutomationLog', () => {});
    const remote = (path: string) => `vscode-remote://${new URL(server.url).host}${path}`;
    const payload = JSON.stringify([
      ['extensionDevelopmentPath', remote(extension)],
      ['extensionTestsPath', remote(suite)],
    ]);
    const query = new URLSearchParams({ folder: server.workspace, payload });
    await page.goto(`${server.url}/?${query}`);
    const late = delay(800_000, 'late' as const, { ref: false });
    const code = await Promise.race([exit, late]);
    if (code === 'late') {
      const log = readFileSync(server.logFile, 'utf8').slice(-2000);
      throw new Error(`expected the suite to end, got:\n${log}`);
    }
    return code;
  } finally {
    await opened.browser.close();
    await server.stop();
  }
}

async function onDesktop(
  program: string,
  folder: string,
  providerUrl: string,
  extensionTestsEnv: Readonly<Record<string, string>>,
): Promise<number> {
  const at = (...parts: string[]) => join(folder, ...parts);
  // The ledger and the models of whoever runs this are none of its business.
  mkdirSync(at('user', 'User'), { recursive: true });
  placeOwnServer(at('data'), providerUrl);
  const settings = { 'costAwareRouter.dataDir': at('data'), 'costAwareRouter.threads': 1 };
  writeFileSync(at('user', 'User', 'settings.json'), JSON.stringify(settings));
  cpSync(join(repositoryRoot, 'test', 'fixtures', 'workspace'), at('ws'), { recursive: true });
  const { executable, before } = desktopCommand(program, xvfbRun);
  try {
    return await runTests({
      vscodeExecutablePath: executable,
      extensionDevelopmentPath: extension,
      extensionTestsPath: suite,
      extensionTestsEnv,
      launchArgs: [
        ...before,
        at('ws'),
        '--disable-extensions',
        `--user-data-dir=${at('user')}`,
        `--extensions-dir=${at('extensions')}`,
      ],
    });
  } catch (error) {
    // The report tells which tests failed.
    if (error instanceof TestRunFailedError && error.code !== undefined) return error.code;
    throw error;
  }
}

function linesOf(report: string): Line[] {
  if (!existsSync(report)) return [];
  const text = readFileSync(report, 'utf8').trim();
  return text === '' ? [] : text.split('\n').map((line) => JSON.parse(line));
}
