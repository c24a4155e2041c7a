/**
 * A mixed load on the whole program, over REST: short and long local answers, the cloud, streams, dry runs, clients that leave,
 * and a model host that is killed now and then. Counts what became of every request, and what memory does meanwhile.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { createApi } from '../../server/src/http/api.ts';
import { serveHttp } from '../../server/src/http/serveHttp.ts';
import { createSeededRandom } from '../../server/src/learning/seededRandom.ts';
import { openRealApp } from '../support/realApp.ts';

export interface SoakFigures {
  readonly requests: number;
  /** By how they ended: `answered`, `left`, or the code of a failure. */
  readonly ends: ReadonlyMap<string, number>;
  readonly kills: number;
  /** Requests that ended in none of the ways that they may. */
  readonly lost: readonly string[];
  /** After each collection of garbage, in order. Empty where the collector can't be called. */
  readonly heapBytes: readonly number[];
  readonly rssBytes: readonly number[];
  /** Of model hosts that have answered. */
  readonly hostRssBytes: readonly number[];
  readonly openHandles: readonly [first: number, last: number];
  readonly ledgerProblem: string | undefined;
  readonly heldUsd: number;
  readonly spentUsd: number;
}

const CLIENTS = 4;
const TOKEN = 'T'.repeat(43);

/** What may come of a request besides an answer, while hosts are killed under it. */
const EXPECTED_FAILURES = new Set(['model_crashed', 'too_busy', 'cancelled']);

export async function soak(
  seconds: number,
  seed: number,
  onSample: (line: string) => void = () => {},
): Promise<SoakFigures> {
  const random = createSeededRandom(seed);
  const real = await openRealApp({ monthlyBudgetNanoUsd: null });
  const { app } = real;
  const api = createApi({
    router: app.router,
    ports: app.ports,
    settings: () => app.settings(),
    token: TOKEN,
    version: 'soak',
  });
  const served = await serveHttp({ api, port: 0 });
  const untilMs = performance.now() + seconds * 1000;
  const going = () => performance.now() < untilMs;
  const ends = new Map<string, number>();
  const lost: string[] = [];
  let requests = 0;
  let kills = 0;
  /** A model whose loading dies twice in a minute is left alone on purpose, so hosts are killed after an answer only. */
  let mayKill = false;

  async function client(): Promise<void> {
    while (going()) {
      requests += 1;
      const nth = requests;
      const kind = random.below(10);
      const end = await ask(
        served.url,
        bodyOf(kind, nth),
        kind === 9 ? 20 + random.below(400) : undefined,
      );
      ends.set(end, (ends.get(end) ?? 0) + 1);
      if (end === 'answered' && isLocal(kind)) mayKill = true;
      const allowed =
        end === 'answered' || (kind === 9 && end === 'left') || EXPECTED_FAILURES.has(end);
      if (!allowed) lost.push(`request ${nth} of kind ${kind}: ${end}`);
    }
  }

  async function killer(): Promise<void> {
    const everyMs = Math.max(4000, (seconds * 1000) / 40);
    while (going()) {
      await delay(Math.min(everyMs, Math.max(1, untilMs - performance.now())));
      const pid = app.local.hostPid();
      if (pid === undefined || !mayKill || !going()) continue;
      process.kill(pid, 'SIGKILL');
      kills += 1;
      mayKill = false;
    }
  }

  const heapBytes: number[] = [];
  const rssBytes: number[] = [];
  const hostRssBytes: number[] = [];
  const handles = () => process.getActiveResourcesInfo().length;
  let firstHandles = 0;
  async function sampler(): Promise<void> {
    const everyMs = Math.max(1000, (seconds * 1000) / 60);
    while (going()) {
      await delay(Math.min(everyMs, Math.max(1, untilMs - performance.now())));
      globalThis.gc?.();
      const { heapUsed, rss } = process.memoryUsage();
      if (globalThis.gc !== undefined) heapBytes.push(heapUsed);
      rssBytes.push(rss);
      const host = residentBytes(app.local.hostPid());
      // A host that is still loading is small; only one that has answered shows what it keeps.
      if (host !== undefined && mayKill) hostRssBytes.push(host);
      firstHandles ||= handles();
      onSample(
        `${requests} requests, heap ${mb(heapUsed)} MB, resident ${mb(rss)} MB, host ${mb(host ?? 0)} MB, ${kills} kills`,
      );
    }
  }

  await Promise.all([...Array.from({ length: CLIENTS }, client), killer(), sampler()]);
  await app.router.idle();
  const lastHandles = handles();
  const budget = await app.budget();
  const ledgerProblem = app.ledgerProblem();
  await served.close();
  await real.close();
  return {
    requests,
    ends,
    kills,
    lost,
    heapBytes,
    rssBytes,
    hostRssBytes,
    openHandles: [firstHandles, lastHandles],
    ledgerProblem,
    heldUsd: budget.heldNanoUsd / 1e9,
    spentUsd: budget.spentNanoUsd / 1e9,
  };
}

