/** The ledger that all virtual processes share, as the simulator and its oracle see it: in memory or the real SQLite file. */
import type { Balance } from '../../server/src/core/budget.ts';
import type { LedgerEvent } from '../../server/src/core/ledgerAudit.ts';
import type { Reservation } from '../../server/src/core/ledgerRules.ts';
import type { Clock, Ledger } from '../../server/src/core/ports.ts';

export interface SimulatedLedger extends Ledger {
  unfreeze(modelId: string): Promise<void>;
  /** Ends this owner's open holds, as a program that is closed does. */
  close(): Promise<void>;
}

export interface SharedLedger {
  /** Enters a new owner and ends what dead ones left open. `undefined` when the storage does not let it. */
  open(ownerId: string, clock: Clock): Promise<SimulatedLedger | undefined>;
  /** The owner's process is gone with its memory, its locks and its connections. */
  crash(ownerId: string): void;
  /** While full, writes that need room fail as on a full disk; reads go on. */
  setFull(full: boolean): void;
  /** Committed events after this one. */
  eventsAfter(seq: number): readonly LedgerEvent[];
  reservations(): readonly Reservation[];
  /** By period and key. */
  counters(): ReadonlyMap<string, ReadonlyMap<string, Balance>>;
  /** What the whole audit finds. */
  findings(): readonly string[];
  dispose(): void;
}
