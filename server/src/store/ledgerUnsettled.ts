/**
 * Bills that the disk did not take. Each hold stands at its bound meanwhile, which no budget can pass; the true bill is
 * kept in memory and tried again until it is booked or the ledger is closed.
 */
import type { Settlement } from '../core/ports.ts';

export interface Unsettled {
  keep(reservationId: string, settlement: Settlement): void;
  /** Tries at once, for a write has just gone through. */
  retry(): void;
  /** What is still kept; nothing is tried by itself any more. */
  stop(): ReadonlyMap<string, Settlement>;
}

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;

/** @param settle never rejects; `done` for a bill that is booked, or that the rules refuse for ever */
export function createUnsettled(
  settle: (reservationId: string, settlement: Settlement) => Promise<'done' | 'later'>,
): Unsettled {
  const bills = new Map<string, Settlement>();
  let timer: NodeJS.Timeout | undefined;
  let waitMs = FIRST_WAIT_MS;
  let trying = false;
  let stopped = false;

  function schedule(): void {
    if (stopped || bills.size === 0 || timer !== undefined) return;
    timer = setTimeout(() => void tryAll(), waitMs);
    // A process that has nothing else to do may end: the next one that opens the ledger books the bound.
    timer.unref();
    waitMs = Math.min(LONGEST_WAIT_MS, waitMs * 2);
  }

  async function tryAll(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    if (trying) return;
    trying = true;
    for (const [id, settlement] of bills) {
      if (stopped || (await settle(id, settlement)) === 'later') break;
      bills.delete(id);
      waitMs = FIRST_WAIT_MS;
    }
    trying = false;
    schedule();
  }

  return {
    keep(reservationId, settlement) {
      bills.set(reservationId, settlement);
      schedule();
    },
    retry() {
      if (!stopped && bills.size > 0) void tryAll();
    },
    stop() {
      stopped = true;
      clearTimeout(timer);
      return bills;
    },
  };
}
