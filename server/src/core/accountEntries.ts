/**
 * The ledger's events as an accountant reads them: one entry per call with what was held, what was booked and why.
 * Everything is taken from the events, never from the counters, so that the two can be held against each other.
 */
import { z } from 'zod';
import type { ReservationState } from './budget.ts';
import type { CallPurpose } from './ports.ts';
import { nanoUsd } from './price.ts';
import type { NanoUsd, Usage } from './types.ts';

/** What an account needs of a ledger's event. `details` is the JSON that the ledger keeps with it. */
export interface AccountEvent {
  readonly kind: ReservationState['kind'] | 'unfrozen' | 'rebuilt';
  readonly reservationId: string | null;
  readonly atMs: number;
  readonly amountNanoUsd: NanoUsd;
  readonly details: string;
}

export interface AccountEntry {
  readonly reservationId: string;
  readonly promptId: string | undefined;
  readonly modelId: string;
  /** `undefined` for a call of an answer. */
  readonly purpose: CallPurpose | undefined;
  /** The UTC month whose budget it counts against, fixed when it was reserved. */
  readonly month: string;
  readonly state: ReservationState['kind'];
  /** The bound while it is open, then what was booked. */
  readonly amountNanoUsd: NanoUsd;
  /** When the call left; `undefined` for one that never did. */
  readonly dispatchedAtMs: number | undefined;
  /** As the provider told it; `undefined` where the bill is not known or there is none. */
  readonly usage: Usage | undefined;
}

const reservedDetails = z.object({
  modelId: z.string(),
  month: z.string(),
  promptId: z.string().optional(),
  // A purpose of a newer program is none that this one could name.
  purpose: z.literal('audit').optional().catch(undefined),
});

const tokens = z.number().optional();
const settledDetails = z.object({
  usage: z
    .object({
      inputTokens: tokens,
      cachedInputTokens: tokens,
      cacheWriteTokens: tokens,
      outputTokens: tokens,
      reasoningTokens: tokens,
    })
    .optional(),
});

/** Takes the events in their order, one by one, so that a long ledger is never in memory as a whole. */
export interface EntryReader {
  take(event: AccountEvent): void;
  entries(): readonly AccountEntry[];
}

/** @param wanted says which months are kept */
export function createEntryReader(wanted: (month: string) => boolean): EntryReader {
  const entries = new Map<string, AccountEntry>();
  return {
    take({ kind, reservationId, atMs, amountNanoUsd, details }) {
      if (kind === 'unfrozen' || reservationId === null) return;
      // A rebuild books what it took over in one event, at the most that it can have cost.
      const state = kind === 'rebuilt' ? 'settled_at_bound' : kind;
      const before = entries.get(reservationId);
      if (kind === 'reserved' || (kind === 'rebuilt' && before === undefined)) {
        const { modelId, month, promptId, purpose } = reservedDetails.parse(JSON.parse(details));
        if (!wanted(month)) return;
        entries.set(reservationId, {
          reservationId,
          promptId,
          modelId,
          purpose,
          month,
          state,
          amountNanoUsd: nanoUsd(amountNanoUsd),
          dispatchedAtMs: undefined,
          usage: undefined,
        });
        return;
      }
      if (before === undefined) return;
      entries.set(reservationId, {
        ...before,
        state,
        amountNanoUsd: nanoUsd(amountNanoUsd),
        dispatchedAtMs: kind === 'dispatched' ? atMs : before.dispatchedAtMs,
        usage: kind === 'settled' || kind === 'overrun' ? usageOf(details) : undefined,
      });
    },
    entries: () => [...entries.values()],
  };
}

function usageOf(details: string): Usage | undefined {
  const { usage } = settledDetails.parse(JSON.parse(details));
  if (usage === undefined) return undefined;
  return {
    inputTokens: usage.inputTokens,
    cachedInputTokens: usage.cachedInputTokens,
    cacheWriteTokens: usage.cacheWriteTokens,
    outputTokens: usage.outputTokens,
    reasoningTokens: usage.reasoningTokens,
  };
}
