/** Code that a model wrote is run in the sandbox, and hostile code is held there: it reads, writes, sends, starts and stops nothing. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { isRight } from '../../server/src/learning/checkableQuestions.ts';
import { createSandbox } from '../../server/src/learning/sandbox.ts';

const run = createSandbox(new AbortController().signal);

test('right code passes its tests, wrong and broken code does not', async () => {
  const question = { kind: 'code-write', question: 'Add one.', tests: ['addOne(1) === 2'] };
  const rows: readonly [string, boolean][] = [
    ['Sure:\n```js\nfunction addOne(n) { return n + 1; }\n```\nThat is it.', true],
    ['module.exports = 1; console.log("x"); const addOne = (n) => n + 1;', true],
    ['function addOne(n) { return n + 2; }', false],
    ['function addOne(n) {', false],
    ['', false],
  ];
  for (const [answer, want] of rows)
    assert.equal(await isRight(answer, question, run), want, answer);
});

describe('hostile code', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sandbox-'));
  const secret = join(folder, 'secret.txt');
  const written = join(folder, 'written.txt');
  let connections = 0;
  let signals = 0;
  const server = createServer((socket) => {
    connections += 1;
    socket.destroy();
  });
  const onSignal = () => {
    signals += 1;
  };
  let port = 0;
  before(async () => {
    writeFileSync(secret, 'the secret');
    process.on('SIGCONT', onSignal);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (address !== null && typeof address === 'object') port = address.port;
  });
  after(() => {
    process.off('SIGCONT', onSignal);
    server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Every way to an object of Node that is known, each leaving `node`: what `process` would be. */
  const WAYS: Readonly<Record<string, (then: string) => string>> = {
    'by name': (then) => `const node = process; ${then}`,
    'by require': (then) => `const node = require('node:process'); ${then}`,
    'by this': (then) => `const node = this.constructor.constructor('return process')(); ${then}`,
    'by a function': (then) => `const node = Function('return process')(); ${then}`,
    'by eval': (then) => `const node = eval('process'); ${then}`,
    'by console': (then) =>
      `const node = console.log.constructor.constructor('return process')(); ${then}`,
    'by an async function': (then) =>
      `const node = (async () => {}).constructor('return process')(); ${then}`,
    'by a stack of calls': (then) =>
      `Error.prepareStackTrace = (_, frames) => frames; let node;
       for (const frame of new Error().stack) { const outer = frame.getThis(); node = node ?? (outer && outer.process); }
       ${then}`,
    'by running out of stack': (then) =>
      `let node; const deep = () => { try { deep(); } catch (e) { node = node ?? e.constructor.constructor('return process')(); } };
       deep(); ${then}`,
    'by a failed import': (then) =>
      `import('node:fs').catch((e) => { const node = e.constructor.constructor('return process')(); ${then} });`,
    'by an import with a gap': (then) =>
      `import/**/('node:fs').catch((e) => { const node = e.constructor.constructor('return process')(); ${then} });`,
    'by an escaped import': (then) =>
      `\\u0069mport('node:fs').catch((e) => { const node = e.constructor.constructor('return process')(); ${then} });`,
  };
  const deeds = (): Readonly<Record<string, string>> => ({
    'looks around': 'got = node.pid > 0;',
    'reads a file': `got = node.getBuiltinModule('fs').readFileSync(${JSON.stringify(secret)}, 'utf8') !== '';`,
    'writes a file': `node.getBuiltinModule('fs').writeFileSync(${JSON.stringify(written)}, 'x'); got = true;`,
    'starts a program': `node.getBuiltinModule('child_process').execFileSync('touch', [${JSON.stringify(written)}]); got = true;`,
    'sends something': `node.getBuiltinModule('net').connect(${port}, '127.0.0.1'); got = true;`,
    'signals its parent': `node.kill(node.ppid, 'SIGCONT'); got = true;`,
  });

  for (const [way, code] of Object.entries(WAYS)) {
    test(`${way} reaches nothing of Node`, async () => {
      // What it wants to do goes along, so that a way out would be seen by what it does, too.
      const all = Object.values(deeds()).map((deed) => `try { ${deed} } catch {}`);
      const found = await run(`var got = false; ${code(all.join(' '))}`, ['got']);
      assert.equal(found, false);
      assert.equal(existsSync(written), false);
      assert.deepEqual([connections, signals], [0, 0]);
    });
  }

  test('what never ends, or takes all memory, ends as wrong', async () => {
    const rows: Readonly<Record<string, string>> = {
      'an endless loop': 'for (;;) {}',
      'endless promises': '(async () => { for (;;) await 0; })();',
      'an endless test': 'const f = () => { for (;;) {} };',
      'a slow expression': "/(a+)+$/.test('a'.repeat(60) + 'b');",
      'a memory bomb': 'const all = []; for (;;) all.push(new Array(1e6).fill(all.length));',
      'a doubling text': "let text = 'x'; for (;;) text += text + Math.random();",
      'a deep call': 'const f = () => f() + 1; f();',
    };
    const found = await Promise.all(
      Object.values(rows).map((code) => run(`${code}\nvar right = true;`, ['right', 'f() === 1'])),
    );
    assert.deepEqual(
      found,
      found.map(() => false),
      Object.keys(rows).join(),
    );
    assert.equal(await run('var right = true;', ['right']), true, 'and the next answer is run');
  });

  test('a person who cancels waits for nothing', async () => {
    const cancel = new AbortController();
    const running = createSandbox(cancel.signal)('for (;;) {}', ['true']);
    cancel.abort();
    assert.equal(await running, false);
  });
});
