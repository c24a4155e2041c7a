/**
 * What must hold at every step, judged from the committed events, the limits that prompts asked under, and the
 * provider's own bill. A finding is kept and not thrown: the code under test catches much of what is thrown.
 */
import { isOpen, type ReservationState } from '../../server/src/core/budget.ts';
import type {
  BudgetLimits,
  BudgetPeriod,
  NarrowerBudget,
  ReservationRequest,
} from '../../server/src/core/ports.ts';
import { createLimitsHeard, type LimitsHeard } from './limitsHeard.ts';
import type { Life } from './scheduler.ts';
import { createShadow, type Shadow, type ShadowReservation } from './shadow.ts';
import type { SharedLedger } from './sharedLedger.ts';

export interface Oracle {
  readonly shadow: Shadow;
  readonly findings: readonly string[];
  readonly calls: () => number;
  /** The ledger said that this is held. Calls of the prompt that leave this process belong to it from now on. */
  held(request: ReservationRequest, life: Life): void;
  asks(request: ReservationRequest, limits: BudgetLimits, life: Life): void;
  readonly limitsHeard: LimitsHeard;
  /** A settlement was acknowledged. */
  settled(reservationId: string, bookedNanoUsd: number): void;
  /** The first byte of a call has left; says whose it is. */
  left(promptId: string, life: Life): string | undefined;
  charged(
    id: string | undefined,
    amountNanoUsd: number,
    brokeItsWord: boolean,
    model: string,
  ): void;
  /** A prompt's stream ended: what the person was told that it cost. */
  told(promptId: string, life: Life, costNanoUsd: number): void;
  /** Nobody is told any more what the prompt cost. */
  leftUntold(promptId: string, life: Life): void;
  find(finding: string): void;
  /** Folds what was committed since, and judges it. */
  look(): void;
  /** Everything, also the ledger's own tables and its hash chain. */
  audit(): void;
  /** Cheaper: the counters against what the events say. */
  compareCounters(): void;
}

