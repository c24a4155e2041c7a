/** A virtual process: the real router on the shared ledger, with a local model that is scripted and a memory that a crash takes. */

import type {
  CachedAnswer,
  Ledger,
  ModelPort,
  RouterPorts,
  Settlement,
} from '../../server/src/core/ports.ts';
import { createRouter, type Router } from '../../server/src/core/router.ts';
import { type Settings, settingsSchema } from '../../server/src/core/schema.ts';
import { LedgerUnavailableError } from '../../server/src/store/ledgerFaults.ts';
import { BIG, LOCAL, MINI, registry } from '../support/scriptedPorts.ts';
import { gateConfidence, scorerOf } from '../support/scriptedScores.ts';
import type { WriteFault } from './faults.ts';
import { sha256 } from './memoryStore.ts';
import { providerPort } from './provider.ts';
import type { Life } from './scheduler.ts';
import type { SimulatedLedger } from './sharedLedger.ts';
import { baseSettings, type Limits } from './workload.ts';
import { inputTokensOf, prices, type World } from './world.ts';

export interface VirtualProcess {
  readonly life: Life;
  readonly ownerId: string;
  readonly ledger: SimulatedLedger;
  readonly router: Router;
  readonly prompts: Map<string, RunningPrompt>;
  /** Reservations whose hold a fault of the ledger keeps open until the process ends. */
  readonly stranded: ReadonlySet<string>;
  setLimits(limits: Limits): void;
}

export interface RunningPrompt {
  readonly abort: AbortController;
  /** The reader reads no further, without a word. */
  leaves: boolean;
}

const scorer = scorerOf(registry.models, { [LOCAL]: 0.4, [MINI]: 0.2, [BIG]: 0.1 }, 0.5);

/** `undefined` when the ledger can't be opened now, or the process ended before it was. */
export async function startProcess(
  world: World,
  life: Life,
  limits: Limits,
): Promise<VirtualProcess | undefined> {
  const { scheduler, planted, random } = world;
  const ownerId = world.newId(`owner-${life.name}-`);
  const clock = { now: world.wallMs, monotonicMs: scheduler.nowMs };
  await scheduler.point(life, 'opens the ledger');
  const opened = await world.ledger.open(ownerId, clock);
  if (opened === undefined) return undefined;
  await scheduler.point(life, 'has opened the ledger');
  const stranded = new Set<string>();
  // Bugs are planted in the two steps; without one, processes of both kinds share the ledger.
  const inOneStep = planted === undefined && random.chance(0.5);
  const faulty = faultyLedger(world, life, opened, stranded, inOneStep);
  // Calls go up a ladder one after the other, so that one prompt holds money for several models.
  const ladder = random.chance(0.5) ? 'auto' : undefined;
  const settingsOf = (now: Limits): Settings =>
    settingsSchema.parse({ ...baseSettings, ...now, ladder });
  let settings = settingsOf(limits);
  world.oracle.limitsHeard.hears(life, limits);
  const cached = new Map<string, CachedAnswer>();
  const cloud = providerPort(world, life);
  const ports: RouterPorts = {
    clock,
    newId: () => world.newId('r'),
    sha256,
    catalogue: { registry: () => registry, price: (modelId) => prices[modelId] },
    local: localPort(world, life),
    cloud: planted?.cloud?.(cloud, world) ?? cloud,
    tokens: {
      async inputBound(_model, request) {
        await scheduler.point(life, 'counts tokens');
        const bound = inputTokensOf(request) + random.pick([0, 0, 9]);
        return planted?.inputBound?.(bound) ?? bound;
      },
      count: async (text) => text.length,
    },
    speeds: { get: () => undefined, record: () => {} },
    privacy: {
      async scan() {
        await scheduler.point(life, 'scans for secrets');
        return [];
      },
    },
    ledger: watched(world, life, planted?.ledger?.(faulty, world, life) ?? faulty),
    cache: { get: (key) => cached.get(key), put: (key, answer) => void cached.set(key, answer) },
    sleep: (ms) => scheduler.point(life, `sleeps ${Math.round(ms)} ms`, ms),
    random: random.share,
  };
  const router = createRouter({
    ports,
    scorer,
    confidence: () => gateConfidence,
    settings: () => settings,
  });
  return {
    life,
    ownerId,
    ledger: opened,
    router,
    prompts: new Map(),
    stranded,
    setLimits(now) {
      world.oracle.limitsHeard.hears(life, now);
      if (planted?.deafToLimits !== true) settings = settingsOf(now);
    },
  };
}

