/**
 * Arrays of token ids in numpy's own container: a zip of `.npy` members, readable by `numpy.load` and written so that what
 * `numpy.savez` and `savez_compressed` write is read, too. Only what shards need: little-endian whole numbers in C order.
 * Format: NEP 1, https://numpy.org/neps/nep-0001-npy-format.html
 */
import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { readFile, rename, rm } from 'node:fs/promises';
import { finished } from 'node:stream/promises';
import { unzipSync, Zip, ZipPassThrough } from 'fflate';
import { TrainingError } from './trainingError.ts';

export interface IdArray {
  /** Row-major; the product of its entries is the length of `data`. */
  readonly shape: readonly number[];
  readonly data: Int32Array;
}

const MAGIC = '\u0093NUMPY';
const HEADER_ALIGNMENT = 64;
/** Magic, two bytes of version, two bytes of length. */
const PREFIX_BYTES = 10;

/** Writes the arrays under their names, as a whole or not at all. Members are stored, not compressed. */
export async function writeNpz(
  path: string,
  arrays: Readonly<Record<string, IdArray>>,
): Promise<void> {
  const temporary = `${path}.${randomUUID()}.part`;
  const out = createWriteStream(temporary, { flags: 'wx' });
  const done = finished(out);
  try {
    const zip = new Zip((error, chunk, final) => {
      if (error !== null) {
        out.destroy(error);
        return;
      }
      out.write(chunk);
      if (final) out.end();
    });
    for (const [name, array] of Object.entries(arrays)) {
      const member = new ZipPassThrough(`${name}.npy`);
      // A fixed time, so that the same shards are the same bytes.
      member.mtime = new Date(1980, 0, 1);
      zip.add(member);
      member.push(npyHeader(array.shape));
      const { data } = array;
      member.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), true);
    }
    zip.end();
    await done;
    await rename(temporary, path);
  } catch (error) {
    out.destroy();
    await done.catch(() => undefined);
    await rm(temporary, { force: true });
    throw error;
  }
}

/** @throws TrainingError for another format; what Node throws where the file can't be read */
export async function readNpz(path: string): Promise<ReadonlyMap<string, IdArray>> {
  const bytes = await readFile(path);
  let members: Record<string, Uint8Array>;
  try {
    members = unzipSync(bytes);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new TrainingError(
      `expected ${path} to be an npz file (a zip of .npy arrays), got ${why}`,
    );
  }
  const arrays = new Map<string, IdArray>();
  for (const [member, content] of Object.entries(members)) {
    if (!member.endsWith('.npy')) continue;
    arrays.set(member.slice(0, -'.npy'.length), readNpy(content, `${path}, array ${member}`));
  }
  return arrays;
}

function npyHeader(shape: readonly number[]): Uint8Array {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const text = `{'descr': '<i4', 'fortran_order': False, 'shape': ${tuple}, }`;
  const unpadded = PREFIX_BYTES + text.length + 1;
  const padding = (HEADER_ALIGNMENT - (unpadded % HEADER_ALIGNMENT)) % HEADER_ALIGNMENT;
  const header = Buffer.from(`${MAGIC}\u0001\u0000\0\0${text}${' '.repeat(padding)}\n`, 'latin1');
  header.writeUInt16LE(header.length - PREFIX_BYTES, 8);
  return header;
}

function readNpy(bytes: Uint8Array, what: string): IdArray {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.length < PREFIX_BYTES || view.toString('latin1', 0, 6) !== MAGIC) {
    throw new TrainingError(`expected ${what} to begin as an .npy array, got something else`);
  }
  // Version 1 has two bytes of length, later ones four.
  const wide = view.readUInt8(6) > 1;
  const start = wide ? 12 : 10;
  const length = wide ? view.readUInt32LE(8) : view.readUInt16LE(8);
  const header = view.toString('latin1', start, start + length);
  const descr = /'descr':\s*'([^']+)'/.exec(header)?.[1] ?? 'none';
  const shapeText = /'shape':\s*\(([\d,\s]*)\)/.exec(header)?.[1];
  if (shapeText === undefined || !/'fortran_order':\s*False/.test(header)) {
    throw new TrainingError(`expected ${what} to be an array in C order, got the header ${header}`);
  }
  const shape = shapeText.split(',').flatMap((part) => (part.trim() === '' ? [] : [Number(part)]));
  const count = shape.reduce((product, size) => product * size, 1);
  const data = readIds(view.subarray(start + length), descr, count, what);
  return { shape, data };
}

function readIds(body: Buffer, descr: string, count: number, what: string): Int32Array {
  const reader = readers[descr];
  if (reader === undefined) {
    const known = Object.keys(readers).join(', ');
    throw new TrainingError(
      `expected ${what} to hold whole numbers (${known}), got the type ${descr}`,
    );
  }
  if (body.length !== count * reader.bytes) {
    throw new TrainingError(
      `expected ${count * reader.bytes} bytes in ${what}, got ${body.length}; the file is cut or damaged`,
    );
  }
  const data = new Int32Array(count);
  if (descr === '<i4') {
    new Uint8Array(data.buffer).set(body);
    return data;
  }
  for (let index = 0; index < count; index++) {
    const value = reader.read(body, index * reader.bytes);
    data[index] = value;
    if (data[index] !== value) {
      throw new TrainingError(`expected ids of 32 bits in ${what}, got ${value} at place ${index}`);
    }
  }
  return data;
}

interface Reader {
  readonly bytes: number;
  read(body: Buffer, at: number): number;
}

const readers: Readonly<Record<string, Reader>> = {
  '<i4': { bytes: 4, read: (body, at) => body.readInt32LE(at) },
  '<u4': { bytes: 4, read: (body, at) => body.readUInt32LE(at) },
  '<i8': { bytes: 8, read: (body, at) => Number(body.readBigInt64LE(at)) },
  '<u8': { bytes: 8, read: (body, at) => Number(body.readBigUInt64LE(at)) },
  '<u2': { bytes: 2, read: (body, at) => body.readUInt16LE(at) },
  '<i2': { bytes: 2, read: (body, at) => body.readInt16LE(at) },
  '|u1': { bytes: 1, read: (body, at) => body.readUInt8(at) },
};
