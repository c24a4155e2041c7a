/**
 * Writes that come in one turn of the event loop are committed together, so that they wait for the disk once. Each keeps
 * its own result: one that the rules refuse is rolled back alone, and a fault of storage makes each try by itself. A
 * commit waits for the disk where one of its writes must; others survive the end of the program, and a power cut after the
 * next commit that waits.
 */
import type { DatabaseSync } from 'node:sqlite';
import { faultOf, inTransaction, type Patience, patiently, setDurable } from './sqliteFile.ts';

export interface GroupCommitDeps {
  readonly patience: Omit<Patience, 'limitMs'>;
  /** Waits for what else may come. */
  readonly gather: () => Promise<void>;
  /** Throws where nothing may be written any more; asked before each transaction. */
  readonly assertOpen: () => void;
  readonly onCommitted: (durable: boolean) => void;
}

export interface WriteOptions {
  /** Longest sum of waits for a locked file. */
  readonly limitMs: number;
  /** Whether it must be on the disk when its promise resolves. */
  readonly durable: boolean;
}

export type GroupWrite = <T>(work: () => T, options: WriteOptions) => Promise<T>;

interface Waiting extends WriteOptions {
  readonly work: () => unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

type Outcome =
  | { readonly kind: 'done'; readonly value: unknown }
  | { readonly kind: 'refused'; readonly error: unknown };

/** `work` may run several times, each time in a transaction of which nothing of an earlier run is left. */
export function createGroupCommit(db: DatabaseSync, deps: GroupCommitDeps): GroupWrite {
  let line: Waiting[] = [];
  let running = false;

  async function run(): Promise<void> {
    running = true;
    await deps.gather();
    while (line.length > 0) {
      const batch = line;
      line = [];
      await commit(batch);
    }
    running = false;
  }

  async function commit(batch: readonly Waiting[]): Promise<void> {
    // Whoever has least patience must not wait as long as the others.
    const limitMs = Math.min(...batch.map((one) => one.limitMs));
    const durable = batch.some((one) => one.durable);
    try {
      const outcomes = await patiently({ ...deps.patience, limitMs }, () => {
        deps.assertOpen();
        setDurable(db, durable);
        const found = inTransaction(db, () => outcomesOf(batch));
        deps.onCommitted(durable);
        return found;
      });
      batch.forEach((one, at) => {
        const outcome = outcomes[at];
        if (outcome?.kind === 'done') one.resolve(outcome.value);
        else one.reject(outcome?.error);
      });
    } catch (error) {
      if (faultOf(error) === 'busy') {
        for (const one of batch.filter((each) => each.limitMs <= limitMs)) one.reject(error);
        const patient = batch.filter((each) => each.limitMs > limitMs);
        // They have waited for so long already, and go on before newcomers.
        line.unshift(...patient.map((one) => ({ ...one, limitMs: one.limitMs - limitMs })));
      } else if (batch.length === 1) {
        batch[0]?.reject(error);
      } else {
        for (const one of batch) await commit([one]);
      }
    }
  }

  function outcomesOf(batch: readonly Waiting[]): readonly Outcome[] {
    const [only, ...others] = batch;
    // Alone it needs no way back: the transaction is one.
    if (only !== undefined && others.length === 0) return [{ kind: 'done', value: only.work() }];
    return batch.map(outcomeOf);
  }

  function outcomeOf({ work }: Waiting): Outcome {
    db.exec('SAVEPOINT one');
    try {
      const value = work();
      db.exec('RELEASE one');
      return { kind: 'done', value };
    } catch (error) {
      // A fault of storage may have ended the whole transaction, and is no single write's own.
      if (!db.isTransaction || faultOf(error) !== undefined) throw error;
      db.exec('ROLLBACK TO one');
      db.exec('RELEASE one');
      return { kind: 'refused', error };
    }
  }

  return <T>(work: () => T, options: WriteOptions) =>
    new Promise<T>((resolve, reject) => {
      line.push({ ...options, work, resolve: resolve as Waiting['resolve'], reject });
      if (!running) void run();
    });
}
