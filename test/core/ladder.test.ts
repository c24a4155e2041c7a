/** A ladder of models in place of the pair: order by price, the cheapest that is good enough, one step up at a time, within the money. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Route } from '../../server/src/core/answer.ts';
import { rungsOf } from '../../server/src/core/ladder.ts';
import { nanoUsd } from '../../server/src/core/price.ts';
import { reasonText } from '../../server/src/core/reason.ts';
import type { Model, PriceRow } from '../../server/src/core/types.ts';
import {
  answerOf,
  BIG,
  collect,
  fails,
  LOCAL,
  MINI,
  prices as pairPrices,
  registry as pairRegistry,
  promptOf,
  type Script,
  type ScriptedAnswer,
  says,
  scriptedRouter,
} from '../support/scriptedPorts.ts';

const OWN = 'own-server';
const LARGE = 'large-local';
const [small, mini] = pairRegistry.models;
assert.ok(small?.provider === 'local' && mini?.provider === 'openai');
const own: Model = {
  ...mini,
  id: OWN,
  label: 'Own Server',
  tier: 'cheap',
  provider: 'openai-compatible',
  baseUrl: 'http://127.0.0.1:11434/v1',
  apiModel: OWN,
  key: 'none',
  ability: { kind: 'size', billions: 8 },
};
const large: Model = { ...small, id: LARGE, ability: { kind: 'size', billions: 4 } };
/** In an order that is not that of the prices. */
const registry = {
  models: [pairRegistry.models[2] ?? mini, mini, small, own],
  defaults: { ...pairRegistry.defaults, ladder: 'auto' as const },
};
const free = (model: string): PriceRow => {
  const row = pairPrices[MINI];
  if (row === undefined) throw new Error('expected a price');
  return { ...row, id: `${model}@2026-01-01`, model, base: { inputPicoUsd: 0, outputPicoUsd: 0 } };
};
const prices = { ...pairPrices, [OWN]: free(OWN) };
const SORRY = "I'm sorry, but I cannot help with that.";

function ladder(script: Script = {}) {
  return scriptedRouter({ registry, prices, ...script });
}

const scores = (local: number, server: number, cheap: number, best = 0.05) => ({
  [LOCAL]: local,
  [OWN]: server,
  [MINI]: cheap,
  [BIG]: best,
});

async function routeOf(script: Script, ...rest: Parameters<typeof promptOf>): Promise<Route> {
  const { router } = ladder(script);
  const decision = await router.decide(promptOf(...rest));
  assert.ok(decision.kind === 'routed', JSON.stringify(decision));
  return decision.route;
}

const plan = ({ modelId, ifUnsure, further = [] }: Route) => [modelId, ifUnsure, ...further];

test('the cheapest model that is good enough answers first, and the dearer ones stand above it in order', async () => {
  const easy = await routeOf({ scores: scores(0.3, 0.2, 0.1) }, 'Why?');
  assert.deepEqual(plan(easy), [LOCAL, OWN, MINI, BIG]);
  assert.equal(easy.reason.code, 'prompt_complexity_low');
  const harder = await routeOf({ scores: scores(0.8, 0.4, 0.2) }, 'Why?');
  assert.deepEqual(plan(harder), [OWN, MINI, BIG]);
  const hard = await routeOf({ scores: scores(0.9, 0.8, 0.3) }, 'Why?');
  assert.deepEqual(plan(hard), [MINI, BIG]);
  const hardest = await routeOf({ scores: scores(0.95, 0.9, 0.7) }, 'Why?');
  assert.deepEqual(plan(hardest), [BIG, undefined]);
  assert.equal(hardest.reason.code, 'prompt_complexity_high');
});

test('every model is among the candidates with its estimate, in the order of the prices', async () => {
  const { trace, boundNanoUsd } = await routeOf({ scores: scores(0.3, 0.2, 0.1) }, 'Why?');
  const alone = trace.candidates.filter(({ ifUnsure }) => ifUnsure === undefined);
  assert.deepEqual(
    alone.map(({ first }) => first),
    [LOCAL, OWN, MINI, BIG],
  );
  const costs = alone.map(({ expectedCostNanoUsd }) => expectedCostNanoUsd ?? Number.NaN);
  assert.deepEqual(
    costs,
    costs.toSorted((a, b) => a - b),
  );
  assert.deepEqual(
    alone.map(({ quality }) => quality),
    [0.7, 0.8, 0.9, 0.95],
  );
  // The most that the chosen plan can cost is all of its models at their bounds.
  const bounds = alone.reduce((sum, one) => sum + (one.boundNanoUsd ?? Number.NaN), 0);
  assert.equal(boundNanoUsd, bounds);
});

