/**
 * When the mirror is written: after each commit that a call waits for, and for all else when the ledger has been calm for
 * a moment. It does not run ahead of the disk, or a power cut would leave a ledger that lacks what its mirror knows.
 */
import type { DatabaseSync } from 'node:sqlite';
import type { Mirror } from './ledgerMirror.ts';
import { bringToDisk, faultOf } from './sqliteFile.ts';

export interface Mirroring {
  /** To be told of every commit of this process, at once. */
  onCommitted(durable: boolean): void;
  /** Writes what was on the disk by the last commit that waited for it; for all that was committed together once. */
  together(): Promise<void>;
  /** Writes what is in the ledger now. */
  now(): void;
  stop(): void;
}

export interface MirroringDeps {
  /** What is in the ledger. */
  readonly read: () => Mirror;
  readonly write: (mirror: Mirror) => void;
  /** Changes with every commit of another process; `undefined` while the file can't be read. */
  readonly commitsOfOthers: () => number | undefined;
  readonly calmMs: number;
}

interface Seen {
  readonly mirror: Mirror;
  readonly commits: number | undefined;
}

/** Others that commit all the time write it themselves. */
const MOST_WRITES = 8;

export function createMirroring(
  db: DatabaseSync,
  { read, write, commitsOfOthers, calmMs }: MirroringDeps,
): Mirroring {
  /** By the last commit that waited for the disk. */
  let onDisk: Seen | undefined;
  let isBehind = false;
  let writing: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;

  /** In this order, so that a commit in between is looked for once more, not missed. */
  function look(): Seen {
    const commits = commitsOfOthers();
    return { commits, mirror: read() };
  }

  /** Until that is still the newest when it is in place: of several processes the last one leaves the newest totals. */
  function put(first: Seen): void {
    let seen = first;
    for (let writes = 0; writes < MOST_WRITES; writes += 1) {
      write(seen.mirror);
      if (commitsOfOthers() === seen.commits) return;
      seen = look();
    }
  }

  /** The ledger holds the money, so what goes wrong here is tried again and not told. */
  function forgiving(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (db.isOpen && faultOf(error) === undefined) throw error;
      if (db.isOpen) later();
    }
  }

  function later(): void {
    // A process that has nothing else to do may end: its commits survive it.
    timer ??= setTimeout(catchUp, calmMs).unref();
  }

  function catchUp(): void {
    timer = undefined;
    forgiving(() => {
      if (bringToDisk(db)) put(look());
      else later();
    });
  }

  function stop(): void {
    clearTimeout(timer);
    timer = undefined;
  }

  return {
    stop,
    now: () => forgiving(() => put(look())),
    onCommitted(durable) {
      isBehind = !durable;
      if (durable) {
        stop();
        onDisk = undefined;
        forgiving(() => {
          onDisk = look();
        });
      }
      later();
    },
    together() {
      writing ??= Promise.resolve().then(() => {
        writing = undefined;
        if (!isBehind) stop();
        forgiving(() => put(onDisk ?? look()));
      });
      return writing;
    },
  };
}
