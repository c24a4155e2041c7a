/** docs/PROTOCOL.md names every message of the wire contract, and none that is not in it. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '../..');

test('the document and the contract name the same messages', () => {
  const contract = readFileSync(join(root, 'server/src/protocol.ts'), 'utf8');
  const document = readFileSync(join(root, 'docs/PROTOCOL.md'), 'utf8');
  const inContract = [...contract.matchAll(/readonly '(costAwareRouter\/\w+)':/g)];
  const inDocument = [...document.matchAll(/^\| `(costAwareRouter\/\w+)` \|/gm)];
  assert.ok(
    inContract.length > 20,
    `expected the messages of the contract, got ${inContract.length}`,
  );
  assert.deepEqual(
    inDocument.map(([, name]) => name).sort(),
    inContract.map(([, name]) => name).sort(),
  );
});
