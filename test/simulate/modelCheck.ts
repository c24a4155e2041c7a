/**
 * Every interleaving of three requests, of two processes, under a limit that two bounds fit in and three don't. The rules
 * of the ledger are the real ones, on a ledger of three rows; around them stands the order of `cloudCall.ts` in short.
 */
import { type Balance, EMPTY_BALANCE, isOpen, rebalance } from '../../server/src/core/budget.ts';
import {
  dispatchIn,
  type LedgerTx,
  type Reservation,
  reserveIn,
  resolveDeadIn,
  settleIn,
} from '../../server/src/core/ledgerRules.ts';
import type { Settlement } from '../../server/src/core/ports.ts';
import { nanoUsd } from '../../server/src/core/price.ts';
import type { Usage } from '../../server/src/core/types.ts';
import { type Explored, exploreStates, type Step } from './stateSpace.ts';

/** Each may be left out, to show that it is needed. */
export const rulesOfTheProtocol = [
  'the check and the hold are one transaction',
  'dispatched is committed before the first byte',
  'a crash after dispatch books the bound',
  'an abort is read on until the bill is known',
  'a failure of unknown billing books the bound',
  'every retry has a reservation of its own',
  'the call carries an output cap',
  'a settlement is never refused',
] as const;
export type ProtocolRule = (typeof rulesOfTheProtocol)[number];

const BOUND = 10;
const PART = 4;
const LIMIT = 25;
const LOWERED = 15;

/** How the provider treated a call. */
type Served = { readonly bill: number; readonly tells: 'usage' | 'nothing' | 'refusal' };

interface Request {
  /** `orphaned`: its process crashed, and the call may have left. */
  readonly phase: 'new' | 'checked' | 'held' | 'dispatched' | 'sent' | 'orphaned' | 'ended';
  /** Its second attempt follows a failure that may pass. */
  readonly attempt: 1 | 2;
  readonly served: Served | undefined;
  readonly aborted: boolean;
}

interface State {
  readonly limit: number;
  readonly crashed: boolean;
  /** The dead process is still entered as an owner. */
  readonly entered: boolean;
  readonly requests: readonly Request[];
  readonly reservations: ReadonlyMap<string, Reservation>;
  /** What the provider billed, by reservation. */
  readonly bills: ReadonlyMap<string, number>;
}

/** The first two share a process, which may crash; only the first request retries. */
const OWNERS = ['crashes', 'crashes', 'lives'] as const;
const ENTRY = { atMs: Date.UTC(2026, 10, 23) };
const USAGE: Usage = {
  inputTokens: 1,
  cachedInputTokens: 0,
  cacheWriteTokens: 0,
  outputTokens: 1,
  reasoningTokens: 0,
};

export function explore(leftOut: ProtocolRule | undefined): Explored {
  const fresh: Request = { phase: 'new', attempt: 1, served: undefined, aborted: false };
  const first: State = {
    limit: LIMIT,
    crashed: false,
    entered: true,
    requests: OWNERS.map(() => fresh),
    reservations: new Map(),
    bills: new Map(),
  };
  return exploreStates({
    first,
    keyOf,
    stepsFrom: (state) => stepsOf(state, leftOut),
    findingIn,
  });
}

function findingIn(state: State, isLast: boolean): string | undefined {
  const { reservations, bills } = state;
  const bill = [...bills.values()].reduce((sum, one) => sum + one, 0);
  if (bill > LIMIT) return `the bill is ${bill}, the largest limit was ${LIMIT}`;
  const { spentNanoUsd, heldNanoUsd } = monthOf(state);
  if (spentNanoUsd + heldNanoUsd > LIMIT) {
    return `${spentNanoUsd} spent and ${heldNanoUsd} held, the largest limit was ${LIMIT}`;
  }
  for (const [id, billed] of bills) {
    const reservation = reservations.get(id);
    const takes = takenBy(reservation);
    if (billed > takes)
      return `${id} takes ${takes} as ${reservation?.state.kind}, its bill is ${billed}`;
  }
  return isLast && heldNanoUsd > 0 ? `${heldNanoUsd} held for good` : undefined;
}

function takenBy(reservation: Reservation | undefined): number {
  if (reservation === undefined) return 0;
  const { state } = reservation;
  return isOpen(state) ? state.boundNanoUsd : state.bookedNanoUsd;
}

