/** Runs one section in a process group of its own, so that one that crashes, hangs or leaves programs behind ends alone. */
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Measured, rowOf, type Section, type ToldRow } from './rows.ts';

const WORKER = join(import.meta.dirname, 'sectionWorker.ts');
/** For the section to end its own programs before it is ended. */
const GRACE_MS = 3_000;
const SAID_CHARACTERS = 2_000;

export type FromWorker =
  | { readonly type: 'row'; readonly id: string; readonly measured: Measured }
  | { readonly type: 'say'; readonly line: string }
  | { readonly type: 'failed'; readonly why: string }
  | { readonly type: 'done' };

export async function runSection(section: Section, quick: boolean): Promise<readonly ToldRow[]> {
  const found = new Map<string, Measured>();
  let why: string | undefined;
  let said = '';
  const worker = fork(WORKER, [section.name, quick ? 'quick' : 'full'], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    // Numbers that do not fit JSON, such as NaN, come through.
    serialization: 'advanced',
  });
  const stop = () => endGroup(worker, 'SIGKILL');
  process.once('exit', stop);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, leave);
  for (const stream of [worker.stdout, worker.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-SAID_CHARACTERS);
    });
  }
  const ended = new Promise<string>((resolve) => {
    worker.once('error', (error) => resolve(error.message));
    worker.once('exit', (code, signal) => resolve(`ended with ${signal ?? code}`));
  });
  const finished = new Promise<void>((resolve) => {
    worker.on('message', (message: FromWorker) => {
      if (message.type === 'row') found.set(message.id, message.measured);
      else if (message.type === 'say') console.error(`  ${message.line}`);
      else if (message.type === 'failed') why = message.why;
      else resolve();
    });
  });
  const late = new AbortController();
  const outcome = await Promise.race([
    finished.then(() => undefined),
    ended,
    delay(section.limitS * 1000, `took longer than its ${section.limitS} s`, late),
  ]);
  late.abort();
  if (outcome !== undefined)
    why ??= `${outcome}${said === '' ? '' : `; it said: ${lastLines(said)}`}`;
  endGroup(worker, 'SIGTERM');
  await Promise.race([ended, delay(GRACE_MS, undefined, { ref: false })]);
  endGroup(worker, 'SIGKILL');
  process.off('exit', stop);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, leave);
  return Object.entries(section.rows).map(([id, spec]) =>
    rowOf(spec, found.get(id) ?? { value: null, why: why ?? 'was not measured' }),
  );
}

function leave(): never {
  // The handler of `exit` ends the section's programs.
  process.exit(130);
}

function endGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // All of it has ended.
  }
}

function lastLines(said: string): string {
  return said.trim().split('\n').slice(-3).join(' / ');
}
