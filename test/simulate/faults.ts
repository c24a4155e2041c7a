/** The faults of a run. Each seed leaves some kinds out and makes others frequent, so that rare pairs of faults meet. */
import type { Random } from './random.ts';

/** What the world does to the programs, and how often of 1000 steps. */
const OUTSIDE = {
  crash: 8,
  'program closed': 4,
  abort: 14,
  'reader left': 8,
  'id sent again': 8,
  'clock forward': 4,
  'model unfrozen': 4,
  'clock back': 4,
  'disk full': 3,
  'limits raised': 5,
  'limits lowered': 6,
} as const;

/** What happens to one write of the ledger, and how often of 1000. */
const WRITES = {
  'write refused': 25,
  'response lost': 30,
  'write sent twice': 60,
  'late second write': 30,
} as const;

/** How a provider's answer goes wrong, beside 1000 that go well. */
const ANSWERS = {
  'connection refused': 120,
  'status 429': 120,
  'status 5xx, billed': 120,
  'status 5xx, not billed': 120,
  'stream cut': 200,
  'stream without an end': 60,
  'adapter throws': 30,
  'usage untold': 120,
  'slow answer': 80,
  'end told twice': 80,
} as const;

/** A provider that breaks its word: no promise covers these bills. Only in few seeds. */
const BROKEN_WORD = { 'bill past its cap': 300, 'status 429, billed': 100 } as const;

export type OutsideFault = keyof typeof OUTSIDE;
export type WriteFault = keyof typeof WRITES;
export type AnswerFault = keyof typeof ANSWERS | keyof typeof BROKEN_WORD;
/** The rest are counted where they happen. */
export type FaultKind = OutsideFault | WriteFault | AnswerFault | OtherFault;
type OtherFault = 'delay' | 'reorder' | 'answer after an abort';

export interface Faults {
  /** Of 1000 steps. */
  readonly outside: readonly (readonly [weight: number, kind: OutsideFault])[];
  ofWrite(kind: WriteFault): boolean;
  ofAnswer(): AnswerFault | undefined;
  count(kind: FaultKind, times?: number): void;
  readonly counts: ReadonlyMap<FaultKind, number>;
  /** From here on nothing goes wrong any more. */
  stop(): void;
}

export function createFaults(random: Random): Faults {
  const counts = new Map<FaultKind, number>();
  const drawn = <K extends string>(table: Readonly<Record<K, number>>) =>
    (Object.entries(table) as [K, number][]).map(
      ([kind, weight]) =>
        [random.chance(0.6) ? weight * (0.5 + 2 * random.share()) : 0, kind] as const,
    );
  const outside = drawn(OUTSIDE);
  const writes = new Map(drawn(WRITES).map(([weight, kind]) => [kind, weight / 1000]));
  const breaksItsWord = random.chance(0.05);
  const answers: (readonly [number, AnswerFault | undefined])[] = [
    [1000, undefined],
    ...drawn(ANSWERS),
    ...(breaksItsWord ? drawn(BROKEN_WORD) : []),
  ];
  let stopped = false;
  const count = (kind: FaultKind, times = 1) =>
    void counts.set(kind, (counts.get(kind) ?? 0) + times);
  return {
    outside,
    counts,
    count,
    ofWrite(kind) {
      if (stopped || !random.chance(writes.get(kind) ?? 0)) return false;
      count(kind);
      return true;
    },
    ofAnswer() {
      const kind = stopped ? undefined : random.weighed(answers);
      if (kind !== undefined) count(kind);
      return kind;
    },
    stop() {
      stopped = true;
    },
  };
}
