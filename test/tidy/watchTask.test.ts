/** F5: the watch task tells the editor of its builds in the form that .vscode/tasks.json looks for, mistakes included. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { repositoryRoot } from '../support/localModel.ts';

const at = (...parts: string[]) => join(repositoryRoot, ...parts);
const json = (file: string) => JSON.parse(readFileSync(at(file), 'utf8'));

test('the launch opens the built extension on the sample workspace, after the watch task', () => {
  const [launch] = json('.vscode/launch.json').configurations;
  const { tasks } = json('.vscode/tasks.json');
  const task = tasks.find(({ label }: { label: string }) => label === launch.preLaunchTask);
  assert.ok(json('package.json').scripts[task.script]);
  assert.ok(task.isBackground);
  const workspace = launch.args.at(-1).replace(/^\$\{workspaceFolder\}/, repositoryRoot);
  assert.ok(existsSync(join(workspace, 'src', 'retry.ts')), workspace);
});

test('a watch build tells its start, its mistakes and its end, and builds again', async () => {
  const [{ problemMatcher }] = json('.vscode/tasks.json').tasks;
  const { beginsPattern, endsPattern } = problemMatcher.background;
  const mistake = new RegExp(problemMatcher.pattern.regexp);
  const folder = mkdtempSync(join(tmpdir(), 'watch-'));
  for (const name of ['package.json', 'esbuild.mjs']) copyFileSync(at(name), join(folder, name));
  for (const name of ['server', 'docs', 'scripts', 'node_modules'])
    symlinkSync(at(name), join(folder, name), 'dir');
  cpSync(at('client'), join(folder, 'client'), { recursive: true });
  const source = join(folder, 'client', 'src', 'extension.ts');
  const right = readFileSync(source, 'utf8');
  const wrongLine = right.split('\n').length;
  appendFileSync(source, 'import "./nowhere.ts";\n');

  const child = spawn(process.execPath, ['esbuild.mjs', '--watch'], {
    cwd: folder,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  try {
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const build = async (): Promise<string[]> => {
      const told: string[] = [];
      while (!new RegExp(endsPattern).test(told.at(-1) ?? '')) {
        const { value, done } = await lines.next();
        if (done) throw new Error(`expected the build to end, got ${told.join('\n')}`);
        told.push(value);
      }
      return told;
    };
    const first = await build();
    assert.match(first[0] ?? '', new RegExp(beginsPattern));
    const [file, line] =
      first
        .map((each) => mistake.exec(each))
        .find(Boolean)
        ?.slice(1) ?? [];
    assert.deepEqual([file, line], ['client/src/extension.ts', `${wrongLine}`], first.join('\n'));
    assert.equal(first.at(-1), 'build ended, 1 errors');

    writeFileSync(source, right);
    const second = await build();
    assert.deepEqual(second, ['build started', 'build ended, 0 errors']);
    const { main } = json('package.json');
    for (const built of [main, 'dist/server.js', 'dist/webview/answers.js']) {
      assert.ok(existsSync(join(folder, built)), built);
    }
  } finally {
    child.kill();
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    rmSync(folder, { recursive: true, force: true });
  }
});
