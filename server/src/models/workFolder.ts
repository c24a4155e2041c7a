/**
 * Folders for half-done downloads, one per process and attempt, so that no two ever write to the same file. What a process left
 * behind when it ended is taken over by the next one, and its download resumed.
 */
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { LocalModel } from '../core/types.ts';
import type { ModelFolders } from './modelFile.ts';

/** Folders that this process is working in; what other folders hold may be taken over once their process is gone. */
const inUse = new Set<string>();
let folderCount = 0;

/**
 * Runs `work` in a folder that no other process uses. What a dead process left there is taken over by renaming its folder,
 * which only one taker can win, so a half download goes on where it was cut. Parts of failed attempts stay for that purpose.
 */
export async function withWorkFolder<T>(
  model: LocalModel,
  options: ModelFolders,
  work: (folder: string) => Promise<T>,
): Promise<T> {
  const incoming = join(options.modelsDir, '.incoming');
  await mkdir(incoming, { recursive: true });
  const prefix = `${model.file.fileName}.${hostname()}.`;
  folderCount += 1;
  const mine = `${prefix}${process.pid}-${folderCount}`;
  inUse.add(mine);
  const folder = join(incoming, mine);
  try {
    for (const name of await readdir(incoming)) {
      if (!name.startsWith(prefix) || !isLeftBehind(name, name.slice(prefix.length))) continue;
      if (
        await rename(join(incoming, name), folder).then(
          () => true,
          () => false,
        )
      )
        break;
    }
    await mkdir(folder, { recursive: true });
    const result = await work(folder);
    const left = await readdir(folder);
    if (left.length === 0 || !left.some((name) => name.endsWith('.part'))) {
      await rm(folder, { recursive: true, force: true });
    }
    return result;
  } finally {
    inUse.delete(mine);
  }
}

function isLeftBehind(name: string, owner: string): boolean {
  const pid = Number(/^(\d+)-\d+$/.exec(owner)?.[1]);
  if (!Number.isInteger(pid) || inUse.has(name)) return false;
  if (pid === process.pid) return true;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ESRCH';
  }
}
