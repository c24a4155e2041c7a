/** Worker processes of the proofs: started, listened to, and killed the hard way. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

/** A worker that outlives its test is killed. */
export function startWorker(
  t: TestContext,
  script: string,
  args: readonly string[] = [],
): ChildProcess {
  const worker = fork(join(import.meta.dirname, script), args);
  t.after(() => worker.kill('SIGKILL'));
  return worker;
}

/** The next message of a worker; a worker that ends without one fails the test. */
export async function messageOf<T>(worker: ChildProcess): Promise<T> {
  const stop = new AbortController();
  const ended = once(worker, 'exit', { signal: stop.signal }).then(([code, signal]) => {
    throw new Error(`expected a message, got the worker's end (${code ?? signal})`);
  });
  try {
    const [message] = await Promise.race([once(worker, 'message', { signal: stop.signal }), ended]);
    return message;
  } finally {
    ended.catch(() => {});
    stop.abort();
  }
}

export async function killHard(worker: ChildProcess): Promise<void> {
  if (worker.exitCode !== null || worker.signalCode !== null) {
    throw new Error(`expected a worker to kill, it had ended by itself (${worker.exitCode})`);
  }
  const exit = once(worker, 'exit');
  worker.kill('SIGKILL');
  await exit;
}
