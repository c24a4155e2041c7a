/** Whether a model's file is there, as decisions ask it: what was seen holds for a moment, unless somebody has just fetched it. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { LocalModel } from '../../server/src/core/types.ts';
import { createFileLook } from '../../server/src/models/fileLook.ts';
import { smolLm2 } from '../support/localModel.ts';

const modelsDir = mkdtempSync(join(tmpdir(), 'look-'));
after(() => rmSync(modelsDir, { recursive: true, force: true }));

function modelOf(fileName: string): LocalModel {
  return { ...smolLm2, file: { ...smolLm2.file, fileName, sizeBytes: 4, sources: [] } };
}

test('a file that was fetched here is seen at once, also by the model with another ability', () => {
  const look = createFileLook({ modelsDir, baseDir: modelsDir });
  const model = modelOf('fetched.gguf');
  const tuned: LocalModel = { ...model, ability: { kind: 'size', billions: 9 } };
  assert.equal(look.isThere(tuned), false);
  writeFileSync(join(modelsDir, 'fetched.gguf'), 'GGUF');
  look.again(model);
  assert.equal(look.isThere(tuned), true);
});

test('a file that somebody else puts there or takes away is noticed a moment later', async () => {
  const look = createFileLook({ modelsDir, baseDir: modelsDir });
  const model = modelOf('theirs.gguf');
  const path = join(modelsDir, 'theirs.gguf');
  const noticed = async (isThere: boolean) => {
    while (look.isThere(model) !== isThere) await delay(20);
  };
  assert.equal(look.isThere(model), false);
  writeFileSync(path, 'GGUF');
  await noticed(true);
  writeFileSync(path, 'another size');
  await noticed(false);
  writeFileSync(path, 'GGUF');
  await noticed(true);
  rmSync(path);
  await noticed(false);
});