test('one that costs more and is no better is passed over on the way up, but named', async () => {
  const route = await routeOf({ scores: scores(0.3, 0.2, 0.25) }, 'Why?');
  assert.deepEqual(plan(route), [LOCAL, OWN, BIG]);
  assert.ok(route.trace.candidates.some(({ first }) => first === MINI));
});

test('a quality that is asked for by number is reached by the cheapest plan that is expected to', async () => {
  const script = { scores: scores(0.5, 0.3, 0.1) };
  assert.equal((await routeOf(script, 'Why?', { minQuality: 0.65 })).modelId, LOCAL);
  assert.equal((await routeOf(script, 'Why?', { minQuality: 0.75 })).modelId, MINI);
  assert.equal((await routeOf(script, 'Why?', { minQuality: 0.93 })).modelId, BIG);
});

test('an unsure draft goes up one step at a time until an answer shows no sign of failure, and all of it is paid', async () => {
  const { router, reservations } = ladder({
    scores: scores(0.3, 0.2, 0.1),
    answers: {
      [LOCAL]: [says('maybe', { sure: false })],
      [OWN]: [says(SORRY)],
      [MINI]: [says('Because of this.')],
    },
  });
  const events = await collect(router, promptOf('Why?'));
  await router.idle();
  const result = answerOf(events);
  assert.equal(result.text, 'Because of this.');
  assert.deepEqual(
    result.attempts.map(({ modelId, outcome }) => [modelId, outcome]),
    [
      [LOCAL, 'deferred'],
      [OWN, 'deferred'],
      [MINI, 'answered'],
    ],
  );
  assert.match(reasonText(result.reason), /model=cloud-mini, draft=own-server\)$/);
  const drafts = events.flatMap((event) => (event.type === 'text-delta' ? [event] : []));
  // What may yet be replaced is told as a draft; MINI may be, too, until it is checked.
  assert.ok(drafts.every(({ draft }) => draft));
  assert.deepEqual(
    events.flatMap((event) => (event.type === 'answer-deferred' ? [event.toModelId] : [])),
    [OWN, MINI],
  );
  assert.equal(result.costNanoUsd, 300_000);
  assert.deepEqual(
    [...reservations.values()].map(({ kind }) => kind),
    ['settled', 'settled'],
  );
});

