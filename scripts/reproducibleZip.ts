// Makes the same archive from the same files, whenever and in whatever order they were packed.
import { readFileSync, writeFileSync } from 'node:fs';
import { unzipSync, type Zippable, zipSync } from 'fflate';

/** The oldest time that a zip can hold, in this machine's own zone, because zip times have none. */
const NO_TIME = new Date(1980, 0, 1);
const UNIX = 3;
const PLAIN_FILE = 0o100644 << 16;

export function makeReproducible(path: string): void {
  writeFileSync(path, sameBytes(readFileSync(path)));
}

export function sameBytes(archive: Uint8Array): Uint8Array {
  const files = Object.entries(unzipSync(archive))
    .filter(([name]) => !name.endsWith('/'))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const plain: Zippable = {};
  for (const [name, bytes] of files) {
    plain[name] = [bytes, { level: 9, mtime: NO_TIME, os: UNIX, attrs: PLAIN_FILE }];
  }
  return zipSync(plain);
}