function stepsOf(state: State, leftOut: ProtocolRule | undefined): readonly Step<State>[] {
  const steps: Step<State>[] = [];
  const without = (rule: ProtocolRule) => leftOut === rule;
  state.requests.forEach((request, at) => {
    steps.push(...requestSteps(state, request, at, without));
  });
  if (!state.crashed) {
    const requests = state.requests.map((request, at): Request => {
      if (OWNERS[at] !== 'crashes') return request;
      const { phase, served } = request;
      const mayHaveLeft = (phase === 'dispatched' || phase === 'sent') && served === undefined;
      return { ...request, phase: mayHaveLeft ? 'orphaned' : 'ended' };
    });
    steps.push({ label: 'crash', after: { ...state, crashed: true, requests } });
  }
  if (state.crashed && state.entered) {
    steps.push({ label: 'recover', after: written(state, (tx) => resolveDead(tx, without)) });
  }
  if (state.limit === LIMIT) steps.push({ label: 'lower', after: { ...state, limit: LOWERED } });
  return steps;
}

type Without = (rule: ProtocolRule) => boolean;

function requestSteps(state: State, request: Request, at: number, without: Without): Step<State>[] {
  const steps: Step<State>[] = [];
  const { phase, served, attempt } = request;
  const id = `r${at}.${without('every retry has a reservation of its own') ? 1 : attempt}`;
  const owner = OWNERS[at] ?? 'lives';
  const entry = { ...ENTRY, owner };
  const to = (label: string, change: Partial<Request>, base: State = state) => {
    const requests = base.requests.with(at, { ...request, ...change });
    steps.push({ label: `${label} ${at}`, after: { ...base, requests } });
  };
  const reserve = (limit: number | undefined) => {
    let kind = '';
    const monthlyNanoUsd = limit === undefined ? undefined : nanoUsd(limit);
    const after = written(state, (tx) => {
      kind = reserveIn(tx, requestOf(id), { monthlyNanoUsd }, entry).kind;
    });
    to('reserve', { phase: kind === 'held' ? 'held' : 'ended' }, after);
  };
  const dispatch = (base: State) => written(base, (tx) => dispatchIn(tx, id, entry));
  const send = (base: State) => to('send', { phase: 'sent', served: undefined }, base);

  switch (phase) {
    case 'new':
      if (!without('the check and the hold are one transaction')) reserve(state.limit);
      else if (spentAndHeld(state) + BOUND <= state.limit) to('check', { phase: 'checked' });
      else to('check', { phase: 'ended' });
      break;
    case 'checked':
      reserve(undefined);
      break;
    case 'held':
      to('abort', { phase: 'ended' }, settled(state, id, { kind: 'voided', why: 'abort' }));
      if (without('dispatched is committed before the first byte')) send(state);
      else to('dispatch', { phase: 'dispatched' }, dispatch(state));
      break;
    case 'dispatched':
      send(state);
      break;
    case 'sent': {
      const isHeld = state.reservations.get(id)?.state.kind === 'reserved';
      if (isHeld) to('dispatch', {}, dispatch(state));
      else if (served !== undefined) hear(served);
      if (!request.aborted) to('abort', { aborted: true });
      break;
    }
    default:
  }
  // The provider goes on, whatever became of the caller.
  if ((phase === 'sent' || phase === 'orphaned') && served === undefined) {
    for (const one of outcomes(without)) {
      const billed = (state.bills.get(id) ?? 0) + one.bill;
      to(
        `serve ${one.bill} ${one.tells}`,
        { served: one },
        {
          ...state,
          bills: new Map(state.bills).set(id, billed),
        },
      );
    }
  }
  return steps;

  function hear({ bill, tells }: Served): void {
    const again = at === 0 && attempt === 1 && !request.aborted && tells !== 'usage';
    if (again && without('every retry has a reservation of its own')) {
      to('retry', { phase: 'dispatched', attempt: 2, served: undefined });
    } else if (again) {
      to('retry', { phase: 'new', attempt: 2, served: undefined }, settle(endOf(bill, tells)));
    } else {
      to('settle', { phase: 'ended' }, settle(endOf(bill, tells)));
    }
  }

  function endOf(bill: number, tells: Served['tells']): Settlement {
    if (request.aborted && without('an abort is read on until the bill is known')) {
      return { kind: 'settled', ...usage(0) };
    }
    if (tells === 'usage') return { kind: 'settled', ...usage(bill) };
    const unbilled = tells === 'refusal' || without('a failure of unknown billing books the bound');
    return { kind: unbilled ? 'voided' : 'settled_at_bound', why: tells };
  }

  function settle(settlement: Settlement): State {
    if (settlement.kind === 'settled' && without('a settlement is never refused')) {
      const { spentNanoUsd } = monthOf(state);
      if (spentNanoUsd + settlement.costNanoUsd > state.limit) return state;
    }
    return settled(state, id, settlement);
  }
}