function isLocal(kind: number): boolean {
  return kind < 5 || kind > 7;
}

function bodyOf(kind: number, nth: number): object {
  const local = { force_model: 'cheap', max_output_tokens: 6 };
  if (kind < 3) return { prompt: `What is ${nth} plus 1?`, ...local };
  if (kind === 3) return { prompt: 'What is the capital of France?', ...local };
  if (kind === 4)
    return {
      prompt: `${'Some words. '.repeat(60)} What is said ${nth} times?`,
      ...local,
      stream: true,
    };
  if (kind < 7)
    return {
      prompt: `Plan migration ${nth}.`,
      force_model: 'openai',
      max_output_tokens: 64,
      stream: kind === 5,
    };
  if (kind === 7) return { prompt: `Would ${nth} be hard?`, dry_run: true };
  return {
    prompt: `Tell me of the number ${nth}.`,
    stream: true,
    force_model: 'cheap',
    max_output_tokens: 24,
  };
}

/** @returns `answered`, `left` when this client went away, else the code of the failure, or what was wrong */
async function ask(url: string, body: object, leaveAfterMs: number | undefined): Promise<string> {
  const leaving = new AbortController();
  const timer =
    leaveAfterMs === undefined ? undefined : setTimeout(() => leaving.abort(), leaveAfterMs);
  try {
    const reply = await fetch(`${url}/generate`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${TOKEN}` },
      body: JSON.stringify(body),
      signal: leaving.signal,
    });
    const text = await reply.text();
    if (reply.headers.get('content-type')?.startsWith('text/event-stream'))
      return endOfStream(text);
    const told = JSON.parse(text) as { error?: { code: string }; request_id?: string };
    return told.error?.code ?? (told.request_id === undefined ? 'no answer' : 'answered');
  } catch (error) {
    return leaving.signal.aborted ? 'left' : `${error}`;
  } finally {
    clearTimeout(timer);
  }
}

function endOfStream(text: string): string {
  const last = text.trimEnd().split('\n\n').at(-1) ?? '';
  if (last.startsWith('event: end\n')) return 'answered';
  const [, data] = /^event: error\ndata: (.*)$/.exec(last) ?? [];
  return data === undefined ? 'stream without an end' : (JSON.parse(data).error.code as string);
}

function residentBytes(pid: number | undefined): number | undefined {
  if (pid === undefined || process.platform !== 'linux') return undefined;
  try {
    const [, kilobytes] =
      /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
  } catch {
    return undefined;
  }
}

export function mb(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

/** Fails with what went wrong. Memory is judged after the first third, when caches are full. */
export function assertSound(figures: SoakFigures): void {
  assert.deepEqual(figures.lost, [], 'no request is lost');
  assert.ok((figures.ends.get('answered') ?? 0) > 0, 'some are answered');
  assert.equal(figures.ledgerProblem, undefined);
  assert.equal(figures.heldUsd, 0, 'every hold is settled');
  assertFlat('heap', figures.heapBytes, 10e6);
  assertFlat('memory of the model host', figures.hostRssBytes, 50e6);
}

function assertFlat(what: string, samples: readonly number[], slackBytes: number): void {
  // A third needs some samples to have a median.
  if (samples.length < 9) return;
  const { before, after } = drift(samples);
  assert.ok(
    after <= before * 1.3 + slackBytes,
    `expected a flat ${what}, got ${mb(before)} MB and later ${mb(after)} MB`,
  );
}

/** Medians of the second and of the last third. */
export function drift(samples: readonly number[]): {
  readonly before: number;
  readonly after: number;
} {
  const third = Math.floor(samples.length / 3);
  return {
    before: median(samples.slice(third, 2 * third)),
    after: median(samples.slice(2 * third)),
  };
}
