/** Calls on a ledger by processes of their own, every step durable on the disk: how long they take, and how often they wait. */
import { type ChildProcess, fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { statfsSync } from 'node:fs';
import { join } from 'node:path';
import type { LedgerTimes } from './ledgerCallsWorker.ts';

const WORKER = join(import.meta.dirname, 'ledgerCallsWorker.ts');
/** The first calls pay for compiling the program. */
const WARM_UP = 20;
const TMPFS_MAGIC = 0x01021994;

export interface CallTimes extends LedgerTimes {
  readonly wholeMs: readonly number[];
}

export async function callTimes(
  path: string,
  processes: number,
  calls: number,
): Promise<CallTimes> {
  const all = await timed(path, processes, calls + WARM_UP);
  const holdMs = all.flatMap((one) => one.holdMs.slice(WARM_UP));
  const settleMs = all.flatMap((one) => one.settleMs.slice(WARM_UP));
  return { holdMs, settleMs, wholeMs: holdMs.map((ms, at) => ms + (settleMs[at] ?? Number.NaN)) };
}

export function diskOf(folder: string): string {
  return statfsSync(folder).type === TMPFS_MAGIC ? 'in memory, not on a disk' : 'on a disk';
}

async function timed(
  path: string,
  processes: number,
  calls: number,
): Promise<readonly LedgerTimes[]> {
  const workers = Array.from({ length: processes }, () => fork(WORKER, [path, `${calls}`]));
  try {
    await Promise.all(workers.map(messageOf));
    const times = workers.map((worker) => messageOf(worker) as Promise<LedgerTimes>);
    for (const worker of workers) worker.send('go');
    return await Promise.all(times);
  } finally {
    await Promise.all(workers.map(ended));
  }
}

async function messageOf(worker: ChildProcess): Promise<unknown> {
  const [message] = await Promise.race([
    once(worker, 'message'),
    once(worker, 'exit').then(([code]) => {
      throw new Error(`expected a message, the process ended with ${code}`);
    }),
  ]);
  return message;
}

async function ended(worker: ChildProcess): Promise<void> {
  if (worker.exitCode === null && worker.signalCode === null) await once(worker, 'exit');
}

/** The difference of two runs, so that opening and closing don't count. `undefined` without strace. */
export function syncsPerCall(folder: string): number | undefined {
  const counts = [20, 120].map((calls) =>
    syncsOf(join(folder, `${calls}`, 'ledger.sqlite'), calls),
  );
  const [few, many] = counts;
  return few === undefined || many === undefined ? undefined : (many - few) / 100;
}

function syncsOf(path: string, calls: number): number | undefined {
  const traced = spawnSync(
    'strace',
    ['-f', '-qq', '-e', 'trace=fsync,fdatasync', process.execPath, WORKER, path, `${calls}`],
    { encoding: 'utf8', maxBuffer: 2 ** 26 },
  );
  if (traced.error !== undefined || traced.status !== 0) return undefined;
  // A call that another thread interrupts is told in two lines; only its first names the file.
  return [...traced.stderr.matchAll(/\bf(?:data)?sync\(/g)].length || undefined;
}
