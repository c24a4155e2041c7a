/**
 * What the ledger adds to a cloud call, every step durable on the disk: milliseconds with one and with four processes,
 * and how often a call waits for the disk.
 */
import { type ChildProcess, fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { median, quantile } from './figures.ts';
import type { LedgerTimes } from './ledgerCallsWorker.ts';

const WORKER = join(import.meta.dirname, 'ledgerCallsWorker.ts');
const CALLS = 400;
/** The first calls pay for compiling the program. */
const WARM_UP = 40;
const TMPFS_MAGIC = 0x01021994;

export async function benchLedger(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'ledger-bench-'));
  try {
    const where = statfsSync(folder).type === TMPFS_MAGIC ? 'in memory, not on a disk' : 'on disk';
    console.log(`ledger, ${CALLS} calls per process, ${where}`);
    for (const processes of [1, 4]) {
      const times = await timed(join(folder, `${processes}`, 'ledger.sqlite'), processes);
      const steps = [
        ['reserve and dispatch', times.flatMap((one) => one.reserveDispatchMs.slice(WARM_UP))],
        ['settle', times.flatMap((one) => one.settleMs.slice(WARM_UP))],
      ] as const;
      for (const [step, ms] of steps) {
        console.log(
          `  ${processes} ${processes === 1 ? 'process  ' : 'processes'} ${step.padEnd(21)} ` +
            `median ${median(ms).toFixed(2)} ms, p99 ${quantile(ms, 0.99).toFixed(2)} ms`,
        );
      }
    }
    console.log(`  fsync per call (reserve, dispatch, settle): ${syncsPerCall(folder)}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function timed(path: string, processes: number): Promise<readonly LedgerTimes[]> {
  const workers = Array.from({ length: processes }, () => fork(WORKER, [path, `${CALLS}`]));
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

/** The difference of two runs, so that opening and closing don't count. */
function syncsPerCall(folder: string): string {
  const counts = [50, 250].map((calls) =>
    syncsOf(join(folder, `${calls}`, 'ledger.sqlite'), calls),
  );
  const [few, many] = counts;
  if (few === undefined || many === undefined) return 'unknown (needs strace, on Linux)';
  return `${((many - few) / 200).toFixed(2)}, counted by strace`;
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
