/** The way of one prompt through the router: gate, deferral, fallback, cache, and what it leaves in the ledger. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failure } from '../../server/src/core/errors.ts';
import type { AnswerRecord, Settlement, SpeedSample } from '../../server/src/core/ports.ts';
import { nanoUsd, nanoUsdFromDollars } from '../../server/src/core/price.ts';
import { reasonText } from '../../server/src/core/reason.ts';
import {
  answerOf,
  BIG,
  collect,
  fails,
  failureOf,
  LOCAL,
  MINI,
  promptOf,
  type ScriptedAnswer,
  says,
  scriptedRouter,
} from '../support/scriptedPorts.ts';

const hard = { scores: { [LOCAL]: 0.8 } };
const unsure = { [LOCAL]: [says('um well perhaps', { sure: false })] };

const states = (reservations: ReadonlyMap<string, { kind: string }>) =>
  [...reservations.values()].map(({ kind }) => kind);

test('an easy prompt is answered locally, free, with savings against the baseline', async () => {
  const { router, records, reservations } = scriptedRouter();
  const events = await collect(router, promptOf('Why is the sky blue?'));
  assert.deepEqual(
    events.map(({ type }) => type),
    ['route-decided', ...events.slice(1, -1).map(() => 'text-delta'), 'answer-end'],
  );
  const answer = answerOf(events);
  assert.equal(answer.text, `answer of ${LOCAL}`);
  assert.deepEqual([answer.served, answer.costNanoUsd, answer.finish], ['local', 0, 'stop']);
  assert.ok(answer.savings.kind === 'known' && answer.savings.savedNanoUsd > 0);
  assert.ok(answer.confidence && answer.confidence.value >= answer.confidence.needed);
  assert.ok(answer.quality > 1 - answer.route.score, 'passing the gate raises the estimate');
  assert.equal(reservations.size, 0);
  assert.equal(records[0]?.status, 'complete');
  assert.ok(!JSON.stringify(records).includes('sky'), 'no prompt text in the ledger');
});

test('an unsure draft is deferred in the same stream, and only the cloud answer is billed', async () => {
  const { router, reservations } = scriptedRouter({
    answers: { ...unsure, [BIG]: [says('the true answer')] },
  });
  const events = await collect(router, promptOf('Why?'));
  const deferred = events.findIndex(({ type }) => type === 'answer-deferred');
  const drafts = events.filter((event) => event.type === 'text-delta' && event.draft);
  const finals = events.filter((event) => event.type === 'text-delta' && !event.draft);
  assert.ok(deferred > 0 && drafts.length > 0 && finals.length > 0);
  const answer = answerOf(events);
  assert.deepEqual([answer.text, answer.modelId, answer.served], ['the true answer', BIG, 'cloud']);
  assert.match(reasonText(answer.reason), /^low_confidence\(confidence=0\.\d\d, needed=0\.\d\d/);
  // 100 input tokens at 10 USD and 50 output tokens at 40 USD per million.
  assert.equal(answer.costNanoUsd, 3_000_000);
  assert.deepEqual(states(reservations), ['settled']);
  assert.deepEqual(
    answer.attempts.map(({ outcome }) => outcome),
    ['deferred', 'answered'],
  );
});

test('an unsure draft stands, with the reason, where the cloud may not be used', async () => {
  const rows = [
    [
      { availability: { [MINI]: { kind: 'no_api_key' }, [BIG]: { kind: 'no_api_key' } } },
      {},
      'no_api_key',
    ],
    [{ findings: [{ rule: 'aws', where: 'prompt' }] }, {}, 'privacy_floor'],
    [{}, { maxCostNanoUsd: nanoUsdFromDollars(0) }, 'cost_limit'],
    [
      { settings: { monthlyBudgetNanoUsd: nanoUsdFromDollars(0.0001), pacingFrom: 1 } },
      {},
      'budget_exhausted',
    ],
  ] as const;
  for (const [script, constraints, code] of rows) {
    const { router } = scriptedRouter({ ...script, answers: unsure });
    const answer = answerOf(await collect(router, promptOf('Why?', constraints)));
    assert.deepEqual([answer.modelId, answer.reason.code], [LOCAL, code]);
    assert.deepEqual(answer.savings, { kind: 'unknown', why: 'below_wanted_quality' });
  }
});

test('a plan that relied on the gate ends as confident', async () => {
  const { router } = scriptedRouter();
  const answer = answerOf(await collect(router, promptOf('Why?', { minQuality: 0.85 })));
  assert.deepEqual([answer.modelId, answer.reason.code], [LOCAL, 'confident']);
});

test('a forced local answer is not deferred however unsure it is', async () => {
  const { router, calls } = scriptedRouter({ answers: unsure });
  const answer = answerOf(
    await collect(router, promptOf('Why?', { forceModel: { tier: 'cheap' } })),
  );
  assert.deepEqual([answer.modelId, answer.reason.code, calls.length], [LOCAL, 'forced', 1]);
});

test('money that is short at the reservation leaves the draft standing as budget_exhausted', async () => {
  const { router, reservations } = scriptedRouter({
    answers: unsure,
    // Another window took the money between the decision and the reservation.
    ledger: {
      reserve: async () => ({
        kind: 'exhausted',
        state: {
          month: '2026-11',
          limitNanoUsd: 1 as never,
          spentNanoUsd: 1 as never,
          heldNanoUsd: 0 as never,
        },
      }),
    },
  });
  const events = await collect(router, promptOf('Why?'));
  assert.ok(events.some(({ type }) => type === 'fallback-started'));
  const answer = answerOf(events);
  assert.deepEqual(
    [answer.modelId, answer.reason.code, answer.costNanoUsd],
    [LOCAL, 'budget_exhausted', 0],
  );
  assert.equal(reservations.size, 0);
});

test('the bill decides which end a reservation has', async () => {
  const billedNothing = failure('bad_key', 'the key was refused');
  const billedUnknown = failure('stream_cut', 'cut', { billing: 'unknown' });
  const untold = { inputTokens: undefined, outputTokens: undefined };
  const rows = [
    [says('done'), 'settled'],
    [says('done', { usage: untold }), 'settled_at_bound'],
    [says('done', { usage: { unpriced: 'audio_tokens' } }), 'settled_at_bound'],
    // The scripted prices have none for writing the provider's cache.
    [says('done', { usage: { cacheWriteTokens: 1 } }), 'settled_at_bound'],
    [says('done', { usage: { reasoningTokens: 51 } }), 'settled_at_bound'],
    [fails(billedNothing), 'voided'],
    [fails(billedUnknown), 'settled_at_bound'],
    // More than the bound can only come from a provider that ignores its own cap; the truth is recorded all the same.
    [says('done', { usage: { outputTokens: 1_000_000 } }), 'overrun'],
  ] as const;
  for (const [answer, end] of rows) {
    const forced = { forceModel: { tier: 'escalation' } } as const;
    const { router, reservations } = scriptedRouter({ answers: { [BIG]: [answer] } });
    await collect(router, promptOf('Why?', forced));
    assert.deepEqual(states(reservations), [end]);
  }
});

test('a bill that is unknown is kept with why it is', async () => {
  const rows = [
    [{ outputTokens: undefined }, 'usage_untold'],
    [{ unpriced: 'audio_tokens' }, 'unpriced_audio_tokens'],
    [{ cachedInputTokens: 101 }, 'usage_not_priceable'],
  ] as const;
  for (const [usage, why] of rows) {
    const ends: Settlement[] = [];
    const { router } = scriptedRouter({
      answers: { [BIG]: [says('done', { usage })] },
      ledger: {
        async settle(_id, settlement) {
          ends.push(settlement);
          return nanoUsd(1);
        },
      },
    });
    await collect(router, promptOf('Why?', { forceModel: { tier: 'escalation' } }));
    assert.deepEqual(ends, [{ kind: 'settled_at_bound', why }]);
  }
});

test('a failure that may pass is tried again with a reservation of its own', async () => {
  const limited = failure('rate_limited', 'slow down', { retryable: true, retryAfterMs: 10 });
  const { router, reservations } = scriptedRouter({
    ...hard,
    answers: { [BIG]: [fails(limited), fails(limited), says('at last')] },
  });
  const answer = answerOf(await collect(router, promptOf('Plan.')));
  assert.equal(answer.text, 'at last');
  assert.deepEqual(states(reservations), ['voided', 'voided', 'settled']);
  assert.equal(answer.costNanoUsd, 3_000_000);
});

test('a retry that was billed counts in the cost of the answer', async () => {
  const down = failure('provider_unavailable', '500', { retryable: true, billing: 'unknown' });
  const { router, reservations } = scriptedRouter({
    ...hard,
    answers: { [BIG]: [fails(down), says('at last')] },
  });
  const answer = answerOf(await collect(router, promptOf('Plan.')));
  assert.deepEqual(states(reservations), ['settled_at_bound', 'settled']);
  assert.ok(answer.costIsBound && answer.costNanoUsd > 3_000_000);
});

test('a provider that stays away is replaced by the next best plan', async () => {
  const down = failure('provider_unavailable', 'refused', { retryable: false });
  const { router } = scriptedRouter({ ...hard, answers: { [BIG]: [fails(down)] } });
  const events = await collect(router, promptOf('Plan.'));
  const answer = answerOf(events);
  assert.deepEqual([answer.modelId, answer.reason.code], [MINI, 'provider_unavailable']);
  assert.equal(answer.route.wanted, BIG);

  const all = scriptedRouter({ ...hard, answers: { [BIG]: [fails(down)], [MINI]: [fails(down)] } });
  const last = answerOf(await collect(all.router, promptOf('Plan.')));
  assert.deepEqual([last.modelId, last.reason.code], [LOCAL, 'provider_unavailable']);
  assert.equal(last.savings.kind, 'unknown');
});

test('a local model that crashes falls back to the cloud', async () => {
  const crashed = failure('model_crashed', 'the model host ended', { retryable: true });
  const { router } = scriptedRouter({
    answers: { [LOCAL]: [fails(crashed)], [BIG]: [says('here')] },
  });
  const answer = answerOf(await collect(router, promptOf('Why?')));
  assert.deepEqual([answer.modelId, answer.reason.code], [BIG, 'provider_unavailable']);
});

test('a forced model that fails ends in its failure, not in another model', async () => {
  const down = failure('bad_key', 'the key was refused');
  const { router, calls, records } = scriptedRouter({ answers: { [BIG]: [fails(down)] } });
  const last = failureOf(await collect(router, promptOf('Why?', { forceModel: { id: BIG } })));
  assert.equal(last.failure.code, 'bad_key');
  assert.equal(calls.length, 1);
  assert.equal(records[0]?.status, 'failed');
});

test('the same prompt again is a free hit that says what it saved; another word, another model or no cache misses', async () => {
  const { router, calls, ports } = scriptedRouter({ ...hard, answers: { [BIG]: [says('plan')] } });
  await collect(router, promptOf('Plan it.'));
  const hit = answerOf(await collect(router, promptOf('Plan it.')));
  assert.deepEqual(
    [hit.served, hit.text, hit.costNanoUsd, hit.reason.code],
    ['cache', 'plan', 0, 'cache_hit'],
  );
  assert.ok(hit.savings.kind === 'known' && hit.savings.savedNanoUsd === 3_000_000);
  assert.equal(calls.length, 1);
  await collect(router, promptOf('Plan it!'));
  await collect(router, promptOf('Plan it.', { forceModel: { id: MINI } }));
  await collect(router, promptOf('Plan it.', {}, { useCache: false }));
  const context = [{ kind: 'file', path: 'a.ts', text: 'edited' }] as const;
  await collect(router, promptOf('Plan it.', {}, { context }));
  assert.equal(calls.length, 5);
  assert.ok(ports.cache);
});

test('only complete, undoubted answers are kept', async () => {
  const truncated = scriptedRouter({
    ...hard,
    answers: { [BIG]: [says('half', { finish: 'length' })] },
  });
  const noKey = { kind: 'no_api_key' } as const;
  const doubted = scriptedRouter({
    answers: unsure,
    availability: { [MINI]: noKey, [BIG]: noKey },
  });
  for (const { router, calls } of [truncated, doubted]) {
    const first = answerOf(await collect(router, promptOf('Again?')));
    assert.equal(first.savings.kind, 'unknown');
    await collect(router, promptOf('Again?'));
    assert.equal(calls.length, 2);
  }
});

test('a cancel ends the stream at once and settles at the true cost when the provider has finished', async () => {
  const cancel = new AbortController();
  let release = () => {};
  const finished = new Promise<void>((resolve) => (release = resolve));
  const { router, reservations } = scriptedRouter({
    ...hard,
    answers: {
      [BIG]: [
        async function* (request, signal) {
          yield { type: 'text-delta', text: 'one ' };
          await finished;
          yield* says('')(request, signal);
        },
      ],
    },
  });
  const types: string[] = [];
  for await (const event of router.answer(promptOf('Plan.'), cancel.signal)) {
    types.push(event.type);
    if (event.type === 'text-delta') cancel.abort();
    if (event.type === 'answer-failed') assert.equal(event.failure.code, 'cancelled');
  }
  assert.deepEqual(types, ['route-decided', 'text-delta', 'answer-failed']);
  assert.deepEqual(states(reservations), ['dispatched'], 'the hold stays while the bill is open');
  release();
  await router.idle();
  assert.deepEqual(
    [...reservations.values()],
    [
      {
        kind: 'settled',
        boundNanoUsd: [...reservations.values()][0]?.boundNanoUsd,
        bookedNanoUsd: 3_000_000,
      },
    ],
  );
});

test('a reader that stops reading settles too', async () => {
  const { router, reservations } = scriptedRouter({
    ...hard,
    answers: { [BIG]: [says('one two three')] },
  });
  for await (const event of router.answer(promptOf('Plan.'), new AbortController().signal)) {
    if (event.type === 'text-delta') break;
  }
  await router.idle();
  assert.deepEqual(states(reservations), ['settled']);
});

test('a cancel before the first model is asked costs nothing', async () => {
  const { router, reservations } = scriptedRouter(hard);
  const last = failureOf(await collect(router, promptOf('Plan.'), AbortSignal.abort()));
  assert.equal(last.failure.code, 'cancelled');
  assert.deepEqual(states(reservations), ['voided']);
});

test('a ledger that is closed keeps answers local', async () => {
  const { router } = scriptedRouter({
    ...hard,
    ledger: { reserve: async () => ({ kind: 'unavailable', why: 'the disk is full' }) },
  });
  const answer = answerOf(await collect(router, promptOf('Plan.')));
  assert.equal(answer.modelId, LOCAL);
  assert.match(reasonText(answer.reason), /^provider_unavailable\(wanted=.*ledger_unavailable/);
});

test('an id is answered once: while it runs, and after it was recorded', async () => {
  const { router, calls } = scriptedRouter();
  const prompt = promptOf('Why?');
  const both = await Promise.all([collect(router, prompt), collect(router, prompt)]);
  const codes = both.map((events) => {
    const last = events.at(-1);
    return last?.type === 'answer-failed' ? last.failure.code : last?.type;
  });
  assert.deepEqual(codes, ['answer-end', 'duplicate_request']);
  assert.equal(failureOf(await collect(router, prompt)).failure.code, 'duplicate_request');
  assert.equal(calls.length, 1);
});

test('a stream that has told its end is left, so that its timers and listeners go with it', async () => {
  let left = 0;
  const answer: ScriptedAnswer = async function* (request, signal) {
    try {
      yield* says('plan')(request, signal);
      assert.fail('nobody asks for more after the end');
    } finally {
      left += 1;
    }
  };
  const { router } = scriptedRouter({ ...hard, answers: { [BIG]: [answer] } });
  await collect(router, promptOf('Plan.'));
  assert.equal(left, 1);
});

test('a hit is handed out before its record is kept, its id stays in use till then, and idle waits for both', async () => {
  const records: AnswerRecord[] = [];
  let keep = () => {};
  const { router, calls } = scriptedRouter({
    ledger: {
      record: async (record) => {
        if (record.served === 'cache') await new Promise<void>((resolve) => (keep = resolve));
        records.push(record);
      },
      answered: async (promptId) => records.some((record) => record.promptId === promptId),
    },
  });
  await collect(router, promptOf('Why?'));
  const again = { ...promptOf('Why?'), id: 'again' };
  assert.equal(answerOf(await collect(router, again)).served, 'cache');
  assert.equal(records.length, 1);
  assert.equal(failureOf(await collect(router, again)).failure.code, 'duplicate_request');
  let isIdle = false;
  const idle = router.idle().then(() => (isIdle = true));
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(isIdle, false);
  keep();
  await idle;
  assert.deepEqual([records.length, records[1]?.promptId, calls.length], [2, 'again', 1]);
  assert.equal(failureOf(await collect(router, again)).failure.code, 'duplicate_request');
});

test('a measured speed leaves out the time that the model took to load', async () => {
  const samples: SpeedSample[] = [];
  let nowMs = 0;
  const wait = (ms: number) => (nowMs += ms);
  const { router, ports } = scriptedRouter({
    answers: {
      [LOCAL]: [
        async function* (request, signal) {
          yield { type: 'progress', stage: 'loading', share: 0 };
          wait(3000);
          yield { type: 'progress', stage: 'reading', share: 0 };
          wait(40);
          yield { type: 'progress', stage: 'reading', share: 1 };
          wait(10);
          yield* says('one two', { sure: true })(request, signal);
        },
      ],
    },
  });
  Object.assign(ports.clock, { monotonicMs: () => nowMs });
  Object.assign(ports.speeds, { record: (_id: string, one: SpeedSample) => samples.push(one) });
  const answer = answerOf(await collect(router, promptOf('Why?')));
  assert.equal(answer.timing.firstTokenMs, 3050, 'the person did wait that long');
  assert.deepEqual(
    samples.map(({ firstTokenMs, latencyMs }) => [firstTokenMs, latencyMs]),
    [[50, 50]],
  );
});