export function createOracle(ledger: SharedLedger): Oracle {
  const shadow = createShadow();
  const limitsHeard = createLimitsHeard();
  const findings: string[] = [];
  const limitsAsked = new Map<string, BudgetLimits>();
  const latestHold = new Map<string, string>();
  const holdsOf = new Map<string, string[]>();
  const billed = new Map<string, number>();
  const billedOfKey = new Map<string, number>();
  const largestLimit = new Map<string, number>();
  const untrusted = new Set<string>();
  const acknowledged = new Map<string, number>();
  const sent = new Set<string>();
  const told: { promptId: string; ids: readonly string[]; costNanoUsd: number }[] = [];
  let latestDates = { month: '', day: '' };
  let calls = 0;

  const find = (finding: string) => void findings.push(finding);
  const billOf = (id: string) => billed.get(id) ?? 0;

  function look(): void {
    for (const event of ledger.eventsAfter(shadow.seq())) {
      if (event.seq !== shadow.seq() + 1) find(`event ${shadow.seq() + 1} is lost`);
      const reservation = shadow.fold(event);
      if (reservation === undefined) continue;
      if (event.kind === 'reserved') judgeHold(reservation);
      else judgeMove(reservation);
    }
  }

  function judgeHold(reservation: ShadowReservation): void {
    const { id, keys, month, day, modelId, boundNanoUsd } = reservation;
    if (month < latestDates.month || day < latestDates.day) {
      find(`${id} counts for ${day}, after ${latestDates.day} was opened`);
    }
    latestDates = { month, day };
    if (shadow.frozen.has(modelId)) find(`${id} holds money for a frozen model`);
    const limits = limitsAsked.get(id);
    if (limits === undefined) {
      find(`${id} was held and nobody asked for it`);
      return;
    }
    for (const key of keys) {
      const limit = limitOf(limits, key);
      largestLimit.set(key, Math.max(largestLimit.get(key) ?? 0, limit));
      const taken = shadow.taken.get(key) ?? 0;
      if (boundNanoUsd > 0 && taken > limit) {
        find(`${id} was held although ${key} then has ${taken} of ${limit} spent and held`);
      }
    }
  }

  function judgeMove({ id, kind, ends, takesNanoUsd }: ShadowReservation): void {
    if (ends > 1) find(`${id} ended twice`);
    if (ends > 0 && kind === 'dispatched') find(`${id} was dispatched after its end`);
    if (!untrusted.has(id) && billOf(id) > takesNanoUsd) {
      const verb = kind === 'voided' ? 'was voided' : `is ${kind} at ${takesNanoUsd}`;
      find(`${id} ${verb} and the provider billed ${billOf(id)}`);
    }
  }

  function compareCounters(): void {
    look();
    const stored = new Map<string, number>();
    for (const [period, ofPeriod] of ledger.counters()) {
      for (const [key, { spentNanoUsd, heldNanoUsd }] of ofPeriod) {
        stored.set(`${period} ${key}`, spentNanoUsd + heldNanoUsd);
      }
    }
    for (const key of new Set([...stored.keys(), ...shadow.taken.keys()])) {
      const [want, got] = [shadow.taken.get(key) ?? 0, stored.get(key) ?? 0];
      if (want !== got) find(`the counter of ${key} is ${got}, its events sum to ${want}`);
    }
  }

  return {
    shadow,
    findings,
    find,
    look,
    calls: () => calls,
    limitsHeard,
    asks(request, limits, life) {
      limitsAsked.set(request.id, limits);
      if (!limitsHeard.areInForce(life, request, limits)) {
        find(`${request.promptId} asks under limits that are not in force any more`);
      }
    },
    held({ id, promptId }, life) {
      const key = `${life.name} ${promptId}`;
      latestHold.set(key, id);
      holdsOf.set(key, [...(holdsOf.get(key) ?? []), id]);
      look();
      if (!shadow.reservations.has(id)) find(`${id} was acknowledged as held and is not there`);
    },
    settled(id, bookedNanoUsd) {
      acknowledged.set(id, bookedNanoUsd);
    },
    left(promptId, life) {
      look();
      calls += 1;
      const id = latestHold.get(`${life.name} ${promptId}`);
      const known = id === undefined ? undefined : shadow.reservations.get(id);
      // A program that is closed in between books the bound of what it has dispatched.
      if (id === undefined || known?.dispatched !== true || known.kind === 'voided') {
        find(`a call of ${promptId} left, and ${id} was ${known?.kind}, not dispatched`);
      } else if (sent.has(id)) find(`${id} was sent twice`);
      if (id !== undefined) sent.add(id);
      return id;
    },
    charged(id, amount, brokeItsWord, model) {
      if (brokeItsWord || id === undefined) {
        if (id !== undefined) untrusted.add(id);
        return;
      }
      look();
      const reservation = shadow.reservations.get(id);
      if (reservation === undefined) {
        find(`${id} was billed and is not in the ledger`);
        return;
      }
      billed.set(id, billOf(id) + amount);
      const { takesNanoUsd, kind, keys } = reservation;
      if (billOf(id) > takesNanoUsd) {
        find(`${id} of ${model} takes ${takesNanoUsd} as ${kind}, the bill is ${billOf(id)}`);
      }
      for (const key of keys) {
        const bill = (billedOfKey.get(key) ?? 0) + amount;
        billedOfKey.set(key, bill);
        const most = largestLimit.get(key) ?? 0;
        if (bill > most) find(`the bill of ${key} is ${bill}, its largest limit was ${most}`);
        const taken = shadow.taken.get(key) ?? 0;
        if (bill > taken && untrusted.size === 0) {
          find(`${key} has ${taken} spent and held, the bill is ${bill}`);
        }
      }
    },
    told(promptId, life, costNanoUsd) {
      const key = `${life.name} ${promptId}`;
      told.push({ promptId, ids: holdsOf.get(key) ?? [], costNanoUsd });
      holdsOf.delete(key);
    },
    leftUntold: (promptId, life) => void holdsOf.delete(`${life.name} ${promptId}`),
    compareCounters,
    audit() {
      compareCounters();
      for (const finding of ledger.findings()) find(`audit: ${finding}`);
      for (const [id, booked] of acknowledged) {
        const known = shadow.reservations.get(id);
        const ended = known !== undefined && !isOpen({ kind: known.kind } as ReservationState);
        if (!ended || known.takesNanoUsd !== booked) {
          find(
            `${id} was settled at ${booked}, now it is ${known?.kind} at ${known?.takesNanoUsd}`,
          );
        }
      }
      for (const { promptId, ids, costNanoUsd } of told) {
        const bill = ids.reduce((sum, id) => sum + billOf(id), 0);
        if (bill > costNanoUsd && !ids.some((id) => untrusted.has(id))) {
          find(`${promptId} was told to cost ${costNanoUsd}, the bill is ${bill}`);
        }
      }
    },
  };
}

const LIMIT_NAMES = {
  month: 'monthlyNanoUsd',
  day: 'dailyNanoUsd',
  session: 'sessionNanoUsd',
  workspace: 'workspaceNanoUsd',
} as const satisfies Record<BudgetPeriod | NarrowerBudget['period'], keyof BudgetLimits>;

function limitOf(limits: BudgetLimits, key: string): number {
  const period = key.slice(0, key.indexOf(' ')) as BudgetPeriod;
  return limits[LIMIT_NAMES[period]] ?? Number.POSITIVE_INFINITY;
}
