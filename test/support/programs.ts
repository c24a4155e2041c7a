/** Programs that a test or a comparison starts: each is ended by its own id, and what it said is kept for when it fails. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const KEPT_CHARACTERS = 2_000;

export interface Program {
  readonly name: string;
  /** `undefined` when it could not be started. */
  readonly pid: number | undefined;
  running(): boolean;
  /** The end of what it has written so far. */
  said(): string;
  /** SIGKILL, as a crash would be; resolves when it is gone. */
  kill(): Promise<void>;
  /** Resolves with the exit code when it ends by itself. */
  ended(): Promise<number | null>;
}

export interface StartOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** How many of the last characters it wrote are kept. @default 2000 */
  readonly keptCharacters?: number;
}

const started = new Set<Program>();
const folders = new Set<string>();
let ending = false;

export function startProgram(
  name: string,
  command: string,
  args: readonly string[],
  { env = process.env, cwd, keptCharacters = KEPT_CHARACTERS }: StartOptions = {},
): Program {
  if (ending) throw new Error(`expected nothing to be started at the end, got ${name}`);
  const child = spawn(command, args, { env, cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-keptCharacters);
    });
  }
  const gone = whenGone(child);
  const running = () => child.exitCode === null && child.signalCode === null;
  const program: Program = {
    name,
    pid: child.pid,
    running,
    said: () => said,
    async kill() {
      if (running()) child.kill('SIGKILL');
      await gone;
    },
    ended: () => gone,
  };
  started.add(program);
  void gone.then(() => started.delete(program));
  return program;
}

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'router-programs-'));
  folders.add(folder);
  return folder;
}

/** Ends what still runs, and removes what it worked in. */
export async function endAllPrograms(): Promise<void> {
  ending = true;
  await Promise.all([...started].map((program) => program.kill()));
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
}

/** Waits until `url` answers 200. */
export async function untilReady(program: Program, url: string): Promise<void> {
  while (program.running()) {
    const reply = await fetch(url).catch(() => undefined);
    await reply?.body?.cancel();
    if (reply?.status === 200) return;
    await delay(100);
  }
  throw new Error(`expected ${program.name} to listen, but it ended; it said: ${program.said()}`);
}

/** Waits until the program has written what `pattern` finds. */
export async function untilSaid(program: Program, pattern: RegExp): Promise<RegExpExecArray> {
  for (;;) {
    const found = pattern.exec(program.said());
    if (found !== null) return found;
    if (!program.running()) {
      throw new Error(
        `expected ${program.name} to get ready, but it ended; it said: ${program.said()}`,
      );
    }
    await delay(20);
  }
}

/** For programs that insist on being told their port; somebody could take it in between, and then they say so. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('expected a TCP port');
  return address.port;
}

function whenGone(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => {
    // A command that isn't there has no exit, only this.
    child.once('error', () => resolve(127));
    child.once('close', (code) => resolve(code));
  });
}

/** Runs a program to its end and returns what it wrote; fails with its own words. */
export async function outputOf(
  command: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<string> {
  const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0)
    throw new Error(`expected ${command} to end well, it said: ${stderr.slice(-2000)}`);
  return stdout;
}
