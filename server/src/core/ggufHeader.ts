/**
 * Walks the header of a GGUF file before the library does, whose reader believes any count and then never ends. Counts and
 * lengths must fit into the file; what the values mean is for llama.cpp to judge.
 * Layout: magic, version (u32), tensors and pairs (u64 each), the pairs, then name, dimensions, type and offset of each tensor.
 */

/** A file, however it is read. */
export interface ByteSource {
  readonly sizeBytes: number;
  /** Fills the window from `at` on as far as it can. @returns how many bytes are there now */
  read(window: Uint8Array, at: number): number;
}
/** Bytes of a value by its type number; 8 is a text, 9 an array. */
const SIZES: Readonly<Record<number, number>> = {
  0: 1,
  1: 1,
  2: 2,
  3: 2,
  4: 4,
  5: 4,
  6: 4,
  7: 1,
  10: 8,
  11: 8,
  12: 8,
};
const TEXT = 8;
const ARRAY = 9;
/** Real files have one level of arrays. */
const MAX_LEVELS = 4;
const MAX_DIMENSIONS = 8;
const MAX_KEY_BYTES = 65_535;
const SMALLEST_PAIR_BYTES = 13;
const SMALLEST_TENSOR_BYTES = 24;

class Malformed extends Error {}

/** What is wrong with the file's header in words, or `undefined`. Reads no tensor. */
export function ggufHeaderProblem(source: ByteSource): string | undefined {
  try {
    walk(createReader(source));
    return undefined;
  } catch (error) {
    if (error instanceof Malformed) return error.message;
    throw error;
  }
}

function walk(reader: Reader): void {
  if (reader.u32() !== 0x46554747) throw new Malformed('it does not begin as a GGUF file');
  const version = reader.u32();
  if (version < 2 || version > 3) throw new Malformed(`its version is ${version}`);
  const tensors = reader.count(SMALLEST_TENSOR_BYTES, 'tensors');
  const pairs = reader.count(SMALLEST_PAIR_BYTES, 'values');
  for (let nth = 0; nth < pairs; nth++) {
    reader.skip(reader.count(1, 'letters', MAX_KEY_BYTES));
    skipValue(reader, reader.u32(), 0);
  }
  for (let nth = 0; nth < tensors; nth++) {
    reader.skip(reader.count(1, 'letters', MAX_KEY_BYTES));
    const dimensions = reader.u32();
    if (dimensions > MAX_DIMENSIONS) throw new Malformed(`a tensor has ${dimensions} dimensions`);
    let elements = 1n;
    for (let at = 0; at < dimensions; at++) elements *= reader.u64();
    // No quantisation needs less than a bit for an element.
    if (elements > BigInt(reader.sizeBytes) * 8n)
      throw new Malformed('a tensor is bigger than the file');
    reader.skip(4);
    if (reader.u64() > BigInt(reader.sizeBytes))
      throw new Malformed('a tensor lies past the end of the file');
  }
}

function skipValue(reader: Reader, type: number, level: number): void {
  if (type === TEXT) {
    reader.skip(reader.count(1, 'letters'));
    return;
  }
  if (type !== ARRAY) {
    reader.skip(sizeOf(type));
    return;
  }
  if (level >= MAX_LEVELS) throw new Malformed('its lists lie in lists too deep');
  const of = reader.u32();
  if (of !== TEXT && of !== ARRAY) {
    reader.skip(reader.count(sizeOf(of), 'list items') * sizeOf(of));
    return;
  }
  const items = reader.count(of === TEXT ? 8 : 12, 'list items');
  for (let nth = 0; nth < items; nth++) skipValue(reader, of, level + 1);
}

function sizeOf(type: number): number {
  const bytes = SIZES[type];
  if (bytes === undefined) throw new Malformed(`it has a value of the unknown type ${type}`);
  return bytes;
}

interface Reader {
  readonly sizeBytes: number;
  u32(): number;
  u64(): bigint;
  skip(bytes: number): void;
  /** A number of things, each of at least so many bytes, that must still fit into the file. */
  count(leastBytes: number, of: string, most?: number): number;
}

function createReader({ sizeBytes, read }: ByteSource): Reader {
  const window = new Uint8Array(1 << 16);
  const view = new DataView(window.buffer);
  let start = 0;
  let filled = 0;
  let at = 0;

  /** Makes the next bytes lie in the window and returns where. */
  function take(bytes: number): number {
    if (at + bytes > sizeBytes) throw new Malformed('it ends in the midst of its header');
    if (at < start || at + bytes > start + filled) {
      start = at;
      filled = read(window, at);
      if (filled < bytes) throw new Malformed('it ends in the midst of its header');
    }
    const offset = at - start;
    at += bytes;
    return offset;
  }

  const u64 = () => view.getBigUint64(take(8), true);
  return {
    sizeBytes,
    u32: () => view.getUint32(take(4), true),
    u64,
    skip(bytes) {
      if (at + bytes > sizeBytes) throw new Malformed('it ends in the midst of its header');
      at += bytes;
    },
    count(leastBytes, of, most = Number.MAX_SAFE_INTEGER) {
      const count = u64();
      if (count * BigInt(leastBytes) > BigInt(sizeBytes - at) || count > BigInt(most)) {
        throw new Malformed(`it says that it has ${count} ${of}, which do not fit into it`);
      }
      return Number(count);
    },
  };
}
