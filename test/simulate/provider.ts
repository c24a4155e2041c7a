/**
 * A cloud provider that keeps its own bill, in nano-USD by the price row, and honours the output cap it is told. What it
 * will bill is settled when a request reaches it; when it books it, and whether the caller ever hears of it, is chance.
 */
import { failure } from '../../server/src/core/errors.ts';
import type { GenerationRequest, ModelEvent, ModelPort } from '../../server/src/core/ports.ts';
import { costOf } from '../../server/src/core/price.ts';
import type { Model, Usage } from '../../server/src/core/types.ts';
import type { AnswerFault } from './faults.ts';
import type { Life } from './scheduler.ts';
import { inputTokensOf, prices, type World } from './world.ts';

/** One request, as the provider means to treat it. */
interface Plan {
  readonly fault: AnswerFault | undefined;
  readonly usage: Usage;
  readonly billNanoUsd: number;
  readonly words: number;
}

const STEP_MS = { slow: 55_000, hung: 120_000 };

export function providerPort(world: World, life: Life): ModelPort {
  const { random, scheduler, faults, oracle } = world;

  async function* generate(
    model: Model,
    request: GenerationRequest,
    signal: AbortSignal,
  ): AsyncGenerator<ModelEvent> {
    const plan = planOf(world, model, request);
    const { fault, words } = plan;
    await scheduler.point(life, 'connects');
    if (fault === 'connection refused') return yield failed('provider_unavailable', 'nothing');
    if (signal.aborted && random.chance(0.5)) return yield failed('cancelled', 'nothing');
    receive(plan, promptIdOf(request), model);
    await scheduler.point(life, 'first byte', fault === 'slow answer' ? STEP_MS.slow : undefined);
    if (fault?.startsWith('status 429') === true) return yield failed('rate_limited', 'nothing');
    if (fault?.startsWith('status') === true)
      return yield failed('provider_unavailable', 'unknown');
    for (let word = 0; word < words; word++) {
      if (signal.aborted) return yield* afterAbort(plan);
      yield { type: 'text-delta', text: 'word ' };
      await scheduler.point(life, 'next word');
    }
    if (signal.aborted) return yield* afterAbort(plan);
    yield* ending(plan);
  }

  /** The request is there; what it costs follows, whatever becomes of the caller. */
  function receive({ billNanoUsd, fault }: Plan, promptId: string, model: Model): void {
    const reservationId = oracle.left(promptId, life);
    const brokeItsWord = fault === 'bill past its cap' || fault === 'status 429, billed';
    const charge = (amountNanoUsd: number) =>
      oracle.charged(reservationId, amountNanoUsd, brokeItsWord, model.id);
    const parts = random.pick([[billNanoUsd], halves(billNanoUsd), halves(billNanoUsd)]);
    const atOnce = random.chance(0.4);
    for (const [at, part] of parts.entries()) {
      if (atOnce && at === 0) charge(part);
      else void scheduler.point(undefined, `bills ${part}`).then(() => charge(part));
    }
  }

  async function* afterAbort(plan: Plan): AsyncGenerator<ModelEvent> {
    const way = random.weighed([
      [5, 'answers'],
      [3, 'gives up'],
      [1, 'hangs'],
    ] as const);
    await scheduler.point(
      life,
      `${way} after the abort`,
      way === 'hangs' ? STEP_MS.hung : undefined,
    );
    if (way !== 'answers') return yield failed('cancelled', 'unknown');
    faults.count('answer after an abort');
    yield* ending(plan);
  }

  async function* ending({ fault, usage }: Plan): AsyncGenerator<ModelEvent> {
    if (fault === 'stream cut') return yield failed('stream_cut', 'unknown');
    if (fault === 'stream without an end') return;
    if (fault === 'adapter throws') throw new Error('expected a stream, got a defect');
    const told = fault === 'usage untold' ? { ...usage, outputTokens: undefined } : usage;
    const end: ModelEvent = { type: 'end', finish: 'stop', usage: told };
    yield end;
    if (fault === 'end told twice') yield end;
  }

  return {
    availability: () => ({ kind: 'ready' }),
    identity: (model) => model.id,
    generate,
  };
}

function failed(
  code: 'provider_unavailable' | 'rate_limited' | 'stream_cut' | 'cancelled',
  billing: 'nothing' | 'unknown',
): ModelEvent {
  const retryable = code !== 'cancelled';
  const details = { retryable, billing, ...(code === 'rate_limited' ? { retryAfterMs: 700 } : {}) };
  return { type: 'failed', failure: failure(code, 'as simulated', details) };
}

function planOf({ random, faults }: World, model: Model, request: GenerationRequest): Plan {
  const fault = faults.ofAnswer();
  const price = prices[model.id];
  if (price === undefined) throw new Error(`expected a price for ${model.id}, got none`);
  const usage = usageOf();
  const full = costOf(price, usage) ?? 0;
  return { fault, usage, billNanoUsd: billed(), words: random.whole(0, 3) };

  function usageOf(): Usage {
    const most = inputTokensOf(request);
    const dearest = random.chance(0.3);
    const inputTokens = dearest ? most : random.whole(1, most);
    const cachedInputTokens = dearest ? 0 : random.whole(0, inputTokens);
    const cap = request.maxOutputTokens * (fault === 'bill past its cap' ? 3 : 1);
    return {
      inputTokens,
      cachedInputTokens,
      cacheWriteTokens: dearest ? inputTokens : random.whole(0, inputTokens - cachedInputTokens),
      outputTokens: dearest || fault === 'bill past its cap' ? cap : random.whole(0, cap),
      reasoningTokens: 0,
    };
  }

  function billed(): number {
    switch (fault) {
      case 'connection refused':
      case 'status 5xx, not billed':
      case 'status 429':
        return 0;
      case 'stream cut':
      case 'stream without an end':
      case 'adapter throws':
        return random.chance(0.5) ? full : Math.floor(full * random.share());
      default:
        return full;
    }
  }
}

function halves(amount: number): readonly number[] {
  const first = Math.floor(amount / 2);
  return [first, amount - first];
}

/** Every simulated prompt begins with its id. */
function promptIdOf({ turns }: GenerationRequest): string {
  return /#(\S+)/.exec(turns.at(-1)?.text ?? '')?.[1] ?? '';
}
