/**
 * Which time budgets go by. The wall clock can be set by anyone; the time since the machine started, sleep included,
 * only runs. While a program runs, the wall clock is believed as long as the two agree. When it starts, a wall clock
 * that is far from what was last seen is not believed until a person says so. Pure: a reading in, a verdict out.
 */

/** Both clocks of the machine, read at once. */
export interface ClockReading {
  /** Milliseconds since the epoch, UTC. */
  readonly wallMs: number;
  /** Milliseconds since the machine started, sleep included. */
  readonly uptimeMs: number;
  /** Tells one start of the machine from another; `undefined` where the system does not say. */
  readonly boot: string | undefined;
}

/** When the wall clock was first believed in this start of the machine, and when a person last confirmed one. */
export interface ClockMarks {
  /** The newest time, by the clock that budgets go by, at which a program was known to run. */
  readonly seenMs: number | undefined;
  readonly believed: ClockReading | undefined;
  readonly confirmed: ClockReading | undefined;
}

/** The verdict when a program starts. Budgets go by `baseMs` plus the time since `reading`. */
export type ClockStart =
  | { readonly kind: 'agrees'; readonly baseMs: number }
  /** The same start of the machine was marked before, so the time is known although the wall clock moved. */
  | { readonly kind: 'moved'; readonly baseMs: number; readonly byMs: number }
  /** Nothing says whether so much time has passed: no month opens, and the cloud tier stays closed. */
  | {
      readonly kind: 'unbelieved';
      readonly baseMs: number;
      readonly side: 'ahead' | 'behind';
      readonly byMs: number;
    };

/** The two clocks may drift apart this far: steps of a time server, and the difference of their oscillators. */
export const TOLERANCE_MS = 5 * 60_000;
const DAY_MS = 86_400_000;
/** Away for longer than this, and a person is asked once. */
const MOST_AHEAD_MS = 45 * DAY_MS;
/** A machine that keeps local time in its hardware clock is hours behind until a time server is reached. */
const MOST_BEHIND_MS = DAY_MS;

/** @param newestEntryMs when the newest event of the ledger was written, by the clock that budgets went by */
export function judgeStart(
  reading: ClockReading,
  { believed, confirmed, seenMs }: ClockMarks,
  newestEntryMs: number | undefined,
): ClockStart {
  const { wallMs } = reading;
  if (confirmed !== undefined && isConfirmed(reading, confirmed)) {
    return { kind: 'agrees', baseMs: wallMs };
  }
  if (believed !== undefined && isSameBoot(reading, believed)) {
    // The mark stays where it is, so that many small steps are no way to a later month.
    const expectedMs = believed.wallMs + (reading.uptimeMs - believed.uptimeMs);
    const byMs = wallMs - expectedMs;
    return Math.abs(byMs) <= TOLERANCE_MS
      ? { kind: 'agrees', baseMs: expectedMs }
      : { kind: 'moved', baseMs: expectedMs, byMs };
  }
  const known = [believed?.wallMs, seenMs, newestEntryMs].filter((ms) => ms !== undefined);
  // First use: there is no month that could be opened too early.
  if (known.length === 0) return { kind: 'agrees', baseMs: wallMs };
  const lastMs = Math.max(...known);
  const byMs = wallMs - lastMs;
  if (byMs > MOST_AHEAD_MS) return { kind: 'unbelieved', baseMs: lastMs, side: 'ahead', byMs };
  if (-byMs > MOST_BEHIND_MS) return { kind: 'unbelieved', baseMs: lastMs, side: 'behind', byMs };
  return { kind: 'agrees', baseMs: wallMs };
}

/** The time budgets go by, some time after a start. */
export interface SteadyTime {
  readonly nowMs: number;
  /** How far the wall clock is from it; zero while they agree. */
  readonly apartMs: number;
}

/** @param start when `baseMs` was right, by the time since the machine started */
export function steadyTime(
  start: { readonly baseMs: number; readonly uptimeMs: number },
  reading: ClockReading,
): SteadyTime {
  const expectedMs = start.baseMs + (reading.uptimeMs - start.uptimeMs);
  const apartMs = reading.wallMs - expectedMs;
  return Math.abs(apartMs) <= TOLERANCE_MS
    ? { nowMs: reading.wallMs, apartMs: 0 }
    : { nowMs: expectedMs, apartMs };
}

/** Whether the wall clock of `reading` is the one that a person confirmed at `mark`, with the time since. */
export function isConfirmed(reading: ClockReading, mark: ClockReading): boolean {
  const sinceMs = isSameBoot(reading, mark) ? reading.uptimeMs - mark.uptimeMs : 0;
  return Math.abs(reading.wallMs - mark.wallMs - sinceMs) <= TOLERANCE_MS;
}

/** Whether a start of the machine has a mark of its own already. */
export function isSameBoot(reading: ClockReading, mark: ClockReading): boolean {
  return (
    reading.boot !== undefined && reading.boot === mark.boot && reading.uptimeMs >= mark.uptimeMs
  );
}

/** Why the cloud tier is closed by the clock, or `undefined`. */
export function whyUnbelieved(start: ClockStart, wallMs: number): string | undefined {
  if (start.kind !== 'unbelieved') return undefined;
  const days = Math.round(Math.abs(start.byMs) / DAY_MS);
  return (
    `expected the clock to be near ${minute(start.baseMs)}, when the ledger was last used, got ${minute(wallMs)}, ` +
    `${days} days ${start.side}; set the clock right, or confirm it with: ${CONFIRM}`
  );
}

/** What a person is told whose clock moved while budgets go on by the steady one. */
export function clockMovedText(apartMs: number, nowMs: number): string {
  const minutes = Math.round(Math.abs(apartMs) / 60_000);
  const far = minutes < 120 ? `${minutes} minutes` : `${Math.round(minutes / 60)} hours`;
  const side = apartMs > 0 ? 'forward' : 'back';
  return (
    `The clock of this machine moved ${far} ${side}, but so much time has not passed; budgets go on by ` +
    `${minute(nowMs)}. Set the clock right, or confirm it with: ${CONFIRM}`
  );
}

const CONFIRM = 'cost-aware-router ledger clock --accept';

function minute(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
