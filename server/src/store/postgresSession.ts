/**
 * One connection to PostgreSQL as this project uses it: set up for durable commits, several statements in one flight, no
 * wait without an end, and faults told apart once. A connection that failed is never used again.
 */
import pg from 'pg';
import type { Row } from './sqliteRows.ts';

/** All tables of a ledger lie in a schema of their own, so that it may share a database with other programs. */
export const SCHEMA = 'cost_aware_router';

/** Told by NOTIFY when a ledger has changed; the message itself is empty. */
export const CHANGED = 'cost_aware_router_changed';

export interface PostgresTimes {
  /** Also the longest wait for the end of a connection. */
  readonly connectMs: number;
  /** The longest wait for another process's transaction. */
  readonly lockMs: number;
  readonly statementMs: number;
  /** After which a server that has not answered counts as gone; above the other two. */
  readonly replyMs: number;
}

export const POSTGRES_TIMES: PostgresTimes = {
  connectMs: 3_000,
  lockMs: 5_000,
  statementMs: 10_000,
  replyMs: 15_000,
};

export interface Statement {
  readonly text: string;
  readonly values?: readonly unknown[];
  /** Statements with a name are prepared once per connection. */
  readonly name?: string;
}

export interface Reply {
  readonly rows: readonly Row[];
  /** What the server says it did: `COMMIT`, or `ROLLBACK` for a commit of what had failed. */
  readonly command: string;
}

export interface PostgresSession {
  /** Sends all statements at once and waits for all replies; throws the first failure. */
  flight(statements: readonly Statement[]): Promise<readonly Reply[]>;
  isAlive(): boolean;
  readonly backendPid: number;
  /** Told once, when the connection has ended in any way but by `end`. */
  onLost(listener: () => void): void;
  onNotified(listener: (backendPid: number) => void): void;
  /** Ends the connection, at once when something is still under way on it. */
  end(): Promise<void>;
}

/** The server can't be reached, or went away in the middle; what was asked may have happened. */
export class ServerAwayError extends Error {
  override readonly name: string = 'ServerAwayError';
}

/** Where a ledger lies. The URL may hold a password, so only `label` is ever shown. */
export interface PostgresPlace {
  readonly url: string;
  /** Host and database. */
  readonly label: string;
}

const CHECKED_TLS = new Set(['require', 'verify-ca', 'verify-full']);

/** @returns why it is no place, as a sentence that repeats nothing of the URL */
export function placeOf(url: string): PostgresPlace | string {
  const expected =
    'expected the ledger as a URL such as postgres://user@host/database?sslmode=verify-full';
  if (!/^postgres(ql)?:\/\//.test(url)) return `${expected}, got another kind of address`;
  const [, mode] = /[?&]sslmode=([^&]*)/.exec(url) ?? [];
  if (mode !== undefined && mode !== 'disable' && mode !== 'no-verify' && !CHECKED_TLS.has(mode)) {
    return `${expected}, got an unknown sslmode; use verify-full, no-verify or disable`;
  }
  // The client library calls a checked certificate by this name only, and warns of the others.
  const strict =
    mode !== undefined && CHECKED_TLS.has(mode)
      ? url.replace(/([?&]sslmode=)[^&]*/, '$1verify-full')
      : url;
  try {
    const { host, port, database } = new pg.Client({ connectionString: strict });
    const at = host.startsWith('/') ? host : `${host}:${port}`;
    return { url: strict, label: `${at}/${database ?? ''}` };
  } catch {
    return `${expected}, got one that can't be read; encode signs such as @ and # in its password as %40 and %23`;
  }
}

/** Whole numbers come as text from the server. One that JavaScript can't hold exactly is never rounded. */
function wholeNumber(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value)) return value;
  throw new TypeError(`expected a whole number below 2^53 in the ledger, got ${text}`);
}

const INT8 = 20;
const NUMERIC = 1700;

