/** A real PostgreSQL for tests: the one that is named in the environment, or a server of our own from installed binaries. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomInt, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, type TestContext } from 'node:test';
import pg from 'pg';

export interface PostgresServer {
  /** Of a user that may create databases, with its password. */
  readonly url: string;
  /** Ends every process of the server without a word to any client and starts it again, as after a power cut. */
  restart(): Promise<void>;
  /** Ends it in the same way. */
  kill(): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

const { COST_AWARE_ROUTER_TEST_POSTGRES: NAMED = '' } = process.env;
const STARTED_WITHIN_MS = 120_000;

/** Why there is no PostgreSQL to test with, or `undefined` when there is one. */
export const lacksPostgres: string | undefined =
  NAMED !== '' || binaries() !== undefined
    ? undefined
    : 'no PostgreSQL (install Debian\'s package "postgresql", or name one in COST_AWARE_ROUTER_TEST_POSTGRES)';

/** Why there is none that a test may restart. */
export const lacksOwnPostgres: string | undefined =
  binaries() === undefined ? 'no binaries of PostgreSQL to start a server from' : undefined;

let shared: Promise<PostgresServer> | undefined;

/** To be called outside of any test, by a file whose tests ask for databases. */
export function endPostgresAfterTests(): void {
  after(async () => {
    await (await shared)?.stop();
  });
}

/** A new, empty database. All tests of one file share a server. */
export async function freshDatabase(t: TestContext): Promise<string> {
  if (NAMED !== '') return await databaseIn(NAMED, t);
  shared ??= startPostgres();
  return await databaseIn((await shared).url, t);
}

export async function databaseIn(serverUrl: string, t: TestContext): Promise<string> {
  const name = `ledger_test_${randomUUID().replaceAll('-', '')}`;
  await runSql(serverUrl, `CREATE DATABASE ${name}`);
  // A server of our own takes its databases with it when it ends.
  if (serverUrl === NAMED) {
    t.after(() => runSql(serverUrl, `DROP DATABASE ${name} WITH (FORCE)`));
  }
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.href;
}

export async function runSql(
  url: string,
  sql: string,
): Promise<readonly Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  try {
    const reply = await client.query(sql);
    return reply.rows;
  } finally {
    await client.end();
  }
}

/** Starts a server on a free port of this machine, in a folder of its own. */
export async function startPostgres(): Promise<PostgresServer> {
  const bin = binaries();
  if (bin === undefined) throw new Error(`expected PostgreSQL, got ${lacksOwnPostgres}`);
  const folder = mkdtempSync(join(tmpdir(), 'postgres-test-'));
  const data = join(folder, 'data');
  // Nobody else's server answers to it.
  const password = `a secret of the tests ${randomUUID()}`;
  const user = otherUser();
  if (user !== undefined) chownSync(folder, user.uid, user.gid);
  const passwordFile = join(folder, 'password');
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o644 });
  const as = user === undefined ? {} : { uid: user.uid, gid: user.gid };
  const env = { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8' };
  execFileSync(
    join(bin, 'initdb'),
    ['-D', data, '-U', 'team', '-A', 'scram-sha-256', '--pwfile', passwordFile, '-E', 'UTF8'],
    { ...as, env, cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] },
  );
  let port = 0;
  let url = '';
  let server: ChildProcess | undefined;

  async function start(): Promise<void> {
    const deadlineMs = performance.now() + STARTED_WITHIN_MS;
    server = spawn(
      join(bin ?? '', 'postgres'),
      [
        '-D',
        data,
        '-p',
        `${port}`,
        '-k',
        folder,
        '-c',
        'listen_addresses=127.0.0.1',
        '-c',
        'max_connections=200',
      ],
      { ...as, env, cwd: folder, stdio: ['ignore', 'ignore', 'ignore'] },
    );
    const ended = once(server, 'exit');
    for (;;) {
      try {
        await runSql(url, 'SELECT 1');
        return;
      } catch (error) {
        if (performance.now() > deadlineMs || server.exitCode !== null) throw error;
      }
      await Promise.race([new Promise((resolve) => setTimeout(resolve, 50)), ended]);
    }
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return;
    const ended = once(server, 'exit');
    server.kill(signal);
    await ended;
  }

  // SIGQUIT is what `pg_ctl -m immediate` sends: no checkpoint, no farewell; the log is replayed at the next start.
  const kill = () => end('SIGQUIT');
  // Somebody may take a port between the look at it and the start.
  for (let tries = 1; port === 0; tries += 1) {
    port = await freePort();
    url = `postgres://team:${encodeURIComponent(password)}@127.0.0.1:${port}/postgres`;
    try {
      await start();
    } catch (error) {
      if (tries === 5 || server?.exitCode === null) throw error;
      port = 0;
    }
  }
  return {
    url,
    start,
    kill,
    async restart() {
      await kill();
      await start();
    },
    async stop() {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The folder of `initdb` and `postgres`: on the path, or where Debian keeps them, the newest version first. */
function binaries(): string | undefined {
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian)
    ? readdirSync(debian).sort((a, b) => Number(b) - Number(a))
    : [];
  const { PATH = '' } = process.env;
  const folders = [
    ...PATH.split(delimiter),
    ...versions.map((version) => join(debian, version, 'bin')),
  ];
  return folders.find(
    (folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres')),
  );
}

/** PostgreSQL refuses to run as root; its package brings a user for it. */
function otherUser(): { readonly uid: number; readonly gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (flag: string) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

/** Below those that systems give to outgoing connections, or one of them could have it while the server starts again. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 32_000);
    const probe = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      probe.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!isFree) continue;
    probe.close();
    await once(probe, 'close');
    return port;
  }
}
