/**
 * Temporary folders of model hosts, for their owner only. A host is mostly ended by a kill, so each folder is named after its
 * process, and what a dead one left behind is removed by its parent or by the next host.
 */
import { readdirSync, rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';

/** Machines that share a temporary folder do not know each other's processes. */
const PREFIX = `cost-aware-router-host.${hostname()}.`;

export async function makeHostFolder(tempDir: string): Promise<string> {
  removeFoldersOfDeadHosts(tempDir);
  return await mkdtemp(join(tempDir, `${PREFIX}${process.pid}.`));
}

export function removeFoldersOfDeadHosts(tempDir: string): void {
  removeFolders(tempDir, (pid) => !isAlive(pid));
}

/** Synchronous, for the last moment of this process. */
export function removeFoldersOfThisHost(tempDir: string): void {
  removeFolders(tempDir, (pid) => pid === process.pid);
}

function removeFolders(tempDir: string, isMeant: (pid: number) => boolean): void {
  try {
    for (const name of readdirSync(tempDir)) {
      if (!name.startsWith(PREFIX)) continue;
      const pid = Number.parseInt(name.slice(PREFIX.length), 10);
      if (isMeant(pid)) rmSync(join(tempDir, name), { recursive: true, force: true });
    }
  } catch {
    // A folder that can't be read or changed, by rights of somebody else, costs some space and nothing more.
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH');
  }
}
