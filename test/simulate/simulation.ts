/** One seed: virtual processes, their prompts and what befalls them, then a time without faults in which all must settle. */
import { isOpen, type ReservationState } from '../../server/src/core/budget.ts';
import type { Prompt } from '../../server/src/core/types.ts';
import { createFaults, type FaultKind, type OutsideFault } from './faults.ts';
import { createMemoryLedger } from './memoryLedger.ts';
import { createOracle } from './oracle.ts';
import type { PlantedBug } from './plantedBugs.ts';
import { type RunningPrompt, startProcess, type VirtualProcess } from './process.ts';
import { randomOf } from './random.ts';
import { createScheduler, type Life, quiet } from './scheduler.ts';
import type { Shadow } from './shadow.ts';
import { createSqliteLedger } from './sqliteLedger.ts';
import { drawLimits, drawPrompt, type Limits } from './workload.ts';
import type { World } from './world.ts';

export interface SimulationOptions {
  readonly seed: number;
  /** With faults; the time after them is not counted. */
  readonly steps: number;
  /** @default 'memory' */
  readonly store?: 'memory' | 'sqlite';
  readonly planted?: PlantedBug;
  /** Goes on after something was found. @default false */
  readonly toTheEnd?: boolean;
  /** Keeps a line of every step. @default false */
  readonly traced?: boolean;
}

export interface SimulationResult {
  readonly seed: number;
  /** What broke a promise; empty when nothing did. */
  readonly findings: readonly string[];
  readonly steps: number;
  readonly prompts: number;
  /** Prompts that held money for several models, one after the other. */
  readonly climbs: number;
  readonly calls: number;
  readonly reservations: number;
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>;
  readonly trace: readonly string[];
}

const DAY_MS = 86_400_000;
/** Long enough for every answer, retry and drained stream; what is open then hangs. */
const SETTLED_WITHIN_MS = 20 * 60_000;

