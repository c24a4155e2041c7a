/**
 * Fetches one file over HTTP into a part file, resuming where an earlier attempt was cut. Never hangs on an unreachable
 * host: the time to the first byte and the time between bytes are bounded. It does not judge the content; its caller hashes it.
 */
import { type FileHandle, open, readFile, rm, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { networkFetch } from './network.ts';

export interface HttpDownloadOptions {
  readonly signal?: AbortSignal;
  readonly onBytes?: (received: number, total: number | undefined) => void;
  /** The file's size where it is known; another size on the server is refused before it is fetched. 0 is unknown. */
  readonly expectedBytes: number;
  /** Until the response's headers. @default 10000 */
  readonly connectTimeoutMs?: number;
  /** Between two pieces of the body. @default 30000 */
  readonly stallTimeoutMs?: number;
  /** Pause before a further attempt; doubled with each one that brought nothing. @default 500 */
  readonly retryDelayMs?: number;
}

export type HttpDownloadResult =
  | { readonly kind: 'complete' }
  | { readonly kind: 'failed'; readonly why: string };

/** Attempts in a row that bring no byte before the source is given up. */
const FRUITLESS_ATTEMPTS = 3;

type Attempt =
  | { readonly kind: 'complete' }
  | { readonly kind: 'cut'; readonly why: string; readonly progressed: boolean }
  | { readonly kind: 'hopeless'; readonly why: string };

/** An abort ends in `failed`; the part file stays for the next attempt. */
export async function downloadHttp(
  url: string,
  partPath: string,
  options: HttpDownloadOptions,
): Promise<HttpDownloadResult> {
  const { signal, retryDelayMs = 500 } = options;
  let fruitless = 0;
  for (;;) {
    const attempt = await fetchPart(url, partPath, options);
    if (attempt.kind === 'complete') return attempt;
    if (attempt.kind === 'hopeless') return { kind: 'failed', why: attempt.why };
    if (signal?.aborted) return { kind: 'failed', why: 'cancelled' };
    fruitless = attempt.progressed ? 0 : fruitless + 1;
    if (fruitless >= FRUITLESS_ATTEMPTS) return { kind: 'failed', why: attempt.why };
    await delay(retryDelayMs * 2 ** fruitless, undefined, { signal }).catch(() => undefined);
  }
}

async function fetchPart(
  url: string,
  partPath: string,
  options: HttpDownloadOptions,
): Promise<Attempt> {
  const deadline = createDeadline(options.signal);
  const part = await open(partPath, 'a+');
  let progressed = false;
  try {
    const offset = (await part.stat()).size;
    const etag = offset > 0 ? await readEtag(partPath) : undefined;
    deadline.restart(options.connectTimeoutMs ?? 10_000, 'the server did not answer in time');
    const response = await networkFetch(url, {
      headers: {
        'accept-encoding': 'identity',
        ...(offset > 0 ? { range: `bytes=${offset}-` } : {}),
        ...(etag === undefined ? {} : { 'if-range': etag }),
      },
      signal: deadline.signal,
    });
    const start = await startOf(response, offset, part, options.expectedBytes);
    if (start.kind !== 'body') return start;
    await rememberEtag(partPath, response.headers.get('etag'));

    let received = start.offset;
    options.onBytes?.(received, start.total);
    const stallTimeoutMs = options.stallTimeoutMs ?? 30_000;
    deadline.restart(stallTimeoutMs, 'the server stopped sending');
    for await (const chunk of response.body ?? []) {
      deadline.restart(stallTimeoutMs, 'the server stopped sending');
      await part.write(chunk);
      progressed = true;
      received += chunk.length;
      options.onBytes?.(received, start.total);
      if (start.total !== undefined && received > start.total) {
        return {
          kind: 'hopeless',
          why: `the server sent more than the ${start.total} bytes it announced`,
        };
      }
    }
    if (start.total !== undefined && received < start.total) {
      return {
        kind: 'cut',
        why: `the connection ended at ${received} of ${start.total} bytes`,
        progressed,
      };
    }
    await part.sync();
    return { kind: 'complete' };
  } catch (error) {
    return { kind: 'cut', why: deadline.why() ?? networkReason(error), progressed };
  } finally {
    deadline.clear();
    await part.close();
  }
}

type Start =
  | Attempt
  | { readonly kind: 'body'; readonly offset: number; readonly total: number | undefined };

/** Decides from status and headers where the body belongs in the part file. */
async function startOf(
  response: Response,
  offset: number,
  part: FileHandle,
  expectedBytes: number,
): Promise<Start> {
  const { status } = response;
  if (status === 416) {
    await discardBody(response);
    const total = Number(/\/(\d+)$/.exec(response.headers.get('content-range') ?? '')?.[1]);
    if (total === offset) return { kind: 'complete' };
    await part.truncate(0);
    return { kind: 'cut', why: 'the server refused to resume', progressed: false };
  }
  if (status !== 200 && status !== 206) {
    await discardBody(response);
    const passing = status === 408 || status === 429 || status >= 500;
    const why = `expected the file, got HTTP status ${status}`;
    return passing ? { kind: 'cut', why, progressed: false } : { kind: 'hopeless', why };
  }
  const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get('content-range') ?? '');
  const resumed = status === 206 && Number(range?.[1]) === offset;
  if (status === 206 && !resumed) {
    await discardBody(response);
    await part.truncate(0);
    return { kind: 'cut', why: 'the server sent another range than asked for', progressed: false };
  }
  if (!resumed) await part.truncate(0);
  const total = wholeNumber(resumed ? range?.[2] : response.headers.get('content-length'));
  if (expectedBytes > 0 && total !== undefined && total !== expectedBytes) {
    await discardBody(response);
    return {
      kind: 'hopeless',
      why: `expected a file of ${expectedBytes} bytes, the server has ${total}`,
    };
  }
  return { kind: 'body', offset: resumed ? offset : 0, total };
}

function wholeNumber(text: string | null | undefined): number | undefined {
  return text !== null && text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

async function discardBody(response: Response): Promise<void> {
  await response.body?.cancel().catch(() => undefined);
}

/** Aborts with the caller's signal or when the current step takes too long, and remembers which. */
function createDeadline(signal: AbortSignal | undefined) {
  const controller = new AbortController();
  let reason: string | undefined;
  let timer: NodeJS.Timeout | undefined;
  return {
    signal: signal === undefined ? controller.signal : AbortSignal.any([signal, controller.signal]),
    restart(ms: number, why: string): void {
      clearTimeout(timer);
      timer = setTimeout(() => {
        reason = why;
        controller.abort();
      }, ms);
    },
    why: () => reason,
    clear: () => clearTimeout(timer),
  };
}

/** Node hides the useful word (ENOTFOUND, ECONNREFUSED) in the cause. Host names stay out of it. */
function networkReason(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : undefined;
  return code === undefined ? 'the connection failed' : `the connection failed (${code})`;
}

function etagPath(partPath: string): string {
  return `${partPath}.etag`;
}

async function readEtag(partPath: string): Promise<string | undefined> {
  return await readFile(etagPath(partPath), 'utf8').catch(() => undefined);
}

/** Only a strong tag may stand in `If-Range`. */
async function rememberEtag(partPath: string, etag: string | null): Promise<void> {
  if (etag?.startsWith('"')) await writeFile(etagPath(partPath), etag);
  else await rm(etagPath(partPath), { force: true });
}
