/**
 * The clock that budgets go by, on this machine: the wall clock while it agrees with the time since the machine started,
 * that time otherwise. What was last believed is kept beside the ledger, in `ledger.clock.json`.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { uptime } from 'node:os';
import { z } from 'zod';
import type { Clock } from '../core/ports.ts';
import {
  type ClockMarks,
  type ClockReading,
  clockMovedText,
  isConfirmed,
  isSameBoot,
  judgeStart,
  steadyTime,
  whyUnbelieved,
} from '../core/steadyClock.ts';

/** A clock that a ledger tells what it last knew, before it is asked for the time. */
export interface LedgerClock extends Clock {
  /** Called once, when the ledger has been read and before anything is written to it. */
  begin(newestEntryMs: number | undefined): void;
  /** Why nothing may be reserved: no month is known to have come. */
  closedWhy(): string | undefined;
}

export interface LedgerClockOptions {
  /** `ledger.clock.json`. */
  readonly path: string;
  /** Told once each time the clock moves away from the steady one. */
  readonly onMoved: (text: string) => void;
  readonly read?: () => ClockReading;
}

const readingSchema = z.object({
  wallMs: z.number(),
  uptimeMs: z.number(),
  boot: z.string().optional(),
});

const marksSchema = z.object({
  version: z.literal(1),
  seenMs: z.number().optional(),
  believed: readingSchema.optional(),
  confirmed: readingSchema.optional(),
});

export function clockFile(ledgerPath: string): string {
  return ledgerPath.replace(/\.sqlite$/, '.clock.json');
}

export function createLedgerClock(options: LedgerClockOptions): LedgerClock {
  const read = options.read ?? readMachineClock;
  let start = judged(read(), undefined);
  let told = false;
  let seenMs = start.baseMs;

  function judged(reading: ClockReading, newestEntryMs: number | undefined) {
    const verdict = judgeStart(reading, readMarks(options.path), newestEntryMs);
    return { ...verdict, uptimeMs: reading.uptimeMs };
  }

  function begin(newestEntryMs: number | undefined): void {
    const reading = read();
    start = judged(reading, newestEntryMs);
    if (start.kind !== 'unbelieved') believe(options.path, reading, start.baseMs);
    seenMs = start.baseMs;
  }

  /** A person may have confirmed the clock since, or set it right. */
  function judgeAgain(reading: ClockReading): void {
    const { confirmed } = readMarks(options.path);
    const isRight =
      start.kind === 'unbelieved' && judgeStart(reading, NO_MARKS, start.baseMs).kind === 'agrees';
    if (!isRight && (confirmed === undefined || !isConfirmed(reading, confirmed))) return;
    start = { kind: 'agrees', baseMs: reading.wallMs, uptimeMs: reading.uptimeMs };
    told = false;
    believe(options.path, reading, reading.wallMs);
  }

  function now(): number {
    const reading = read();
    let time = steadyTime(start, reading);
    if (start.kind !== 'unbelieved' && time.nowMs - seenMs >= DAY_MS) {
      seenMs = time.nowMs;
      believe(options.path, reading, seenMs);
    }
    if (time.apartMs === 0) {
      told = false;
      return time.nowMs;
    }
    judgeAgain(reading);
    time = steadyTime(start, reading);
    if (time.apartMs !== 0 && start.kind !== 'unbelieved' && !told) {
      told = true;
      options.onMoved(clockMovedText(time.apartMs, time.nowMs));
    }
    return time.nowMs;
  }

  return {
    begin,
    now,
    monotonicMs: () => performance.now(),
    closedWhy() {
      if (start.kind !== 'unbelieved') return undefined;
      const reading = read();
      judgeAgain(reading);
      return whyUnbelieved(start, reading.wallMs);
    },
  };
}

/** What a person confirms: the wall clock as it stands is believed from now on. */
export function confirmClock(path: string, reading: ClockReading = readMachineClock()): void {
  writeMarks(path, { seenMs: reading.wallMs, believed: reading, confirmed: reading });
}

/** Marks the wall clock once in each start of the machine, and the time at which a program ran once a day. */
function believe(path: string, reading: ClockReading, nowMs: number): void {
  const marks = readMarks(path);
  const isMarked = marks.believed !== undefined && isSameBoot(reading, marks.believed);
  if (isMarked && Math.abs(nowMs - (marks.seenMs ?? 0)) < DAY_MS) return;
  const believed = isMarked ? marks.believed : reading;
  try {
    writeMarks(path, { seenMs: nowMs, believed, confirmed: marks.confirmed });
  } catch {
    // A folder that can't be written closes the ledger by itself.
  }
}

const DAY_MS = 86_400_000;

const NO_MARKS: ClockMarks = { seenMs: undefined, believed: undefined, confirmed: undefined };

export function readMarks(path: string): ClockMarks {
  try {
    const read = marksSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
    const { seenMs, believed, confirmed } = read;
    return {
      seenMs,
      believed: believed && readingOf(believed),
      confirmed: confirmed && readingOf(confirmed),
    };
  } catch {
    // None yet, or a torn one: then the newest entry of the ledger has to do.
    return NO_MARKS;
  }
}

function readingOf({ wallMs, uptimeMs, boot }: z.infer<typeof readingSchema>): ClockReading {
  return { wallMs, uptimeMs, boot };
}

function writeMarks(path: string, marks: ClockMarks): void {
  const draft = `${path}.${process.pid}`;
  try {
    writeFileSync(draft, JSON.stringify({ version: 1, ...marks }), { mode: 0o600 });
    renameSync(draft, path);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
}

/** Asking the system for its uptime costs more than a whole decision, so it is carried on for this long. */
const CARRIED_MS = 1_000;
/** What rounding may put between the two; a machine that slept or a clock that was set puts more. */
const APART_MS = 5;
let asked:
  | { readonly wallMs: number; readonly uptimeMs: number; readonly atMs: number }
  | undefined;

export function readMachineClock(): ClockReading {
  const wallMs = Date.now();
  const atMs = performance.now();
  if (asked !== undefined) {
    const sinceMs = atMs - asked.atMs;
    // The process's own clock stands still in a machine's sleep; the wall clock then tells.
    if (sinceMs < CARRIED_MS && Math.abs(wallMs - asked.wallMs - sinceMs) < APART_MS) {
      return { wallMs, uptimeMs: Math.round(asked.uptimeMs + sinceMs), boot: bootId };
    }
  }
  // Whole milliseconds: times of the ledger are integers.
  asked = { wallMs, uptimeMs: Math.round(uptime() * 1000), atMs };
  return { wallMs, uptimeMs: asked.uptimeMs, boot: bootId };
}

/** Linux names every start of the machine; elsewhere only the distance in time tells. */
const bootId = readBootId();

function readBootId(): string | undefined {
  if (process.platform !== 'linux') return undefined;
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return undefined;
  }
}
