/** A disk so small that it fills up. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

/** A file system in memory that is gone after the test, or why there can't be one. */
export function mountDisk(
  t: TestContext,
  sizeKib: number,
): { readonly folder: string } | { readonly why: string } {
  if (process.platform !== 'linux') return { why: 'a full disk needs a tmpfs, which is Linux' };
  if (process.getuid?.() !== 0) return { why: 'a full disk needs root, to mount a tmpfs' };
  const folder = mkdtempSync(join(tmpdir(), 'small-disk-'));
  t.after(() => {
    spawnSync('umount', ['--lazy', folder]);
    rmdirSync(folder);
  });
  const mount = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeKib}k`, 'tmpfs', folder]);
  if (mount.status !== 0) {
    return { why: `a full disk needs a tmpfs, but mount says: ${mount.stderr ?? mount.error}` };
  }
  return { folder };
}
