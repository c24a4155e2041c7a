/**
 * Shares a fixed number of sequences among requests: whoever came first is served first, on the free sequence whose state
 * agrees with the longest beginning of its prompt, of equals the one that loses least by it. Pure but for the promises.
 */

interface Lease<Sequence> {
  readonly sequence: Sequence;
  release(): void;
}

export interface SequencePool<Sequence> {
  /** Resolves to `undefined` when `signal` aborts first. */
  acquire(tokens: readonly number[], signal: AbortSignal): Promise<Lease<Sequence> | undefined>;
  /** Whether the next `acquire` would have to wait. */
  full(): boolean;
  /** Whether any sequence is lent. */
  busy(): boolean;
}

export function createSequencePool<Sequence>(
  sequences: readonly Sequence[],
  commonPrefix: (sequence: Sequence, tokens: readonly number[]) => number,
  heldTokens: (sequence: Sequence) => number,
): SequencePool<Sequence> {
  const free = new Set(sequences);
  const waiting: (() => void)[] = [];

  function take(tokens: readonly number[]): Lease<Sequence> | undefined {
    let best: { sequence: Sequence; shared: number; held: number } | undefined;
    for (const sequence of free) {
      const shared = commonPrefix(sequence, tokens);
      const held = heldTokens(sequence);
      const ahead = best === undefined ? 1 : shared - best.shared || best.held - held;
      if (ahead > 0) best = { sequence, shared, held };
    }
    if (best === undefined) return undefined;
    const { sequence } = best;
    free.delete(sequence);
    let released = false;
    return {
      sequence,
      release() {
        if (released) return;
        released = true;
        free.add(sequence);
        waiting.shift()?.();
      },
    };
  }

  return {
    async acquire(tokens, signal) {
      if (signal.aborted) return undefined;
      // Those in line go first, even when a sequence has just become free.
      const lease = waiting.length === 0 ? take(tokens) : undefined;
      if (lease !== undefined) return lease;
      return await new Promise((settle) => {
        const next = () => {
          signal.removeEventListener('abort', leave);
          settle(take(tokens));
        };
        const leave = () => {
          waiting.splice(waiting.indexOf(next), 1);
          settle(undefined);
        };
        waiting.push(next);
        signal.addEventListener('abort', leave, { once: true });
      });
    },
    full: () => free.size === 0 || waiting.length > 0,
    busy: () => free.size < sequences.length,
  };
}