const types = {
  getTypeParser(oid: number, format?: 'text' | 'binary') {
    return oid === INT8 || oid === NUMERIC
      ? wholeNumber
      : pg.types.getTypeParser(oid, format ?? 'text');
  },
};

/** `remote_apply` is the one setting that waits for more than `on` does. */
function setUp(times: PostgresTimes): string {
  return `SET search_path = ${SCHEMA}; SET statement_timeout = ${times.statementMs};
SET lock_timeout = ${times.lockMs}; SET idle_in_transaction_session_timeout = ${times.replyMs};
SET idle_session_timeout = 0; SET default_transaction_isolation = 'read committed'; SET timezone = 'UTC'; SET jit = off;
SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3;
SELECT set_config('synchronous_commit',
  CASE current_setting('synchronous_commit') WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, false)`;
}

export async function connectPostgres(
  place: PostgresPlace,
  times: PostgresTimes,
): Promise<PostgresSession> {
  const client = new pg.Client({
    connectionString: place.url,
    application_name: 'cost-aware-router',
    connectionTimeoutMillis: times.connectMs,
    query_timeout: times.replyMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    pipeline: true,
    types,
  });
  const lost: (() => void)[] = [];
  let state: 'open' | 'ending' | 'gone' = 'open';
  const gone = () => {
    if (state === 'open') for (const listener of lost) queueMicrotask(listener);
    state = 'gone';
  };
  client.on('error', gone);
  client.on('end', gone);
  let underWay = 0;
  let backendPid: number;
  try {
    await client.connect();
    await client.query(setUp(times));
    const { rows } = await client.query('SELECT pg_backend_pid() AS pid');
    backendPid = Number(rows[0].pid);
  } catch (error) {
    state = 'ending';
    // It may never have been connected, and then there is no end to wait for.
    void client.end().catch(() => undefined);
    throw told(error);
  }

  async function flight(statements: readonly Statement[]): Promise<readonly Reply[]> {
    if (state !== 'open') throw new ServerAwayError('the connection was lost');
    underWay += 1;
    const settled = await Promise.allSettled(
      statements.map(({ text, values, name }) => {
        const query: pg.QueryConfig & { query_timeout: number } = {
          text,
          query_timeout: times.replyMs,
          ...(values === undefined ? {} : { values: [...values] }),
          ...(name === undefined ? {} : { name }),
        };
        return client.query(query);
      }),
    );
    underWay -= 1;
    return settled.map((one) => {
      if (one.status === 'rejected') {
        const error = told(one.reason);
        // What still comes on this connection would belong to a statement that nobody waits for.
        if (error instanceof ServerAwayError) {
          gone();
          client.connection.stream.destroy();
        }
        throw error;
      }
      return { rows: one.value.rows as Row[], command: one.value.command };
    });
  }

  async function end(): Promise<void> {
    if (state !== 'open') return;
    state = 'ending';
    const { stream } = client.connection;
    if (underWay > 0) stream.destroy();
    // A server that is silent never answers the farewell either.
    const enough = setTimeout(() => stream.destroy(), times.connectMs);
    await client.end().catch(() => undefined);
    clearTimeout(enough);
  }

  return {
    flight,
    isAlive: () => state === 'open',
    backendPid,
    onLost: (listener) => void lost.push(listener),
    onNotified: (listener) =>
      void client.on('notification', (message) => listener(message.processId)),
    end,
  };
}

/** The client library's errors without the server's own code are all of one kind: the server is not there. */
function told(error: unknown): unknown {
  if (error instanceof Error && sqlStateOf(error) === undefined && !(error instanceof TypeError)) {
    return new ServerAwayError(error.message, { cause: error });
  }
  return error;
}

export function sqlStateOf(error: unknown): string | undefined {
  const code = error instanceof pg.DatabaseError ? error.code : undefined;
  return code !== undefined && /^[0-9A-Z]{5}$/.test(code) ? code : undefined;
}
