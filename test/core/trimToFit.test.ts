/** What is left out of a prompt that is too long: as little as it takes, in a settled order, and all of it told. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reasonText } from '../../server/src/core/reason.ts';
import { leftOutSentence, trimToFit } from '../../server/src/core/trimToFit.ts';
import type { ContextPart, Turn } from '../../server/src/core/types.ts';
import {
  answerOf,
  BIG,
  collect,
  LOCAL,
  promptOf,
  scriptedRouter,
} from '../support/scriptedPorts.ts';

/** Lines of 40 bytes each with their break: ten tokens. */
const lines = (count: number) => Array.from({ length: count }, () => 'x'.repeat(39)).join('\n');
const part = (count: number): ContextPart => ({ kind: 'file', path: 'a.ts', text: lines(count) });

test('the oldest exchanges go first, whole', () => {
  const history: Turn[] = [
    { role: 'user', text: 'a'.repeat(400) },
    { role: 'assistant', text: 'b'.repeat(400) },
    { role: 'user', text: 'c'.repeat(400) },
    { role: 'assistant', text: 'd'.repeat(400) },
  ];
  const prompt = promptOf('Why?', {}, { history, context: [part(10)] });
  const trimmed = trimToFit(prompt, 20);
  assert.deepEqual(trimmed?.prompt.history, history.slice(2));
  assert.deepEqual(trimmed?.prompt.context, prompt.context);
  assert.deepEqual(trimmed?.leftOut, [{ what: 'turns', turns: 2, tokens: 200 }]);
});

test('the largest attachment loses its end at a line; small ones stay whole', () => {
  const trimmed = trimToFit(promptOf('Why?', {}, { context: [part(5), part(100)] }), 300);
  const [small, large] = trimmed?.prompt.context ?? [];
  assert.equal(small?.text, lines(5));
  const kept = large?.text.split('\n').length ?? 0;
  assert.ok(kept > 60 && kept <= 70, `expected some 70 lines, got ${kept}`);
  assert.equal(large?.text, lines(kept));
  const [told] = trimmed?.leftOut ?? [];
  assert.partialDeepStrictEqual(told, { part: 2, fromLine: kept + 1, lines: 100 });
  assert.match(
    told === undefined ? '' : leftOutSentence(told),
    /^left out to fit: lines \d+ to 100 of attachment 2 \(≈ 3\d\d tokens\)$/,
  );
});

test('an attachment of which no line fits goes whole', () => {
  const context = [part(10), { ...part(1), text: 'y'.repeat(4000) }];
  const trimmed = trimToFit(promptOf('Why?', {}, { context }), 900);
  assert.deepEqual(trimmed?.prompt.context, [part(10)]);
  assert.partialDeepStrictEqual(trimmed?.leftOut, [{ part: 2, fromLine: 1, tokens: 1000 }]);
});

test('a question that is too long by itself is not cut', () => {
  assert.equal(trimToFit(promptOf('Why?', {}, { context: [part(10)] }), 101), undefined);
});

const NO_KEY = { [BIG]: { kind: 'no_api_key' }, 'cloud-mini': { kind: 'no_api_key' } } as const;

test('a file that no usable model can read whole is read in part, and the trace tells which', async () => {
  const { router, calls } = scriptedRouter({ availability: NO_KEY });
  const prompt = promptOf('Why?', {}, { context: [part(600)], mayTrim: true });
  const { route, modelId } = answerOf(await collect(router, prompt));
  assert.equal(modelId, LOCAL);
  const [told] = route.trace.leftOut ?? [];
  assert.equal(told?.what, 'context');
  const sent = calls[0]?.request.turns.at(-1)?.text ?? '';
  const kept = sent.split('\n').filter((line) => line.startsWith('xxx')).length;
  assert.ok(
    kept > 250 && kept < 400,
    `expected most of a window of 4096 tokens, got ${kept} lines`,
  );
  assert.equal(told?.what === 'context' && told.fromLine, kept + 1);
});

test('nothing is cut where a bigger model may read it all, or where a program asks', async () => {
  const open = scriptedRouter();
  const context = [part(600)];
  const whole = await open.router.decide(promptOf('Why?', {}, { context, mayTrim: true }));
  assert.equal(whole.kind === 'routed' && whole.route.tier, 'escalation');
  assert.equal(whole.kind === 'routed' && whole.route.trace.leftOut, undefined);
  const { router } = scriptedRouter({ availability: NO_KEY });
  const refused = await router.decide(promptOf('Why?', {}, { context }));
  assert.equal(refused.kind, 'refused');
  assert.ok(refused.kind === 'refused' && refused.reason && reasonText(refused.reason));
});
