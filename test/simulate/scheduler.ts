/**
 * Virtual time, and the order of everything that waits in it. Each await of a port is a point here, so that between any
 * two of them another process may go on, time may pass, or the process may end.
 */
import type { Random } from './random.ts';

/** One run of a process, from its start to its end. Nothing of it goes on once it is dead. */
export interface Life {
  readonly name: string;
  alive: boolean;
}

export interface Scheduler {
  /** Milliseconds since the start; never goes back. */
  nowMs(): number;
  /**
   * Waits until the scheduler goes on here; forever when its life ends before.
   * @param life `undefined` for what no process of ours is part of
   * @param delayMs at least so long. @default a random short time
   */
  point(life: Life | undefined, label: string, delayMs?: number): Promise<void>;
  /** Goes on at one point, and lets all that follows from it run. False when nothing waits. */
  step(): Promise<boolean>;
  end(life: Life): void;
  readonly faultCounts: { delay: number; reorder: number };
}

interface Wait {
  readonly life: Life | undefined;
  readonly label: string;
  readonly dueMs: number;
  readonly goOn: () => void;
}

export function createScheduler(random: Random, note: (line: () => string) => void): Scheduler {
  let nowMs = 0;
  let waits: Wait[] = [];
  const faultCounts = { delay: 0, reorder: 0 };

  function delay(): number {
    if (random.chance(0.9)) return random.whole(0, 3);
    faultCounts.delay += 1;
    return random.chance(0.8) ? random.whole(10, 800) : random.whole(5_000, 90_000);
  }

  /** Of all that could go on now, any; when nothing could, time passes until something can. */
  function next(): Wait | undefined {
    let soonest = Number.POSITIVE_INFINITY;
    for (const { dueMs } of waits) soonest = Math.min(soonest, dueMs);
    if (soonest === Number.POSITIVE_INFINITY) return undefined;
    nowMs = Math.max(nowMs, soonest);
    const ready: number[] = [];
    waits.forEach(({ dueMs }, at) => {
      if (dueMs <= nowMs) ready.push(at);
    });
    const chosen = random.pick(ready);
    if (chosen !== ready[0]) faultCounts.reorder += 1;
    return waits.splice(chosen, 1)[0];
  }

  return {
    faultCounts,
    nowMs: () => nowMs,
    point(life, label, delayMs = delay()) {
      return new Promise((goOn) => {
        if (life?.alive === false) return;
        waits.push({ life, label, dueMs: nowMs + Math.ceil(delayMs), goOn });
      });
    },
    async step() {
      const wait = next();
      if (wait === undefined) return false;
      note(() => `${wait.life?.name ?? 'outside'}: ${wait.label}`);
      wait.goOn();
      await quiet();
      return true;
    },
    end(life) {
      life.alive = false;
      waits = waits.filter((wait) => wait.life !== life);
    },
  };
}

/** Until every promise that could go on has: only points are left then. */
export function quiet(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