/** Tells the oracle what the router asks and hears; nothing is planted outside of it. */
function watched({ oracle }: World, life: Life, inner: Ledger): Ledger {
  const { reserve, reserveDispatched } = inner;
  const asking =
    (ask: Ledger['reserve']): Ledger['reserve'] =>
    async (request, limits) => {
      oracle.asks(request, limits, life);
      const result = await ask(request, limits);
      if (result.kind === 'held') oracle.held(request, life);
      return result;
    };
  return {
    ...inner,
    reserve: asking(reserve),
    ...(reserveDispatched && { reserveDispatched: asking(reserveDispatched) }),
  };
}

/** The ledger as it is reached: slow, at times refusing, at times mute after it has written. */
function faultyLedger(
  { scheduler, faults, oracle }: World,
  life: Life,
  inner: SimulatedLedger,
  stranded: Set<string>,
  inOneStep: boolean,
): Ledger {
  async function write<T>(label: string, work: () => Promise<T>): Promise<T> {
    await scheduler.point(life, label);
    fail('write refused');
    const result = await work();
    await scheduler.point(life, `${label}: committed`);
    fail('response lost');
    return result;
  }
  async function read<T>(label: string, work: () => Promise<T>): Promise<T> {
    await scheduler.point(life, label);
    return work();
  }
  function fail(kind: WriteFault): void {
    if (faults.ofWrite(kind)) throw new LedgerUnavailableError(kind);
  }
  /** The same write, once more; it must change nothing. */
  async function again(work: () => Promise<unknown>): Promise<void> {
    if (faults.ofWrite('write sent twice')) await repeated(work);
    if (faults.ofWrite('late second write')) {
      void scheduler.point(life, 'second write').then(() => repeated(work));
    }
  }
  async function repeated(work: () => Promise<unknown>): Promise<void> {
    oracle.look();
    const before = oracle.shadow.seq();
    await work().catch(() => undefined);
    oracle.look();
    if (oracle.shadow.seq() !== before)
      oracle.find('a write that was sent twice changed something');
  }

  const { reserveDispatched, ...twoSteps } = inner;
  const reserving =
    (word: string, ask: Ledger['reserve']): Ledger['reserve'] =>
    async (request, limits) => {
      try {
        return await write(`${word} ${request.id}`, async () => {
          const result = await ask(request, limits);
          if (result.kind === 'held') await again(() => ask(request, limits));
          return result;
        });
      } catch (error) {
        stranded.add(request.id);
        return { kind: 'unavailable', why: String(error) };
      }
    };

  return {
    ...twoSteps,
    answered: (promptId) => read('answered?', () => inner.answered(promptId)),
    frozenModels: () => read('frozen models', () => inner.frozenModels()),
    budget: (limits, scope) => read('budget', () => inner.budget(limits, scope)),
    record: (answer) => write('record', () => inner.record(answer)),
    reserve: reserving('reserve', inner.reserve),
    ...(reserveDispatched !== undefined &&
      inOneStep && {
        reserveDispatched: reserving('reserve and dispatch', reserveDispatched),
      }),
    dispatch: (id) =>
      write(`dispatch ${id}`, async () => {
        await inner.dispatch(id);
        await again(() => inner.dispatch(id));
      }),
    async settle(id: string, settlement: Settlement) {
      try {
        const booked = await write(`settle ${id} as ${settlement.kind}`, async () => {
          const amount = await inner.settle(id, settlement);
          oracle.settled(id, amount);
          await again(() => inner.settle(id, settlement));
          return amount;
        });
        return booked;
      } catch (error) {
        if (error instanceof LedgerUnavailableError) stranded.add(id);
        throw error;
      }
    },
  };
}

/** Sure or not, complete or broken: what a local answer may be, word by word. */
function localPort({ random, scheduler }: World, life: Life): ModelPort {
  return {
    availability: () => ({ kind: 'ready' }),
    identity: (model) => model.id,
    async *generate(_model, _request, signal) {
      const logProb = random.chance(0.5) ? -4 : -0.01;
      await scheduler.point(life, 'local answer');
      if (signal.aborted || random.chance(0.05)) {
        const code = signal.aborted ? 'cancelled' : 'model_crashed';
        const failure = { code, message: 'as simulated', retryable: false } as const;
        yield { type: 'failed', failure: { ...failure, billing: 'nothing' } };
        return;
      }
      yield { type: 'text-delta', text: 'local ' };
      yield {
        type: 'end',
        finish: 'stop',
        usage: {
          inputTokens: 10,
          cachedInputTokens: 0,
          cacheWriteTokens: undefined,
          outputTokens: 1,
          reasoningTokens: 0,
        },
        logProbs: [{ text: 'local ', logProb }],
      };
    },
  };
}
