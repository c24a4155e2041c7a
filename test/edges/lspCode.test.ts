/** What an LSP editor shows at the code: lenses, actions, kept explanations on hover, and the commands of plain clients. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CodeAction, CodeLens, Hover } from 'vscode-languageserver/node';
import { afterEdit, type Span } from '../../server/src/lsp/code/ranges.ts';
import type { CodeRange, ExplainTask } from '../../server/src/protocol.ts';
import { LOCAL, says } from '../support/scriptedPorts.ts';
import { type Lsp, type LspOptions, openLsp } from './lspHarness.ts';

const uri = 'file:///work/src/math.ts';
const source =
  'const unit = 1;\n\nexport function add(a: number, b: number) {\n  return a + b;\n}\n';
const inAdd = { uri, startLine: 3, startCharacter: 4, endLine: 3, endCharacter: 4 };
const addSpan = { startLine: 2, startCharacter: 0, endLine: 4, endCharacter: 1 };

async function withCode(options: LspOptions, work: (lsp: Lsp) => Promise<void>): Promise<void> {
  const lsp = await openLsp(options);
  try {
    await lsp.open(uri, 'typescript', source);
    await work(lsp);
  } finally {
    await lsp.close();
  }
}

async function keep(lsp: Lsp, text = 'It adds two numbers.', task: ExplainTask = 'explain') {
  const made = await lsp.request('costAwareRouter/codeTask', { task, range: inAdd });
  if (made === null) throw new Error('expected a task');
  const { codeHash, range } = made;
  const line = 'local · Small Local · free · 1.3 s';
  await lsp.request('costAwareRouter/keepExplanation', {
    codeHash,
    task: made.task,
    range,
    promptId: 'p',
    text,
    line,
  });
  return codeHash;
}

const hoverAt = (lsp: Lsp, line: number) =>
  lsp.client.sendRequest<Hover | null>('textDocument/hover', {
    textDocument: { uri },
    position: { line, character: 3 },
  });

const edit = (lsp: Lsp, version: number, at: readonly [number, number], text: string) =>
  lsp.client.sendNotification('textDocument/didChange', {
    textDocument: { uri, version },
    contentChanges: [
      {
        range: {
          start: { line: at[0], character: at[1] },
          end: { line: at[0], character: at[1] },
        },
        text,
      },
    ],
  });

test('functions and classes of a document can be listed, none of one that is not open', async () => {
  await withCode({}, async (lsp) => {
    const symbols = await lsp.request('costAwareRouter/symbols', { uri });
    assert.deepEqual(
      symbols.find(({ name }) => name === 'add'),
      { name: 'add', range: { uri, ...addSpan } },
    );
    assert.deepEqual(await lsp.request('costAwareRouter/symbols', { uri: 'file:///other.ts' }), []);
  });
});

test('a cursor in a function asks about the function, with its path inside the workspace', async () => {
  await withCode({}, async (lsp) => {
    const task = await lsp.request('costAwareRouter/codeTask', { task: 'explain', range: inAdd });
    assert.equal(task?.title, 'Explain add');
    assert.deepEqual(task.range, { uri, ...addSpan });
    assert.deepEqual(task.context, [
      {
        kind: 'symbol',
        text: 'export function add(a: number, b: number) {\n  return a + b;\n}',
        path: 'src/math.ts',
        language: 'typescript',
        uri: 'file:///work/src/math.ts',
      },
    ]);
  });
});

test('a selection asks about itself, whatever blank space came with it', async () => {
  await withCode({}, async (lsp) => {
    const range = { uri, startLine: 0, startCharacter: 0, endLine: 2, endCharacter: 0 };
    const task = await lsp.request('costAwareRouter/codeTask', { task: 'find_problems', range });
    assert.equal(task?.title, 'Find problems in line 1');
    assert.equal(task.context[0]?.text, 'const unit = 1;');
    const exact = { ...range, endLine: 0, endCharacter: 15 };
    const again = await lsp.request('costAwareRouter/codeTask', { task: 'explain', range: exact });
    assert.equal(again?.codeHash, task.codeHash);
    const nothing = { uri, startLine: 1, startCharacter: 0, endLine: 1, endCharacter: 0 };
    assert.equal(
      await lsp.request('costAwareRouter/codeTask', { task: 'explain', range: nothing }),
      null,
    );
  });
});

test('without a grammar a cursor asks about its line', async () => {
  await withCode({}, async (lsp) => {
    const cobol = 'file:///work/a.cob';
    await lsp.open(cobol, 'cobol', '  DISPLAY "A".\n  STOP RUN.\n');
    const range = { ...inAdd, uri: cobol, startLine: 1, endLine: 1 };
    const task = await lsp.request('costAwareRouter/codeTask', { task: 'explain', range });
    assert.equal(task?.context[0]?.text, 'STOP RUN.');
  });
});

test('an explanation is shown on hover, follows its code, and is stale when that changes', async () => {
  await withCode({}, async (lsp) => {
    const codeHash = await keep(lsp);
    assert.match(JSON.stringify(await hoverAt(lsp, 3)), /It adds two numbers\..*free · 1\.3 s/);
    assert.equal(await hoverAt(lsp, 0), null);

    await edit(lsp, 2, [0, 0], '// first\n// second\n');
    const [moved] = await lsp.request('costAwareRouter/explanations', { uri });
    assert.equal(moved?.stale, false);
    assert.deepEqual([moved.range.startLine, moved.range.endLine], [4, 6]);

    await edit(lsp, 3, [5, 2], 'console.log(a);\n  ');
    const [stale] = await lsp.request('costAwareRouter/explanations', { uri });
    assert.equal(stale?.stale, true);
    assert.deepEqual([stale.range.startLine, stale.range.endLine], [4, 7]);
    assert.match(JSON.stringify(await hoverAt(lsp, 6)), /stale: the code has changed since/);

    await lsp.request('costAwareRouter/dropExplanation', { codeHash, task: 'explain' });
    assert.deepEqual(await lsp.request('costAwareRouter/explanations', { uri }), []);
    const changes = lsp.notifications('costAwareRouter/explanationsChanged');
    assert.deepEqual(changes, [{ uri }, { uri }]);
  });
});

test('problems found in code stand beside its explanation, each under its name', async () => {
  await withCode({}, async (lsp) => {
    const codeHash = await keep(lsp);
    assert.equal(await keep(lsp, 'It may overflow.', 'find_problems'), codeHash);
    const both = JSON.stringify(await hoverAt(lsp, 3));
    assert.match(both, /\*\*Explain\*\*.*It adds two numbers\..*\*\*Find problems\*\*.*overflow/);
    await edit(lsp, 2, [0, 0], '// first\n');
    await lsp.request('costAwareRouter/dropExplanation', { codeHash, task: 'explain' });
    const left = await lsp.request('costAwareRouter/explanations', { uri });
    // Where the code has moved to is still known of what is left.
    assert.deepEqual(
      left.map(({ task, text, stale, range }) => [task, text, stale, range.startLine]),
      [['find_problems', 'It may overflow.', false, 3]],
    );
  });
});

test('code that moved while its file was closed is found again by what it is', async () => {
  await withCode({}, async (lsp) => {
    await keep(lsp);
    await lsp.client.sendNotification('textDocument/didClose', { textDocument: { uri } });
    assert.deepEqual(await lsp.request('costAwareRouter/explanations', { uri }), []);
    await lsp.open(uri, 'typescript', `${'// moved\n'.repeat(10)}${source}`);
    const [found] = await lsp.request('costAwareRouter/explanations', { uri });
    assert.deepEqual([found?.stale, found?.range.startLine], [false, 12]);
  });
});

test('lenses stand over functions only where they were asked for', async () => {
  const lenses = (lsp: Lsp) =>
    lsp.client.sendRequest<CodeLens[]>('textDocument/codeLens', { textDocument: { uri } });
  await withCode({ settings: { costAwareRouter: { lens: 'functions' } } }, async (lsp) => {
    await lsp.request('costAwareRouter/models', null);
    const [lens, ...others] = await lenses(lsp);
    assert.equal(lens?.command?.command, 'costAwareRouter.explain');
    assert.deepEqual(lens.command.arguments, [{ uri, ...addSpan }]);
    assert.deepEqual(others, []);
    await lsp.changeSettings({ costAwareRouter: { lens: 'off' } });
    await lsp.request('costAwareRouter/models', null);
    assert.deepEqual(await lenses(lsp), []);
  });
});

test('four actions on a range; an editor that looks by itself gets them for a selection only', async () => {
  const actions = (lsp: Lsp, endLine: number, context: object) =>
    lsp.client.sendRequest<CodeAction[]>('textDocument/codeAction', {
      textDocument: { uri },
      range: { start: { line: 3, character: 4 }, end: { line: endLine, character: 4 } },
      context: { diagnostics: [], ...context },
    });
  await withCode({}, async (lsp) => {
    const invoked = await actions(lsp, 3, { triggerKind: 1 });
    assert.deepEqual(
      invoked.map(({ command }) => command?.command),
      ['explain', 'findProblems', 'writeTest', 'document'].map((name) => `costAwareRouter.${name}`),
    );
    assert.deepEqual(invoked[0]?.command?.arguments, [{ uri, ...addSpan }]);
    assert.deepEqual(await actions(lsp, 3, { triggerKind: 2 }), []);
    assert.equal((await actions(lsp, 4, { triggerKind: 2 })).length, 4);
    assert.deepEqual(await actions(lsp, 4, { only: ['quickfix'] }), []);
  });
});

test('a plain client runs the command: a message with the beginning, the hover with all of it', async () => {
  const text = ['It adds.', ...'abcdefgh'].join('\n');
  const answers = { [LOCAL]: [says(text, { sure: true })] };
  await withCode({ script: { answers } }, async (lsp) => {
    const range: CodeRange = { uri, ...addSpan };
    const run = (args: unknown[]) =>
      lsp.client.sendRequest('workspace/executeCommand', {
        command: 'costAwareRouter.explain',
        arguments: args,
      });
    await run([range]);
    assert.match(
      lsp.shown[0]?.message ?? '',
      /^Explain add\nIt adds\.\n[\s\S]*hover[\s\S]*local · Small Local · free/,
    );
    assert.match(JSON.stringify(await hoverAt(lsp, 3)), /It adds\..*\\nh/);
    await run(['nonsense']);
    assert.match(lsp.shown[1]?.message ?? '', /expected costAwareRouter\.explain to get/);
    assert.equal(lsp.shown[1]?.type, 1);
  });
});

test('a range follows edits before, inside, across and after it', () => {
  const span: Span = { startLine: 2, startCharacter: 4, endLine: 4, endCharacter: 1 };
  const at = (startLine: number, start: number, endLine: number, end: number) => ({
    start: { line: startLine, character: start },
    end: { line: endLine, character: end },
  });
  const moved = (edited: ReturnType<typeof at>, text: string) =>
    Object.values(afterEdit(span, edited, text)).join(' ');
  assert.equal(moved(at(0, 0, 0, 0), 'a\nb\n'), '4 4 6 1');
  assert.equal(moved(at(2, 0, 2, 0), 'xx'), '2 6 4 1');
  assert.equal(moved(at(2, 4, 2, 4), 'xx'), '2 6 4 1');
  assert.equal(moved(at(3, 0, 3, 0), 'new\n'), '2 4 5 1');
  assert.equal(moved(at(4, 1, 4, 1), 'after'), '2 4 4 1');
  assert.equal(moved(at(5, 0, 9, 0), ''), '2 4 4 1');
  assert.equal(moved(at(1, 0, 3, 0), ''), '1 0 2 1');
  assert.equal(moved(at(3, 0, 6, 0), ''), '2 4 3 0');
});