export async function simulate(options: SimulationOptions): Promise<SimulationResult> {
  const { seed, steps, store = 'memory', planted, traced = false, toTheEnd = false } = options;
  const random = randomOf(seed);
  const trace: string[] = [];
  const scheduler = createScheduler(random, (line) => note(line));
  const faults = createFaults(random);
  const ledger =
    store === 'memory' ? createMemoryLedger(random, planted?.rules) : createSqliteLedger(random);
  const oracle = createOracle(ledger);
  // Near the end of a month and of a day, so that both turn in many runs.
  let clockMs = Date.UTC(2026, 10, 30, 23, 59) - random.pick([0, 30_000, 5 * DAY_MS]);
  const ids = new Map<string, number>();
  const world: World = {
    random,
    scheduler,
    faults,
    ledger,
    oracle,
    planted,
    wallMs: () => clockMs + scheduler.nowMs(),
    newId(prefix) {
      const next = (ids.get(prefix) ?? 0) + 1;
      ids.set(prefix, next);
      return `${prefix}${next}`;
    },
  };
  let generosity = random.whole(1, 6);
  let limits: Limits = drawLimits(random, generosity);
  const running = new Map<string, VirtualProcess>();
  const prompts: Prompt[] = [];
  let full = false;
  let taken = 0;
  let compared = 0;

  function note(line: () => string): void {
    if (traced) trace.push(`${trace.length + 1}. ${Math.round(scheduler.nowMs())} ms ${line()}`);
  }

  const names = ['A', 'B', 'C', 'D'].slice(0, random.whole(2, 4));
  for (const name of names) start(name);
  const goesOn = () => toTheEnd || oracle.findings.length === 0;
  // A rejection that nobody waits for would end a real program.
  process.on('unhandledRejection', threw);
  for (; taken < steps && goesOn(); taken++) await faultyStep();
  if (goesOn()) await settleAll().catch(threw);
  process.off('unhandledRejection', threw);
  ledger.dispose();
  faults.count('delay', scheduler.faultCounts.delay);
  faults.count('reorder', scheduler.faultCounts.reorder);
  return {
    seed,
    findings: oracle.findings,
    steps: taken,
    prompts: prompts.length,
    climbs: climbsIn(oracle.shadow),
    calls: oracle.calls(),
    reservations: oracle.shadow.reservations.size,
    faults: Object.fromEntries(faults.counts),
    trace,
  };

  function threw(error: unknown): void {
    oracle.find(`threw ${error instanceof Error ? error.stack : error}`);
  }

  function start(name: string): void {
    const life: Life = { name: `${name}${world.newId(name).slice(1)}`, alive: true };
    void boot().catch(threw);

    async function boot(): Promise<void> {
      const started = await startProcess(world, life, limits);
      if (started !== undefined) {
        running.set(name, started);
        return;
      }
      await scheduler.point(life, 'could not open the ledger', 5_000);
      start(name);
    }
  }

  async function faultyStep(): Promise<void> {
    const fault = random.chance(0.3) ? drawnFault() : undefined;
    if (fault !== undefined) befall(fault);
    else if (running.size > 0 && random.chance(0.06)) ask(newPrompt());
    else if (!(await scheduler.step()) && running.size > 0) ask(newPrompt());
    await quiet();
    check();
  }

  function check(): void {
    oracle.look();
    if (oracle.shadow.seq() !== compared) {
      compared = oracle.shadow.seq();
      oracle.compareCounters();
    }
    if (taken % 128 === 127) oracle.audit();
  }

  function drawnFault(): OutsideFault | undefined {
    // The weights are of 1000 steps, of which this is drawn in 300.
    const none = 300 - faults.outside.reduce((sum, [weight]) => sum + weight, 0);
    return random.weighed<OutsideFault | undefined>([
      [Math.max(0, none), undefined],
      ...faults.outside,
    ]);
  }

  function befall(kind: OutsideFault): void {
    const process = running.size > 0 ? random.pick([...running.values()]) : undefined;
    const prompt =
      process !== undefined && process.prompts.size > 0
        ? random.pick([...process.prompts.values()])
        : undefined;
    switch (kind) {
      case 'crash':
        if (process === undefined) return;
        stop(process);
        ledger.crash(process.ownerId);
        break;
      case 'program closed':
        if (process === undefined) return;
        void closeSoon(process);
        break;
      case 'abort':
        if (prompt === undefined || prompt.abort.signal.aborted) return;
        prompt.abort.abort();
        break;
      case 'reader left':
        if (prompt === undefined || prompt.leaves) return;
        prompt.leaves = true;
        break;
      case 'id sent again':
        if (prompts.length === 0 || process === undefined) return;
        ask(random.pick(prompts.slice(-4)));
        break;
      case 'clock forward':
        clockMs += random.pick([1 / 24, 1, 31, 70]) * DAY_MS;
        break;
      case 'clock back':
        clockMs -= random.pick([1 / 24, 1, 31, 70]) * DAY_MS;
        break;
      case 'disk full':
        if (full) return;
        setFull(true);
        void scheduler.point(undefined, 'room on the disk', random.whole(1, 400)).then(() => {
          setFull(false);
        });
        break;
      case 'model unfrozen': {
        const [model] = oracle.shadow.frozen;
        if (model === undefined || process === undefined) return;
        void process.ledger.unfreeze(model).catch(() => undefined);
        break;
      }
      case 'limits raised':
        generosity = Math.min(12, generosity + random.whole(1, 4));
        changeLimits();
        break;
      case 'limits lowered':
        generosity = Math.max(0, generosity - random.whole(1, 4));
        changeLimits();
        break;
    }
    faults.count(kind);
    note(() => `FAULT ${kind} ${process?.life.name ?? ''}`);
  }

  /** Each process hears of it at its own time. */
  function changeLimits(): void {
    const changed = drawLimits(random, generosity);
    limits = changed;
    for (const process of running.values()) {
      void scheduler.point(process.life, 'new limits').then(() => process.setLimits(changed));
    }
  }

  function setFull(now: boolean): void {
    full = now;
    ledger.setFull(now);
  }

  /** Nothing of it goes on; another one starts in its place. */
  function stop(process: VirtualProcess): void {
    scheduler.end(process.life);
    const name = process.life.name.slice(0, 1);
    if (running.get(name) === process) running.delete(name);
    void scheduler.point(undefined, `starts ${name} again`, random.whole(0, 3_000)).then(() => {
      start(name);
    });
  }

  /** The ledger is closed while prompts may still run, as when an editor quits; the process ends soon after. */
  async function closeSoon(process: VirtualProcess): Promise<void> {
    running.delete(process.life.name.slice(0, 1));
    await process.ledger.close().catch(() => undefined);
    await scheduler.point(process.life, 'ends', random.whole(0, 50));
    stop(process);
    ledger.crash(process.ownerId);
  }

  function newPrompt(): Prompt {
    const prompt = drawPrompt(random, world.newId('p'));
    prompts.push(prompt);
    return prompt;
  }

  function ask(prompt: Prompt): void {
    const process = random.pick([...running.values()]);
    const key = world.newId(prompt.id);
    const run: RunningPrompt = { abort: new AbortController(), leaves: false };
    process.prompts.set(key, run);
    note(() => `${process.life.name}: is asked ${prompt.id}`);
    void read(process, prompt, run)
      .catch((error) => {
        // The one defect that is simulated; anything else is one of the program.
        if (String(error).includes('got a defect')) return;
        oracle.find(`${prompt.id} threw ${error instanceof Error ? error.stack : error}`);
      })
      .finally(() => process.prompts.delete(key));
  }

  async function read(process: VirtualProcess, prompt: Prompt, run: RunningPrompt): Promise<void> {
    const { life, router } = process;
    let ends = 0;
    let refused = false;
    try {
      for await (const event of router.answer(prompt, run.abort.signal)) {
        if (event.type === 'answer-end' || event.type === 'answer-failed') {
          ends += 1;
          const ended = event.type === 'answer-end' ? event.result : event;
          refused = event.type === 'answer-failed' && event.failure.code === 'duplicate_request';
          if (!refused) oracle.told(prompt.id, life, ended.costNanoUsd);
        }
        if (run.leaves) return;
        await scheduler.point(life, `reads ${event.type} of ${prompt.id}`, 0);
      }
    } finally {
      if (!refused) oracle.leftUntold(prompt.id, life);
    }
    if (ends !== 1) oracle.find(`${prompt.id} ended with ${ends} final events`);
  }

  /** No faults from here on: everything must come to its end, and all money to its place. */
  async function settleAll(): Promise<void> {
    faults.stop();
    setFull(false);
    const deadline = scheduler.nowMs() + SETTLED_WITHIN_MS;
    while (scheduler.nowMs() < deadline && (await scheduler.step())) oracle.look();
    let idle = 0;
    for (const { router } of running.values()) void router.idle().then(() => idle++);
    await quiet();
    if (idle !== running.size)
      oracle.find(`a cancelled stream was not settled in ${SETTLED_WITHIN_MS} ms`);
    for (const { life, prompts: left } of running.values()) {
      if (left.size > 0) oracle.find(`${[...left.keys()]} of ${life.name} never ended`);
    }
    const stranded = new Set([...running.values()].flatMap((one) => [...one.stranded]));
    for (const id of openHolds()) {
      if (!stranded.has(id))
        oracle.find(`${id} is still held, though nothing kept it from its end`);
    }
    await endAll();
    const [stillHeld] = openHolds();
    if (stillHeld !== undefined)
      oracle.find(`${stillHeld} is still held after every process ended`);
    oracle.audit();
  }

  /** What a fault left open ends with its process: by its close, or by the next one that opens the ledger. */
  async function endAll(): Promise<void> {
    for (const { ledger: own, ownerId, life } of running.values()) {
      if (random.chance(0.5)) await own.close();
      scheduler.end(life);
      ledger.crash(ownerId);
    }
    const last = await ledger.open(world.newId('owner-last-'), {
      now: world.wallMs,
      monotonicMs: scheduler.nowMs,
    });
    if (last === undefined) oracle.find('the ledger could not be opened again');
    oracle.look();
    await last?.close();
  }

  function openHolds(): readonly string[] {
    const open = [...oracle.shadow.reservations.values()];
    return open.filter(({ kind }) => isOpen({ kind } as ReservationState)).map(({ id }) => id);
  }
}

function climbsIn({ reservations }: Shadow): number {
  const models = new Map<string, Set<string>>();
  for (const { promptId, modelId } of reservations.values()) {
    models.set(promptId, (models.get(promptId) ?? new Set()).add(modelId));
  }
  return [...models.values()].filter(({ size }) => size > 1).length;
}