function outcomes(without: Without): readonly Served[] {
  const most = without('the call carries an output cap') ? 2 * BOUND : BOUND;
  return [
    { bill: most, tells: 'usage' },
    { bill: PART, tells: 'usage' },
    { bill: most, tells: 'nothing' },
    { bill: 0, tells: 'nothing' },
    { bill: 0, tells: 'refusal' },
  ];
}

function usage(cost: number) {
  return { costNanoUsd: nanoUsd(cost), usage: USAGE };
}

function settled(state: State, id: string, settlement: Settlement): State {
  return written(state, (tx) => void settleIn(tx, id, settlement, { ...ENTRY, owner: 'any' }));
}

function resolveDead(tx: LedgerTx, without: Without): void {
  if (without('a crash after dispatch books the bound')) {
    for (const { id } of tx.openOf('crashes')) {
      settleIn(tx, id, { kind: 'voided', why: 'crash' }, { ...ENTRY, owner: 'lives' });
    }
    tx.forgetOwner('crashes');
  } else resolveDeadIn(tx, { ...ENTRY, owner: 'lives' });
}

function requestOf(id: string) {
  return {
    id,
    promptId: id,
    modelId: 'm',
    priceRowId: 'm@1',
    boundNanoUsd: nanoUsd(BOUND),
    fingerprint: id,
  };
}

/** One transaction of the real rules on a copy of the state's rows. */
function written(state: State, work: (tx: LedgerTx) => void): State {
  const reservations = new Map(state.reservations);
  let entered = state.entered;
  work({
    // All are of one month, one day and nobody's session.
    balance: () => monthOf({ reservations }),
    latest: () => undefined,
    find: (id) => reservations.get(id),
    isFrozen: () => false,
    openOf: (owner) =>
      [...reservations.values()].filter((one) => one.owner === owner && isOpen(one.state)),
    deadOwners: () => (state.crashed && entered ? ['crashes'] : []),
    save: (after) => void reservations.set(after.id, after),
    append() {},
    freeze() {},
    unfreeze: () => false,
    forgetOwner() {
      entered = false;
    },
  });
  return { ...state, reservations, entered };
}

function monthOf({ reservations }: Pick<State, 'reservations'>): Balance {
  let sum = EMPTY_BALANCE;
  for (const { state } of reservations.values()) sum = rebalance(sum, undefined, state);
  return sum;
}

function spentAndHeld(state: State): number {
  const { spentNanoUsd, heldNanoUsd } = monthOf(state);
  return spentNanoUsd + heldNanoUsd;
}

/**
 * What tells one state from another. Of calls that are over on both sides only the sums can still matter, so that states
 * which differ in nothing else are one.
 */
function keyOf({ limit, crashed, entered, requests, reservations, bills }: State): string {
  const going: string[] = [];
  let spent = 0;
  let billed = 0;
  for (const [id, one] of reservations) {
    const bill = bills.get(id) ?? 0;
    if (requests[Number(id[1])]?.phase !== 'ended' || isOpen(one.state)) {
      going.push(`${id}${one.state.kind}${takenBy(one)}/${bill}`);
    } else {
      spent += takenBy(one);
      billed += bill;
    }
  }
  const asked = requests.map(({ phase, attempt, served, aborted }) =>
    phase === 'ended'
      ? phase
      : `${phase}${attempt}${served?.bill ?? ''}${served?.tells ?? ''}${aborted ? 'a' : ''}`,
  );
  return `${limit} ${crashed} ${entered} ${spent} ${billed} ${asked.join(' ')} ${going.sort().join(' ')}`;
}
