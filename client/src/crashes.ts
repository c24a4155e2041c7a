/** What happens after the server ended by itself: when it may be started again, and how its end is named. Pure. */
import type { Translate } from './translate.ts';

const MAX_RESTARTS = 4;
const WINDOW_MS = 3 * 60_000;

export interface ServerExit {
  readonly code: number | null;
  readonly signal: string | null;
  /** The last line on stderr that looks like an error. */
  readonly errorLine: string | null;
}

export interface CrashVerdict {
  readonly restart: boolean;
  /** Crashes that still count the next time. */
  readonly crashesMs: readonly number[];
}

/** At most four restarts in three minutes; the fifth crash leaves the server off. */
export function afterCrash(earlierMs: readonly number[], nowMs: number): CrashVerdict {
  const crashesMs = [...earlierMs.filter((at) => nowMs - at < WINDOW_MS), nowMs];
  return { restart: crashesMs.length <= MAX_RESTARTS, crashesMs };
}

export function exitCause(exit: ServerExit, t: Translate): string {
  if (exit.signal !== null) return t('ended by {0}', exit.signal);
  if (exit.errorLine !== null) return exit.errorLine;
  if (exit.code !== null) return t('exit code {0}', exit.code);
  return t('its connection closed');
}

/** `TypeError: x is not a function`; other lines of a stack trace are not worth a message. */
export function errorLine(line: string): string | null {
  const found = /^(?:Uncaught )?((?:[A-Z]\w*)?Error(?: \[\w+\])?: .*)$/.exec(line.trim());
  return found?.[1] === undefined ? null : found[1].slice(0, 160);
}
