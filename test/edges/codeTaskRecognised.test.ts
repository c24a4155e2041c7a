/** The questions that the editor's own commands ask, which no training prompt repeats, are taken for what they are. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TextDocument } from 'vscode-languageserver-textdocument';
import shippedScore from '../../models/score.json' with { type: 'json' };
import { featuresOf } from '../../server/src/core/features.ts';
import { parseFittedScore } from '../../server/src/core/fittedScore.ts';
import { classifierOf } from '../../server/src/core/taskMix.ts';
import { codeTask } from '../../server/src/lsp/code/codeTasks.ts';
import type { ExplainTask } from '../../server/src/protocol.ts';

const fitted = parseFittedScore(shippedScore);
const classify = classifierOf(fitted);

const sources: Readonly<Record<string, string>> = {
  typescript: 'export function add(a: number, b: number) {\n  return a + b;\n}',
  python: 'def add(a, b):\n    return a + b',
  rust: 'fn add(a: i32, b: i32) -> i32 {\n    a + b\n}',
  java: 'int add(int a, int b) {\n  return a + b;\n}',
  go: 'func add(a, b int) int {\n\treturn a + b\n}',
};

const tasks: readonly (readonly [ExplainTask, string])[] = [
  ['explain', 'explain-code'],
  ['find_problems', 'debug'],
  ['write_test', 'write-test'],
  ['document', 'document-code'],
];

for (const [task, wanted] of tasks) {
  test(`${task} looks like ${wanted}, in every language`, () => {
    for (const [language, source] of Object.entries(sources)) {
      const document = TextDocument.create('file:///work/add', language, 1, source);
      const whole = { startLine: 0, startCharacter: 0, endLine: 9, endCharacter: 0 };
      const made = codeTask(task, document, whole, [], {
        sha256: (text) => text,
        pathOf: () => 'add',
        t: (text) => text,
      });
      assert.ok(made !== undefined);
      const context = made.context.map(
        ({ text }) => ({ kind: 'selection', text, language }) as const,
      );
      const mix = classify(featuresOf({ text: made.text, context, history: [] }));
      assert.equal(fitted.tasks[mix.top]?.name, wanted, language);
      assert.ok(mix.topProbability >= 0.4, `${language}: ${mix.topProbability}`);
    }
  });
}
