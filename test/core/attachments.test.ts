/** The line about what a question carries, and diffs cut by file. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attachmentsText, diffParts } from '../../server/src/core/attachments.ts';

test('each attachment is named with its size; several have their sum before them', () => {
  const selection = {
    part: { kind: 'selection', text: 'a\nb', path: 'src/a.ts' },
    tokens: 2,
  } as const;
  const file = { part: { kind: 'file', text: 'one', path: 'src/b.ts' }, tokens: 1 } as const;
  assert.equal(attachmentsText([]), '');
  assert.equal(attachmentsText([selection]), 'selection (2 lines, ≈ 2 tokens)');
  assert.equal(
    attachmentsText([selection, file]),
    '2 attachments, ≈ 3 tokens: selection (2 lines, ≈ 2 tokens), file b.ts (1 line, ≈ 1 tokens)',
  );
});

const CHANGED = `diff --git a/src/a.ts b/src/a.ts
index 111..222 100644
--- a/src/a.ts
+++ b/src/a.ts
@@ -1,2 +1,2 @@
-diff --git a/fake b/fake
+++ b/also/fake
 same
`;
const GONE = `diff --git a/old.md b/old.md
deleted file mode 100644
--- a/old.md
+++ /dev/null
@@ -1 +0,0 @@
-text
`;
const RENAMED = `diff --git a/one.ts b/two.ts
similarity index 100%
rename from one.ts
rename to two.ts
`;
const SPACED = `diff --git "a/d\\303\\251j\\303\\240 vu.ts" "b/d\\303\\251j\\303\\240 vu.ts"
--- "a/d\\303\\251j\\303\\240 vu.ts"
+++ "b/d\\303\\251j\\303\\240 vu.ts"
@@ -1 +1 @@
-a
+b
`;

test('a diff is one part a file, whatever stands in its lines', () => {
  const parts = diffParts(CHANGED + GONE + RENAMED, (path) => `/work/${path}`);
  assert.deepEqual(
    parts.map(({ kind, path, file }) => [kind, path, file]),
    [
      ['diff', 'src/a.ts', '/work/src/a.ts'],
      ['diff', 'old.md', '/work/old.md'],
      ['diff', 'two.ts', '/work/two.ts'],
    ],
  );
  assert.equal(parts.map(({ text }) => `${text}\n`).join(''), CHANGED + GONE + RENAMED);
  assert.deepEqual(diffParts('', String), []);
});

test('a name that git quotes is read as the file is called', () => {
  assert.equal(diffParts(SPACED, String)[0]?.path, 'déjà vu.ts');
});
