/**
 * Starts the model host as a child process and tells when it ends and why. The child gets the few environment variables that a
 * program needs to start, and nothing else: no key, no settings of the router. It never keeps an otherwise finished parent alive.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { Socket } from 'node:net';
import { readFromHost } from './hostMessages.ts';
import type { FromHost, HostSettings, ToHost } from './hostProtocol.ts';
import { hostLaunch } from './hostWalls.ts';

export interface HostProcess {
  readonly pid: number | undefined;
  send(message: ToHost): void;
  /** While work is in flight the parent waits for the host; else it may end whenever it likes. */
  keepParentAlive(keep: boolean): void;
  /** Ends the child at once and resolves when it is gone. */
  kill(): Promise<void>;
}

export interface HostListener {
  onMessage(message: FromHost): void;
  /** Called once, for whatever reason the child is gone. */
  onExit(why: string): void;
}

const PASSED_ON = [
  'PATH',
  'HOME',
  'USERPROFILE',
  'LANG',
  'LC_ALL',
  'TMPDIR',
  'TEMP',
  'TMP',
  'SystemRoot',
  'windir',
  'LD_LIBRARY_PATH',
  'DYLD_LIBRARY_PATH',
  'CUDA_VISIBLE_DEVICES',
];

const LAST_WORDS = 300;

export function startHostProcess(settings: HostSettings, listener: HostListener): HostProcess {
  const { execPath, execArgv } = hostLaunch(settings.tempDir);
  const child = fork(hostEntry(), {
    env: hostEnvironment(process.env),
    execPath,
    execArgv: [...execArgv],
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let lastWords = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    lastWords = (lastWords + text).slice(-LAST_WORDS);
  });
  const gone = new Promise<void>((settle) => {
    const end = (why: string) => {
      settle();
      listener.onExit(why);
    };
    child.on('error', (error) => {
      // Raised for failed signals too; only a child that never started has no `exit` to follow.
      if (child.pid === undefined) end(error.message);
    });
    child.once('exit', (code, signal) => end(reasonOf(code, signal, lastWords)));
  });
  child.on('message', (value) => {
    const message = readFromHost(value);
    if (message !== undefined) return listener.onMessage(message);
    lastWords = 'it said something that no host says';
    child.kill('SIGKILL');
  });
  child.unref();

  const host: HostProcess = {
    pid: child.pid,
    send(message) {
      // A child that is just ending takes no more messages; its `exit` tells everybody concerned.
      if (child.connected) child.send(message, () => undefined);
    },
    keepParentAlive: (keep) => setReferences(child, keep),
    async kill() {
      child.kill('SIGKILL');
      // Whoever waits for the end must not run out of events before it comes.
      child.ref();
      if (child.pid !== undefined) await gone;
    },
  };
  setReferences(child, false);
  host.send({ type: 'configure', settings });
  return host;
}

/** The child's environment: only what is on the list, and Electron's switch where the parent runs on Electron. */
export function hostEnvironment(parent: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const environment: NodeJS.ProcessEnv = {};
  for (const name of PASSED_ON) {
    const value = parent[name];
    if (value !== undefined) environment[name] = value;
  }
  return 'electron' in process.versions
    ? { ...environment, ELECTRON_RUN_AS_NODE: '1' }
    : environment;
}

/** In a checkout the host is a TypeScript file beside this one, in the bundle a JavaScript file. */
function hostEntry(): URL {
  const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
  return new URL(`./modelHost${extension}`, import.meta.url);
}

function setReferences(child: ChildProcess, keep: boolean): void {
  const stderr = child.stderr instanceof Socket ? child.stderr : undefined;
  if (keep) {
    child.ref();
    child.channel?.ref();
  } else {
    child.unref();
    child.channel?.unref();
    stderr?.unref();
  }
}

function reasonOf(code: number | null, signal: NodeJS.Signals | null, lastWords: string): string {
  const end = signal === null ? `ended with code ${code}` : `was ended by ${signal}`;
  const line = lastWords.trim().split('\n').at(-1)?.trim();
  return line === undefined || line === '' ? end : `${end}: ${line}`;
}
