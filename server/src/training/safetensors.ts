/**
 * Tensors in a `.safetensors` file: eight bytes of length, a JSON header, then the numbers.
 * Format: https://github.com/huggingface/safetensors
 */
import { open } from 'node:fs/promises';
import { endianness } from 'node:os';
import { z } from 'zod';
import { TrainingError } from './trainingError.ts';

export interface Tensor {
  readonly shape: readonly number[];
  /** Row-major. */
  readonly data: Float32Array;
}

const LENGTH_BYTES = 8;
const MAX_HEADER_BYTES = 100_000_000;

const headerSchema = z.record(
  z.string(),
  z.object({
    dtype: z.string(),
    shape: z.array(z.number().int().min(0)),
    data_offsets: z.tuple([z.number().int().min(0), z.number().int().min(0)]),
  }),
);

/** Writes 32-bit floats and sees them onto the disk. */
export async function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, Tensor>,
): Promise<void> {
  let at = 0;
  const entries = [...tensors].map(([name, { shape, data }]) => {
    const begin = at;
    at += data.byteLength;
    return [name, { dtype: 'F32', shape, data_offsets: [begin, at] }] as const;
  });
  const json = JSON.stringify({ __metadata__: { format: 'pt' }, ...Object.fromEntries(entries) });
  // Padded so that the numbers begin at a multiple of eight.
  const header = Buffer.from(json.padEnd(Math.ceil(json.length / 8) * 8, ' '));
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeBigUInt64LE(BigInt(header.length));
  const file = await open(path, 'wx');
  try {
    await file.writeFile(Buffer.concat([length, header]));
    for (const { data } of tensors.values()) await file.writeFile(littleEndian(data));
    await file.sync();
  } finally {
    await file.close();
  }
}

/**
 * Reads a tensor at a time, so that a file may be larger than what Node reads at once.
 *
 * @throws TrainingError for another format, what Node throws where the file can't be read
 */
export async function readSafetensors(path: string): Promise<ReadonlyMap<string, Tensor>> {
  const file = await open(path, 'r');
  try {
    const { size: fileBytes } = await file.stat();
    const part = async (begin: number, end: number): Promise<Buffer> => {
      const bytes = Buffer.alloc(Math.max(0, Math.min(end, fileBytes) - begin));
      const { bytesRead } = await file.read(bytes, 0, bytes.length, begin);
      return bytes.subarray(0, bytesRead);
    };
    const refuse = (expected: string, got: string) =>
      new TrainingError(`expected ${path} to ${expected}, got ${got}; the file is cut or damaged`);
    const length = await part(0, LENGTH_BYTES);
    const headerBytes = length.length < LENGTH_BYTES ? -1 : Number(length.readBigUInt64LE(0));
    const start = LENGTH_BYTES + headerBytes;
    if (headerBytes < 2 || headerBytes > MAX_HEADER_BYTES || start > fileBytes) {
      throw refuse('be a safetensors file', `${fileBytes} bytes of something else`);
    }
    const header = parseHeader((await part(LENGTH_BYTES, start)).toString('utf8'));
    if (header === undefined) throw refuse('be a safetensors file', 'a header of another form');
    const tensors = new Map<string, Tensor>();
    for (const [name, { dtype, shape, data_offsets }] of Object.entries(header)) {
      const [begin, end] = data_offsets;
      const read = readers[dtype];
      if (read === undefined) {
        const known = Object.keys(readers).join(', ');
        throw new TrainingError(`expected ${name} in ${path} as one of ${known}, got ${dtype}`);
      }
      const body = await part(start + begin, start + end);
      const size = shape.reduce((product, side) => product * side, 1);
      if (body.length !== size * read.bytes) {
        throw refuse(`hold ${size * read.bytes} bytes of ${name}`, `${body.length}`);
      }
      tensors.set(name, { shape, data: read.toFloats(body, size) });
    }
    return tensors;
  } finally {
    await file.close();
  }
}

function parseHeader(json: string): z.infer<typeof headerSchema> | undefined {
  try {
    const { __metadata__: _, ...tensors } = JSON.parse(json) as Record<string, unknown>;
    return headerSchema.parse(tensors);
  } catch {
    return undefined;
  }
}

interface Reader {
  readonly bytes: number;
  toFloats(body: Buffer, size: number): Float32Array;
}

const readers: Readonly<Record<string, Reader>> = {
  F32: {
    bytes: 4,
    toFloats(body, size) {
      const floats = new Float32Array(size);
      if (endianness() === 'LE') new Uint8Array(floats.buffer).set(body);
      else for (let at = 0; at < size; at++) floats[at] = body.readFloatLE(4 * at);
      return floats;
    },
  },
  /** The upper half of a 32-bit float. */
  BF16: {
    bytes: 2,
    toFloats(body, size) {
      const bits = new Uint32Array(size);
      for (let at = 0; at < size; at++) bits[at] = body.readUInt16LE(2 * at) << 16;
      return new Float32Array(bits.buffer);
    },
  },
  F16: {
    bytes: 2,
    toFloats: (body, size) =>
      Float32Array.from({ length: size }, (_, at) => halfToFloat(body.readUInt16LE(2 * at))),
  },
};

function halfToFloat(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

function littleEndian(data: Float32Array): Buffer {
  // A copy where the numbers lie in memory that threads share, which files may not be written from.
  const bytes =
    data.buffer instanceof ArrayBuffer
      ? Buffer.from(data.buffer, data.byteOffset, data.byteLength)
      : Buffer.from(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return endianness() === 'LE' ? bytes : Buffer.from(bytes).swap32();
}
