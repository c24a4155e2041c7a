/** The audit through the whole router: which answers it asks about, what it costs, and that nobody waits for it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failure } from '../../server/src/core/errors.ts';
import type { ReservationRequest } from '../../server/src/core/ports.ts';
import { nanoUsd } from '../../server/src/core/price.ts';
import type { Prompt } from '../../server/src/core/types.ts';
import { createSeededRandom } from '../../server/src/learning/seededRandom.ts';
import {
  answerOf,
  BIG,
  collect,
  fails,
  LOCAL,
  promptOf,
  registry,
  type Script,
  type ScriptedRouter,
  says,
  scriptedRouter,
} from '../support/scriptedPorts.ts';

const ALL = { auditShare: 1 } as const;

/** The next draw of `random` is for the choice of the answer, the one after it for the place of it. */
function audited(script: Script = {}): ScriptedRouter {
  return scriptedRouter({ random: () => 0, ...script, settings: { ...ALL, ...script.settings } });
}

async function ask(scripted: ScriptedRouter, prompt: Prompt = promptOf('Why is it so?')) {
  const answer = answerOf(await collect(scripted.router, prompt));
  await scripted.router.idle();
  return answer;
}

const asked = ({ calls }: ScriptedRouter) => calls.filter(({ modelId }) => modelId === BIG).length;
/** 100 input tokens at 10 USD and 50 output tokens at 40 USD per million. */
const CALL_NANO_USD = 3_000_000;

test('a judged audit: two calls of the baseline, both settled, and only the verdict is kept', async () => {
  const scripted = audited({ answers: { [BIG]: [says('It is so.'), says('first')] } });
  const answer = await ask(scripted);
  assert.deepEqual([answer.modelId, answer.costNanoUsd], [LOCAL, 0]);
  assert.equal(asked(scripted), 2);
  const { atMs, ...kept } = scripted.audits[0] ?? {};
  assert.deepEqual(kept, {
    promptId: answer.promptId,
    modelId: LOCAL,
    identity: LOCAL,
    baselineId: BIG,
    verdict: 'as_good',
    method: 'judged',
    costNanoUsd: 2 * CALL_NANO_USD,
  });
  const ended = [...scripted.reservations.values()].map(({ kind }) => kind);
  assert.deepEqual(ended, ['settled', 'settled']);
  const [own, judge] = scripted.calls.filter(({ modelId }) => modelId === BIG);
  assert.equal(own?.request.turns.at(-1)?.text, 'Why is it so?');
  assert.deepEqual(JSON.parse(judge?.request.turns[0]?.text ?? ''), {
    request: [{ role: 'user', text: 'Why is it so?' }],
    first: `answer of ${LOCAL}`,
    second: 'It is so.',
  });
});

test('equal values need no judge; the verdict of one is read by the place that was drawn', async () => {
  const checked = audited({
    answers: { [LOCAL]: [says('42.', { sure: true })], [BIG]: [says('The answer is 42')] },
  });
  await ask(checked);
  assert.equal(asked(checked), 1);
  assert.deepEqual(
    checked.audits.map(({ verdict, method, costNanoUsd }) => [verdict, method, costNanoUsd]),
    [['as_good', 'checked', CALL_NANO_USD]],
  );
  const draws = [0.1, 0.9];
  const second = audited({
    random: () => draws.shift() ?? 0,
    answers: { [BIG]: [says('It is so.'), says('first')] },
  });
  await ask(second);
  assert.equal(second.audits[0]?.verdict, 'worse');
});

test('no answer of the baseline, or none that can be compared, is no verdict and still paid', async () => {
  const cut = failure('stream_cut', 'cut', { billing: 'unknown' });
  const rows: readonly [string, Script['answers'], number][] = [
    ['cut', { [BIG]: [says('It is', { finish: 'length' })] }, 1],
    ['refused', { [BIG]: [says('No.', { finish: 'refusal' })] }, 1],
    ['failed', { [BIG]: [fails(cut)] }, 1],
    ['unclear', { [BIG]: [says('So.'), says('Both are fine')] }, 2],
    ['judge failed', { [BIG]: [says('So.'), fails(cut)] }, 2],
  ];
  for (const [name, answers, calls] of rows) {
    const scripted = audited({ answers: answers ?? {} });
    await ask(scripted);
    const [kept] = scripted.audits;
    assert.deepEqual([kept?.verdict, kept?.method], ['unjudged', 'none'], name);
    assert.equal(asked(scripted), calls, name);
    assert.ok((kept?.costNanoUsd ?? 0) > 0, name);
    assert.ok(
      [...scripted.reservations.values()].every((state) => 'bookedNanoUsd' in state),
      name,
    );
  }
});

test('a call that nobody billed has asked nothing, and is no audit', async () => {
  const turnedAway = failure('rate_limited', 'slow down');
  const scripted = audited({ answers: { [BIG]: [fails(turnedAway)] } });
  await ask(scripted);
  assert.deepEqual([asked(scripted), scripted.audits.length], [1, 0]);
  assert.deepEqual(
    [...scripted.reservations.values()].map(({ kind }) => kind),
    ['voided'],
  );
});

