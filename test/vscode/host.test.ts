/**
 * Runs the suite of `host/` inside an extension host: in the desktop program named by VSCODE_PATH, otherwise in the
 * server. Each of its tests is a test here; a run that ends well without a whole report is a failure.
 */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { runTests } from '@vscode/test-electron';
import { repositoryRoot } from '../support/localModel.ts';
import { launchVscode, openBrowser } from './launch.ts';

type Line =
  | { readonly kind: 'passed' | 'skipped'; readonly title: string }
  | { readonly kind: 'failed'; readonly title: string; readonly error: string }
  | { readonly kind: 'ended'; readonly failures: number };

const suite = join(repositoryRoot, 'build', 'hostSuite', 'index.cjs');
const extension = join(repositoryRoot, 'build', 'stage', `${process.platform}-${process.arch}`);
const { VSCODE_PATH } = process.env;

test('inside the extension host', { timeout: 240_000 }, async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'car-report-'));
  const report = join(folder, 'report.jsonl');
  const env = { COST_AWARE_ROUTER_TEST_REPORT: report };
  try {
    const exitCode =
      VSCODE_PATH === undefined ? await onServer(env) : await onDesktop(VSCODE_PATH, folder, env);
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
    rmSync(folder, { recursive: true, force: true });
  }
});

async function onServer(env: Readonly<Record<string, string>>): Promise<number> {
  // Without the flag the workbench silently ignores what the payload names.
  const server = await launchVscode({
    env,
    serverArgs: ['--enable-smoke-test-driver'],
    installed: false,
    model: false,
  });
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
    const late = delay(180_000, 'late' as const, { ref: false });
    const code = await Promise.race([exit, late]);
    if (code === 'late') {
      const log = readFileSync(server.logFile, 'utf8').slice(-2000);
      throw new Error(`expected the suite to end within three minutes, got:\n${log}`);
    }
    return code;
  } finally {
    await opened.browser.close();
    await server.stop();
  }
}

async function onDesktop(
  vscodeExecutablePath: string,
  folder: string,
  extensionTestsEnv: Readonly<Record<string, string>>,
): Promise<number> {
  const user = `--user-data-dir=${join(folder, 'user')}`;
  const workspace = join(repositoryRoot, 'test', 'fixtures', 'workspace');
  return runTests({
    vscodeExecutablePath,
    extensionDevelopmentPath: extension,
    extensionTestsPath: suite,
    extensionTestsEnv,
    launchArgs: [workspace, '--disable-extensions', user],
  });
}

function linesOf(report: string): Line[] {
  if (!existsSync(report)) return [];
  const text = readFileSync(report, 'utf8').trim();
  return text === '' ? [] : text.split('\n').map((line) => JSON.parse(line));
}
