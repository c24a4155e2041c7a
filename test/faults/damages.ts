/** What a bad disk or a bad moment does to the files of a ledger. Each changes the files and says what it did. */
import {
  closeSync,
  openSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import type { Random } from './proof.ts';

export type Damage = (ledgerPath: string, random: Random) => string;

function change(path: string, work: (bytes: Buffer) => void): void {
  const bytes = readFileSync(path);
  work(bytes);
  writeFileSync(path, bytes);
}

/** Most flips near the end, where a torn write would be; some anywhere, the header included. */
function flipBits(path: string, random: Random): string {
  const flips = 1 + random.below(8);
  const offsets: number[] = [];
  change(path, (bytes) => {
    const tail = random() < 0.5 ? Math.min(bytes.length, 8192) : bytes.length;
    for (let n = 0; n < flips; n += 1) {
      const offset = bytes.length - 1 - random.below(tail);
      bytes[offset] = (bytes[offset] ?? 0) ^ (1 << random.below(8));
      offsets.push(offset);
    }
  });
  return `${flips} bits at ${offsets.join(' ')}`;
}

function noise(length: number, random: Random): Buffer {
  return Buffer.from(Array.from({ length }, () => random.below(256)));
}

export const WAL_DAMAGES: Readonly<Record<string, Damage>> = {
  'cut off': (path, random) => {
    const size = readFileSync(`${path}-wal`).length;
    const kept = random() < 0.5 ? random.below(size) : Math.max(0, size - 1 - random.below(16_384));
    truncateSync(`${path}-wal`, kept);
    return `at ${kept} of ${size}`;
  },
  'bits flipped': (path, random) => flipBits(`${path}-wal`, random),
  'header flipped': (path, random) => {
    const offset = random.below(32);
    const bit = 1 << random.below(8);
    change(`${path}-wal`, (bytes) => bytes.writeUInt8(bytes.readUInt8(offset) ^ bit, offset));
    return `byte ${offset}, bit ${bit}`;
  },
  'tail zeroed': (path, random) => {
    let from = 0;
    change(`${path}-wal`, (bytes) => {
      from = bytes.length - 1 - random.below(Math.min(bytes.length, 32_768));
      bytes.fill(0, from);
    });
    return `from ${from}`;
  },
  'noise appended': (path, random) => {
    const length = 1 + random.below(9000);
    const file = openSync(`${path}-wal`, 'a');
    writeSync(file, noise(length, random));
    closeSync(file);
    return `${length} bytes`;
  },
  'index of noise': (path, random) => {
    const length = random.below(2) === 0 ? 32_768 : random.below(32_768);
    writeFileSync(`${path}-shm`, noise(length, random));
    return `${length} bytes`;
  },
  'index deleted': (path) => {
    rmSync(`${path}-shm`, { force: true });
    return 'whole';
  },
  'log deleted': (path) => {
    rmSync(`${path}-wal`);
    return 'whole';
  },
};

export const MAIN_DAMAGES: Readonly<Record<string, Damage>> = {
  'main file: bits flipped': (path, random) => flipBits(path, random),
  'main file: header flipped': (path, random) => {
    const offset = random.below(100);
    const bit = 1 << random.below(8);
    change(path, (bytes) => bytes.writeUInt8(bytes.readUInt8(offset) ^ bit, offset));
    return `byte ${offset}, bit ${bit}`;
  },
  'main file: schema flipped': (path, random) => {
    let what = '';
    change(path, (bytes) => {
      const tables = [...bytes.toString('latin1').matchAll(/CREATE (TABLE|INDEX|TRIGGER)/g)];
      const offset = (tables[random.below(tables.length)]?.index ?? 0) + random.below(300);
      const bit = 1 << random.below(8);
      bytes.writeUInt8(bytes.readUInt8(offset) ^ bit, offset);
      what = `byte ${offset}, bit ${bit}`;
    });
    return what;
  },
  'main file: cut off': (path, random) => {
    const size = readFileSync(path).length;
    const kept = random.below(size);
    truncateSync(path, kept);
    return `at ${kept} of ${size}`;
  },
};