test('what must stay here, was forced, or is not worth its money is never audited', async () => {
  const rows: readonly [string, Script, Prompt?][] = [
    ['off', { settings: { auditShare: 0 } }],
    ['not drawn', { settings: { auditShare: 0.3 }, random: () => 0.3 }],
    ['local only', {}, promptOf('Why?', { privacy: 'local-only' })],
    ['untrusted', {}, promptOf('Why?', { privacy: 'untrusted-workspace' })],
    ['policy', { settings: { ...ALL, localOnly: true } }],
    ['a secret', { findings: [{ rule: 'secret', where: 'prompt' }] }],
    ['forced', {}, promptOf('Why?', { forceModel: { tier: 'cheap' } })],
    ['a request that may cost nothing', {}, promptOf('Why?', { maxCostNanoUsd: nanoUsd(0) })],
    ['a request that may cost one call', {}, promptOf('Why?', { maxCostNanoUsd: nanoUsd(45e6) })],
    ['a limit for every request', { settings: { ...ALL, perRequestNanoUsd: nanoUsd(45e6) } }],
    ['no key', { availability: { [BIG]: { kind: 'no_api_key' } } }],
    ['no price', { prices: {} }],
    ['frozen', { ledger: { frozenModels: async () => new Set([BIG]) } }],
    ['money held back', { spentNanoUsd: 17e9 }],
    ['money short', { settings: { ...ALL, pacingFrom: 1 }, spentNanoUsd: 20e9 - 45e6 }],
    [
      'a local baseline',
      { registry: { ...registry, defaults: { ...registry.defaults, baseline: LOCAL } } },
    ],
    [
      'too long for it',
      {
        registry: {
          ...registry,
          models: registry.models.map((model) => ({ ...model, contextWindow: 1500 })),
        },
      },
    ],
  ];
  for (const [name, script, prompt] of rows) {
    const scripted = audited(script);
    const answer = await ask(scripted, prompt);
    assert.equal(answer.served, 'local', name);
    assert.deepEqual([asked(scripted), scripted.audits.length], [0, 0], name);
    assert.equal(scripted.reservations.size, 0, name);
  }
});

test('only local answers are audited: not what the cloud answered, nor what the cache gave', async () => {
  const cloud = audited({ scores: { [LOCAL]: 0.9 } });
  assert.equal((await ask(cloud)).served, 'cloud');
  assert.deepEqual([asked(cloud), cloud.audits.length], [1, 0]);
  const cached = audited({ answers: { [BIG]: [says('So.'), says('equal')] } });
  await ask(cached);
  assert.equal((await ask(cached)).served, 'cache');
  assert.deepEqual([asked(cached), cached.audits.length], [2, 1]);
});

test('a secret that only the local answer holds is not sent to the judge', async () => {
  const scripted = audited({ answers: { [BIG]: [says('So.'), says('equal')] } });
  const scan = scripted.ports.privacy.scan;
  let scans = 0;
  Object.assign(scripted.ports.privacy, {
    async scan(...given: Parameters<typeof scan>) {
      scans += 1;
      return JSON.stringify(given[0]).includes(`answer of ${LOCAL}`)
        ? [{ rule: 'secret', where: 'prompt' }]
        : await scan(...given);
    },
  });
  await ask(scripted);
  assert.ok(scans > 1);
  assert.deepEqual([asked(scripted), scripted.audits[0]?.verdict], [1, 'unjudged']);
});

test('nobody waits: the answer has ended while the baseline still thinks, and a closed ledger harms none', async () => {
  let tell: () => void = () => {};
  const thinks = new Promise<void>((resolve) => {
    tell = resolve;
  });
  const scripted = audited({
    answers: {
      [BIG]: [
        async function* (request, signal) {
          await thinks;
          yield* says('So.')(request, signal);
        },
        says('equal'),
      ],
    },
    ledger: {
      recordAudit: async () => {
        throw new Error('the ledger is closed');
      },
    },
  });
  const answer = answerOf(await collect(scripted.router, promptOf('Why?')));
  assert.equal(answer.served, 'local');
  assert.ok([...scripted.reservations.values()].some(({ kind }) => kind !== 'settled'));
  tell();
  await scripted.router.idle();
  assert.equal(asked(scripted), 2);
});

test('its reservations say what they are for, and count against the session and the workspace', async () => {
  const requests: ReservationRequest[] = [];
  const scripted = audited({ answers: { [BIG]: [says('So.'), says('equal')] } });
  const { reserve } = scripted.ports.ledger;
  Object.assign(scripted.ports.ledger, {
    reserve(...given: Parameters<typeof reserve>) {
      requests.push(given[0]);
      return reserve(...given);
    },
  });
  await ask(scripted, promptOf('Why?', {}, { sessionId: 's', workspaceId: 'w' }));
  assert.deepEqual(
    requests.map(({ purpose, sessionId, workspaceId }) => [purpose, sessionId, workspaceId]),
    [
      ['audit', 's', 'w'],
      ['audit', 's', 'w'],
    ],
  );
});

test('a share of the answers is drawn, and the share with a verdict is what the judge says of them', async () => {
  const random = createSeededRandom(11).next;
  const scripted = audited({
    random,
    settings: { auditShare: 0.25, monthlyBudgetNanoUsd: nanoUsd(1e12) },
    answers: {
      [BIG]: [
        // The judge prefers the local answer in seven of ten, wherever it stands.
        async function* (request, signal) {
          const text = request.turns[0]?.text ?? '';
          if (!text.startsWith('{')) yield* says('So.')(request, signal);
          else {
            const local = JSON.parse(text).first === `answer of ${LOCAL}` ? 'first' : 'second';
            const other = local === 'first' ? 'second' : 'first';
            yield* says(random() < 0.7 ? local : other)(request, signal);
          }
        },
      ],
    },
  });
  for (let at = 0; at < 400; at++) await ask(scripted, promptOf(`Why is it ${at}?`));
  const { audits } = scripted;
  assert.ok(
    audits.length > 75 && audits.length < 125,
    `${audits.length} of 400 at a share of 0.25`,
  );
  const asGood = audits.filter(({ verdict }) => verdict === 'as_good').length / audits.length;
  assert.ok(asGood > 0.57 && asGood < 0.83, `${asGood} as good`);
});
