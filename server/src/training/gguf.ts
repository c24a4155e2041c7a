/**
 * GGUF files, version 3: a header of typed values, then tensors at aligned places.
 * Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
 */
import { randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

export type GgufValue =
  | { readonly type: 'uint32' | 'int32' | 'float32'; readonly value: number }
  | { readonly type: 'bool'; readonly value: boolean }
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'strings'; readonly value: readonly string[] }
  | { readonly type: 'int32s' | 'float32s'; readonly value: readonly number[] };

export type TensorType = 'f32' | 'f16' | 'q8_0';

export interface GgufTensor {
  readonly name: string;
  /** Row-major, as everywhere in this room; the file lists the sizes from the last to the first. */
  readonly shape: readonly number[];
  readonly type: TensorType;
  readonly data: Float32Array;
}

const VERSION = 3;
const ALIGNMENT = 32;
const QUANT_BLOCK = 32;
const valueTypes = { uint32: 4, int32: 5, float32: 6, bool: 7, string: 8, array: 9 } as const;
const tensorTypes: Readonly<Record<TensorType, number>> = { f32: 0, f16: 1, q8_0: 8 };

/** Writes the file whole or not at all; tensors are converted one at a time. */
export async function writeGguf(
  path: string,
  metadata: Readonly<Record<string, GgufValue>>,
  tensors: readonly GgufTensor[],
  signal: AbortSignal,
): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.${randomUUID()}.part`;
  const file = await open(temporary, 'wx');
  try {
    const header = headerOf(metadata, tensors);
    await writeAligned(file, header);
    for (const tensor of tensors) {
      signal.throwIfAborted();
      await writeAligned(file, encodeTensor(tensor));
    }
    await file.sync();
    await file.close();
    await rename(temporary, path);
  } catch (error) {
    await file.close().catch(() => undefined);
    await rm(temporary, { force: true });
    throw error;
  }
}

async function writeAligned(file: FileHandle, bytes: Uint8Array): Promise<void> {
  await file.writev([bytes, new Uint8Array(padding(bytes.length))]);
}

function padding(length: number): number {
  return (ALIGNMENT - (length % ALIGNMENT)) % ALIGNMENT;
}

function headerOf(
  metadata: Readonly<Record<string, GgufValue>>,
  tensors: readonly GgufTensor[],
): Buffer {
  const parts: Buffer[] = [];
  const uint32 = (value: number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    parts.push(bytes);
  };
  const uint64 = (value: number) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(BigInt(value));
    parts.push(bytes);
  };
  const text = (value: string) => {
    const bytes = Buffer.from(value);
    uint64(bytes.length);
    parts.push(bytes);
  };
  const array = (type: number, length: number) => {
    uint32(valueTypes.array);
    uint32(type);
    uint64(length);
  };

  parts.push(Buffer.from('GGUF'));
  uint32(VERSION);
  uint64(tensors.length);
  const entries = Object.entries(metadata);
  uint64(entries.length);
  for (const [key, entry] of entries) {
    text(key);
    switch (entry.type) {
      case 'strings':
        array(valueTypes.string, entry.value.length);
        for (const value of entry.value) text(value);
        break;
      case 'int32s':
        array(valueTypes.int32, entry.value.length);
        parts.push(Buffer.from(Int32Array.from(entry.value).buffer));
        break;
      case 'float32s':
        array(valueTypes.float32, entry.value.length);
        parts.push(Buffer.from(Float32Array.from(entry.value).buffer));
        break;
      case 'string':
        uint32(valueTypes.string);
        text(entry.value);
        break;
      case 'bool':
        uint32(valueTypes.bool);
        parts.push(Buffer.from([entry.value ? 1 : 0]));
        break;
      case 'float32': {
        uint32(valueTypes.float32);
        parts.push(Buffer.from(Float32Array.of(entry.value).buffer));
        break;
      }
      default:
        uint32(valueTypes[entry.type]);
        uint32(entry.value >>> 0);
    }
  }
  let offset = 0;
  for (const tensor of tensors) {
    text(tensor.name);
    uint32(tensor.shape.length);
    for (const size of tensor.shape.toReversed()) uint64(size);
    uint32(tensorTypes[tensor.type]);
    uint64(offset);
    const bytes = encodedBytes(tensor);
    offset += bytes + padding(bytes);
  }
  return Buffer.concat(parts);
}

function encodedBytes({ type, data }: GgufTensor): number {
  if (type === 'q8_0') return (data.length / QUANT_BLOCK) * (QUANT_BLOCK + 2);
  return data.length * (type === 'f32' ? 4 : 2);
}

function encodeTensor({ type, data }: GgufTensor): Uint8Array {
  if (type === 'q8_0') return quantise(data);
  // A copy: the numbers may lie in memory that threads share, which files may not be written from.
  const copy = type === 'f32' ? Float32Array.from(data) : Float16Array.from(data);
  return new Uint8Array(copy.buffer);
}

/** Blocks of 32: a scale in 16 bits, then whole numbers from -127 to 127, as ggml's reference quantises them. */
function quantise(data: Float32Array): Uint8Array {
  const out = Buffer.alloc((data.length / QUANT_BLOCK) * (QUANT_BLOCK + 2));
  const scale = new Float16Array(1);
  const scaleBytes = new Uint8Array(scale.buffer);
  let at = 0;
  for (let start = 0; start < data.length; start += QUANT_BLOCK) {
    let largest = 0;
    for (let index = start; index < start + QUANT_BLOCK; index++) {
      largest = Math.max(largest, Math.abs(data[index] ?? 0));
    }
    const step = largest / 127;
    scale[0] = step;
    out.set(scaleBytes, at);
    at += 2;
    for (let index = start; index < start + QUANT_BLOCK; index++) {
      const value = step === 0 ? 0 : (data[index] ?? 0) / step;
      // Halves away from zero, as C rounds.
      out.writeInt8(Math.sign(value) * Math.round(Math.abs(value)), at);
      at += 1;
    }
  }
  return out;
}
