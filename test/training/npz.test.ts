import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { zipSync } from 'fflate';
import { readNpz, writeNpz } from '../../server/src/training/npz.ts';
import { TrainingError } from '../../server/src/training/trainingError.ts';

const folder = mkdtempSync(join(tmpdir(), 'npz-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const fixtures = join(import.meta.dirname, '../fixtures/training');

test('arrays come back as they were written, and nothing else lies in the folder', async () => {
  const path = join(folder, 'train_00000.npz');
  const x = { shape: [2, 3], data: Int32Array.of(1, 2, 3, 4, 5, 2_147_483_647) };
  const y = { shape: [0, 3], data: new Int32Array(0) };
  await writeNpz(path, { x, y });
  const read = await readNpz(path);
  assert.deepEqual(read.get('x'), x);
  assert.deepEqual(read.get('y'), y);
  assert.deepEqual(readdirSync(folder), ['train_00000.npz']);
});

test('the same arrays are the same bytes', async () => {
  const arrays = { x: { shape: [3], data: Int32Array.of(7, 8, 9) } };
  await writeNpz(join(folder, 'a.npz'), arrays);
  await writeNpz(join(folder, 'b.npz'), arrays);
  assert.deepEqual(readFileSync(join(folder, 'a.npz')), readFileSync(join(folder, 'b.npz')));
});

for (const name of ['savez', 'savezCompressed', 'int64', 'uint16']) {
  test(`what numpy wrote is read: ${name}`, async () => {
    const arrays = await readNpz(join(fixtures, `${name}.npz`));
    assert.deepEqual(arrays.get('x'), {
      shape: [2, 4],
      data: Int32Array.of(0, 1, 2, 3, 4, 5, 6, 7),
    });
    assert.deepEqual(arrays.get('y'), {
      shape: [2, 4],
      data: Int32Array.of(1, 2, 3, 4, 5, 6, 7, 65_535),
    });
  });
}

test('what is no array of ids is refused with what was expected', async () => {
  const bad = async (name: string, members: Record<string, Uint8Array>, expected: RegExp) => {
    const path = join(folder, name);
    writeFileSync(path, zipSync(members));
    await assert.rejects(readNpz(path), (error) => {
      assert.ok(error instanceof TrainingError);
      assert.match(error.message, expected);
      return true;
    });
  };
  const npy = (header: string, body: Uint8Array) => {
    const head = Buffer.from(`\u0093NUMPY\u0001\0\0\0${header}\n`, 'latin1');
    head.writeUInt16LE(head.length - 10, 8);
    return Buffer.concat([head, body]);
  };
  await bad('text.npz', { 'x.npy': Buffer.from('hello, world') }, /to begin as an \.npy array/);
  const floats = "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }";
  await bad(
    'f4.npz',
    { 'x.npy': npy(floats, new Uint8Array(4)) },
    /whole numbers .* got the type <f4/,
  );
  const columns = "{'descr': '<i4', 'fortran_order': True, 'shape': (1,), }";
  await bad('fortran.npz', { 'x.npy': npy(columns, new Uint8Array(4)) }, /in C order/);
  const short = "{'descr': '<i4', 'fortran_order': False, 'shape': (2,), }";
  await bad('short.npz', { 'x.npy': npy(short, new Uint8Array(4)) }, /expected 8 bytes .* got 4/);
  const wide = "{'descr': '<i8', 'fortran_order': False, 'shape': (1,), }";
  await bad('wide.npz', { 'x.npy': npy(wide, Buffer.from('0000000001000000', 'hex')) }, /32 bits/);
  const noZip = join(folder, 'no.npz');
  writeFileSync(noZip, 'not a zip at all');
  await assert.rejects(readNpz(noZip), /to be an npz file/);
});

test('a disk that is full leaves no half file behind', {
  skip: process.platform !== 'linux',
}, async () => {
  await assert.rejects(writeNpz('/dev/full/x.npz', { x: { shape: [1], data: Int32Array.of(1) } }));
  const path = join(folder, 'missing', 'x.npz');
  await assert.rejects(writeNpz(path, { x: { shape: [1], data: Int32Array.of(1) } }), /ENOENT/);
});