test('a model above that fails is passed over; where none can answer the draft stands with the reason', async () => {
  const down = fails({
    code: 'provider_unavailable',
    message: 'down',
    retryable: false,
    billing: 'nothing',
  });
  const unsure = { [LOCAL]: [says('maybe', { sure: false })], [OWN]: [down] };
  const passed = ladder({ scores: scores(0.3, 0.2, 0.1), answers: unsure });
  const result = answerOf(await collect(passed.router, promptOf('Why?')));
  assert.equal(result.modelId, MINI);
  const none = ladder({
    scores: scores(0.3, 0.2, 0.1),
    answers: { ...unsure, [MINI]: [down], [BIG]: [down] },
  });
  const kept = answerOf(await collect(none.router, promptOf('Why?')));
  assert.deepEqual([kept.modelId, kept.text], [LOCAL, 'maybe']);
  assert.match(reasonText(kept.reason), /^provider_unavailable\(wanted=own-server/);
  assert.equal(kept.savings.kind, 'unknown');
});

test('calls of tools are an answer, and no sign of failure', async () => {
  const toolCalls = [{ id: 'c1', name: 'read', argumentsJson: '{}' }];
  const { router } = ladder({
    scores: scores(0.9, 0.8, 0.3),
    answers: { [MINI]: [says('', { finish: 'tool-calls', toolCalls })] },
  });
  const result = answerOf(await collect(router, promptOf('Why?')));
  assert.deepEqual([result.modelId, result.toolCalls.length], [MINI, 1]);
});

test('what must stay here climbs no further than this machine', async () => {
  const { router, calls } = ladder({
    scores: scores(0.3, 0.2, 0.1),
    findings: [{ rule: 'aws', where: 'prompt' }],
    answers: { [LOCAL]: [says('maybe', { sure: false })], [OWN]: [says(SORRY)] },
  });
  const result = answerOf(await collect(router, promptOf('Why?')));
  assert.deepEqual(
    calls.map(({ modelId }) => modelId),
    [LOCAL, OWN],
  );
  assert.equal(result.modelId, OWN);
});

test('a budget that covers a step of the way ends there, and nothing is held', async () => {
  const { router, reservations } = ladder({
    scores: scores(0.9, 0.8, 0.3),
    settings: { monthlyBudgetNanoUsd: nanoUsd(5_000_000), pacingFrom: 1, maxOutputTokens: 1000 },
    answers: { [MINI]: [says(SORRY, { usage: { inputTokens: 20, outputTokens: 900 } })] },
  });
  const result = answerOf(await collect(router, promptOf('Why?')));
  await router.idle();
  assert.deepEqual([result.modelId, result.text], [MINI, SORRY]);
  assert.equal(result.reason.code, 'budget_exhausted');
  assert.deepEqual(
    [...reservations.values()].map(({ kind }) => kind),
    ['settled'],
  );
  // A poor answer that stands only for want of money is not kept for the next one who asks.
  const again = answerOf(await collect(router, promptOf('Why?')));
  assert.notEqual(again.served, 'cache');
});

test('whatever fails and however long, the ladder never passes the budget nor the limit of a request', async () => {
  let passed = 0;
  const cut = { code: 'stream_cut', message: 'cut', retryable: true, billing: 'unknown' } as const;
  for (let seed = 1; seed <= 150; seed += 1) {
    const random = generator(seed);
    const limit = Math.round(random() * 20_000_000);
    const ofRequest = Math.round(random() * 8_000_000);
    const answers = (): ScriptedAnswer => {
      const tokens = Math.round(random() * 600);
      const text = random() < 0.6 ? SORRY : 'Yes.';
      if (random() < 0.3) return fails(cut);
      return (request, signal) => {
        const outputTokens = Math.min(tokens, request.maxOutputTokens);
        return says(text, { usage: { inputTokens: 20, outputTokens } })(request, signal);
      };
    };
    const { router, reservations } = ladder({
      scores: scores(random(), random(), random()),
      settings: { monthlyBudgetNanoUsd: nanoUsd(limit), maxOutputTokens: 600 },
      random,
      answers: {
        [LOCAL]: [says('maybe', { sure: random() < 0.5 })],
        [MINI]: [answers(), answers(), answers()],
        [BIG]: [answers(), answers(), answers()],
        [OWN]: [answers()],
      },
    });
    const prompts = Array.from({ length: 6 }, (_, at) =>
      promptOf(`Why ${at}?`, { maxCostNanoUsd: nanoUsd(ofRequest) }),
    );
    const ends = await Promise.all(prompts.map((prompt) => collect(router, prompt)));
    await router.idle();
    for (const events of ends) {
      const last = events.at(-1);
      const cost =
        last?.type === 'answer-end'
          ? last.result.costNanoUsd
          : last?.type === 'answer-failed'
            ? last.costNanoUsd
            : Number.NaN;
      assert.ok(cost <= ofRequest, `seed ${seed}: ${cost} of ${ofRequest}`);
      if (cost > 0) passed += 1;
    }
    let spent = 0;
    for (const state of reservations.values()) {
      assert.ok(!['reserved', 'dispatched', 'overrun'].includes(state.kind), `seed ${seed}`);
      if ('bookedNanoUsd' in state) spent += state.bookedNanoUsd;
    }
    assert.ok(spent <= limit, `seed ${seed}: ${spent} of ${limit}`);
  }
  assert.ok(passed > 100, `expected many paid answers, got ${passed}`);
});

test('one who leaves in the midst of the second step has it booked, at its bill or its bound', async () => {
  const { router, reservations } = ladder({
    scores: scores(0.9, 0.8, 0.3),
    answers: { [MINI]: [says(SORRY)], [BIG]: [says('one two three four')] },
  });
  for await (const event of router.answer(promptOf('Why?'), new AbortController().signal)) {
    if (event.type === 'text-delta' && event.modelId === BIG) break;
  }
  await router.idle();
  assert.deepEqual(
    [...reservations.values()].map(({ kind }) => kind),
    ['settled', 'settled'],
  );
});

test('the rungs: named or all, by price, without models that are not here, always with the escalation model', () => {
  const models = [...registry.models, large];
  const of = (named: 'auto' | readonly string[], isHere: (id: string) => boolean) =>
    rungsOf({
      ladder: named,
      registry: { ...registry, models },
      cheapId: LOCAL,
      escalationId: BIG,
      priceOf: ({ id }) => prices[id as keyof typeof prices],
      isHere: ({ id }) => isHere(id),
    }).map(({ id }) => id);
  assert.deepEqual(
    of('auto', () => true),
    [LOCAL, OWN, LARGE, MINI, BIG],
  );
  assert.deepEqual(
    of('auto', (id) => id === LARGE),
    [OWN, LARGE, MINI, BIG],
  );
  // So that a route can say what is missing.
  assert.deepEqual(
    of('auto', () => false),
    [LOCAL, OWN, MINI, BIG],
  );
  assert.deepEqual(
    of([MINI, LARGE], () => false),
    [LARGE, MINI, BIG],
  );
});

function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32;
    return state / 2 ** 32;
  };
}
