/** Lines of files and the changes of a repository as context of `ask`, and what of them stays here. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { openRealApp, type RealApp, TEST_KEY } from '../support/realApp.ts';
import { BIG, LOCAL, type Script, says } from '../support/scriptedPorts.ts';
import { cli } from './cliHarness.ts';
import { askOf, openLsp } from './lspHarness.ts';

const folder = mkdtempSync(join(tmpdir(), 'router-attach-'));
const git = (...args: string[]) =>
  execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@b.c', ...args], {
    cwd: folder,
    stdio: 'pipe',
  });
/** Put together here, so that no scanner takes this file for a leak. */
const SECRET = ['AKIA', 'QWERTYUIOPASDFGH'].join('');

let real: RealApp;
before(async () => {
  real = await openRealApp();
  mkdirSync(join(folder, 'src'));
  git('init', '--quiet');
  writeFileSync(join(folder, 'src', 'a.ts'), 'one\ntwo\nthree\nfour\n');
  writeFileSync(join(folder, 'b.md'), 'before\n');
  git('add', '.');
  git('commit', '--quiet', '-m', 'first');
  writeFileSync(join(folder, 'b.md'), 'after\n');
});
after(async () => {
  await real.close();
  rmSync(folder, { recursive: true, force: true });
});

async function asked(...args: string[]): Promise<string> {
  let text = '';
  const script: Script = {
    answers: {
      [LOCAL]: [
        (request, signal) => {
          text = request.turns.at(-1)?.text ?? '';
          return says('Done.', { sure: true })(request, signal);
        },
      ],
    },
  };
  const run = await cli(['ask', 'what?', ...args], { script, cwd: folder });
  assert.equal(run.code, 0, run.stderr);
  return text;
}

test('lines of a file are a selection of it', async () => {
  assert.match(
    await asked('--file', 'src/a.ts:2-3'),
    /<context-\w+ kind="selection" path="src\/a\.ts" language="typescript">\ntwo\nthree\n</,
  );
  assert.match(await asked('--file', 'src/a.ts:4'), />\nfour\n</);
});

for (const [given, expected] of [
  ['src/a.ts:4-9', /lines from 1 to 5 of src\/a\.ts, got 4-9/],
  ['src/a.ts:0-1', /lines from 1 to 5 of src\/a\.ts, got 0-1/],
  ['src/none.ts:1-2', /readable file, got src\/none\.ts \(ENOENT\)/],
] as const) {
  test(`--file ${given} is bad input`, async () => {
    const run = await cli(['ask', 'what?', '--file', given], { cwd: folder });
    assert.equal(run.code, 2);
    assert.match(run.stderr, expected);
  });
}

test('--diff carries what has changed since the last commit, by file', async () => {
  const text = await asked('--diff');
  assert.match(text, /<context-\w+ kind="diff" path="b\.md" language="diff">\ndiff --git /);
  assert.match(text, /^-before\n\+after$/m);
});

test('--diff without changes, without a repository or with an option in disguise is bad input', async () => {
  for (const [cwd, args, expected] of [
    [folder, ['--diff', 'no-such-commit'], /expected --diff to name a commit; git says/],
    [folder, ['--diff=--output=x'], /expected --diff to name a commit, got --output=x/],
    [tmpdir(), ['--diff'], /expected --diff in a git repository; git says/],
  ] as const) {
    const run = await cli(['ask', 'what?', ...args], { cwd });
    assert.equal(run.code, 2);
    assert.match(run.stderr, expected);
  }
});

test('a dry run tells what each attachment weighs, and what would be left out', async () => {
  const run = await cli(['ask', 'what?', '--dry-run', '--file', 'src/a.ts', '--diff'], {
    cwd: folder,
  });
  assert.match(run.stdout, /with 2 attachments, ≈ \d+ tokens: file a\.ts \(5 lines, .*diff b\.md/);
  writeFileSync(join(folder, 'long.txt'), 'word word word word\n'.repeat(2000));
  const script: Script = {
    availability: { [BIG]: { kind: 'no_api_key' }, 'cloud-mini': { kind: 'no_api_key' } },
  };
  const answered = await cli(['ask', 'what?', '--file', 'long.txt'], { cwd: folder, script });
  assert.equal(answered.code, 0, answered.stderr);
  assert.match(
    answered.stderr,
    /left out to fit: lines \d+ to 2001 of attachment 1 \(≈ \d+ tokens\)/,
  );
});

test('a secret in an attached file, selection or diff stays here, also where the cloud is asked for', async () => {
  const baseUrl = real.app.baseUrl();
  const lsp = await openLsp({
    settings: { costAwareRouter: { openai: { baseUrl } } },
    createApp: async () => ({ ...real.app, close: async () => {} }),
  });
  await lsp.request('costAwareRouter/setKey', { key: TEST_KEY, baseUrl });
  const sent = real.provider.getRequests().length;
  for (const kind of ['file', 'selection', 'symbol', 'diff'] as const) {
    const context = [
      { kind: 'file' as const, text: 'export const answer = 42;', path: 'a.ts' },
      { kind, text: `+const key = "${SECRET}";`, path: 'keys.ts' },
    ];
    const ask = askOf('What does it do?', { context, destination: 'cloud' });
    const result = await lsp.request('costAwareRouter/answer', ask);
    assert.equal(result.kind === 'failed' && result.code, 'privacy_floor', kind);
  }
  assert.equal(real.provider.getRequests().length, sent);
  const open = askOf('What does it do?', {
    context: [{ kind: 'file', text: 'export const answer = 42;', path: 'a.ts' }],
    destination: 'cloud',
  });
  assert.equal((await lsp.request('costAwareRouter/answer', open)).kind, 'answered');
  assert.equal(real.provider.getRequests().length, sent + 1);
  await lsp.close();
});
