/**
 * What keeps the model host from the network and from writing files, besides having no use for either. On Linux, where the
 * system lets a user do so, it runs in a network namespace of its own, which has no way out, not even for native code.
 * Everywhere Node's permission model keeps its JavaScript from writing elsewhere (and, from Node 25 on, off the network);
 * `closeNetwork` does the latter for Node 24.
 */
import { spawnSync } from 'node:child_process';
import { Socket as DatagramSocket } from 'node:dgram';
import { Server, Socket } from 'node:net';

export interface HostLaunch {
  readonly execPath: string;
  readonly execArgv: readonly string[];
}

const UNSHARE = 'unshare';
/** The same user inside, so that files and signals are as before, and no network but an own loopback that is down. */
const OWN_NETWORK = ['--map-current-user', '--net', '--'];

/** Node's own fork takes these: what to run, and what to put before the module. */
export function hostLaunch(tempDir: string): HostLaunch {
  const node = nodeFlags(tempDir);
  return ownNetworkWorks()
    ? { execPath: UNSHARE, execArgv: [...OWN_NETWORK, process.execPath, ...node] }
    : { execPath: process.execPath, execArgv: node };
}

let works: boolean | undefined;

/** Containers and some distributions forbid it; asking takes some milliseconds, once. */
function ownNetworkWorks(): boolean {
  works ??=
    process.platform === 'linux' &&
    spawnSync(UNSHARE, [...OWN_NETWORK, 'true'], { stdio: 'ignore', timeout: 5000 }).status === 0;
  return works;
}

/** The engine tries its binary in a child of its own and is native itself, so these two stay allowed. */
function nodeFlags(tempDir: string): readonly string[] {
  if ('electron' in process.versions) return [];
  return [
    '--permission',
    '--allow-addons',
    '--allow-child-process',
    '--allow-fs-read=*',
    `--allow-fs-write=${tempDir}`,
    '--disable-warning=SecurityWarning',
  ];
}

/** Takes the ways out of this process's JavaScript. To be called first of all, and never undone. */
export function closeNetwork(): void {
  const refuse = (): never => {
    throw new Error('expected the model host to need no network, got a call for it');
  };
  for (const [prototype, names] of [
    [Socket.prototype, ['connect']],
    [Server.prototype, ['listen']],
    [DatagramSocket.prototype, ['bind', 'connect', 'send']],
  ] as const) {
    for (const name of names) {
      Object.defineProperty(prototype, name, {
        value: refuse,
        writable: false,
        configurable: false,
      });
    }
  }
}
