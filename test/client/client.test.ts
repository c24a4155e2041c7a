/** What of the client needs no editor: preview lines, inert Markdown, crashes, keys, and settings a workspace may not set. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { destinationLabel, nextDestination, previewItems } from '../../client/src/askPreview.ts';
import { afterCrash, errorLine, exitCause } from '../../client/src/crashes.ts';
import {
  answered,
  explanationMarkdown,
  failed,
  nothingYet,
  withEvent,
} from '../../client/src/explanationText.ts';
import { settingsNamed, userOnlySettings } from '../../client/src/looseningSettings.ts';
import { parseStoredKey } from '../../client/src/storedKey.ts';
import type { AnswerEvent, AnswerWire, RouteWire } from '../../server/src/protocol.ts';
import { english } from './english.ts';

const trace = {
  task: 'question',
  score: 0.22,
  threshold: 0.55,
  parts: [],
  candidates: [],
  wouldFlip: [],
  findings: [],
  leftOut: [],
  confidence: null,
  attempts: [],
  estimateAgainstBill: '',
  audit: '',
};

const route: RouteWire = {
  model: 'SmolLM2-135M',
  modelId: 'smollm2-135m',
  tier: 'local',
  ifUnsure: 'gpt-5-mini',
  reasonCode: 'prompt_complexity_low(score=0.22)',
  reason: 'Looks easy (0.22).',
  score: 0.22,
  threshold: 0.55,
  estimate: 'free',
  bound: 'at most $0.0041',
  latency: '≈ 1.2 s',
  trace,
};

const answer: AnswerWire = {
  requestId: 'r1',
  text: 'It retries once.',
  model: 'SmolLM2-135M',
  modelId: 'smollm2-135m',
  served: 'local',
  complete: true,
  cost: { nanoUsd: 0, text: 'free' },
  savings: { nanoUsd: 3_800_000, text: 'saved $0.0038' },
  latency: '1.3 s',
  reasonCode: 'prompt_complexity_low(score=0.22)',
  reason: 'Looks easy (0.22).',
  line: 'local · SmolLM2-135M · free · 1.3 s · saved $0.0038',
  trace,
};

test('the preview says where, for how much at most, and why', () => {
  const preview = { kind: 'route', route, context: 'selection (41 lines)' } as const;
  assert.deepEqual(previewItems(preview, '', english), [
    {
      label: '$(arrow-right) local · SmolLM2-135M · free · ≈ 1.2 s',
      description: '',
      detail: 'Looks easy (0.22).',
    },
    {
      label: ' ',
      description: 'if unsure: gpt-5-mini, at most $0.0041',
      detail: 'context: selection (41 lines)',
    },
  ]);
});

test('every preview has the same two items of two lines, so that nothing moves while typing', () => {
  for (const preview of [
    { kind: 'empty' },
    { kind: 'refused', message: 'No model answers this.' },
    { kind: 'route', route: { ...route, ifUnsure: null, bound: '' }, context: '' },
  ] as const) {
    const items = previewItems(preview, '', english);
    assert.equal(items.length, 2);
    for (const { detail } of items) assert.notEqual(detail, '');
  }
});

test('Tab goes round all destinations', () => {
  const round = [nextDestination('auto'), nextDestination('local'), nextDestination('cloud')];
  assert.deepEqual(round, ['local', 'cloud', 'auto']);
  assert.equal(new Set(round.map((each) => destinationLabel(each, english))).size, 3);
});

function events(...list: readonly AnswerEvent[]) {
  return list.reduce((soFar, event) => withEvent(soFar, event, english), nothingYet(english));
}

test('a thread tells the stage until there is text, then the text over its foot line', () => {
  const waiting = events({ kind: 'progress', stage: 'loading', share: 0.4 });
  assert.match(explanationMarkdown(waiting, false, english), /Loading the model…/);
  const done = answered(
    events({ kind: 'delta', text: 'It ret', model: 'SmolLM2', draft: true }),
    answer,
    english,
  );
  assert.equal(
    explanationMarkdown(done, false, english),
    'It retries once.\n\n*local · SmolLM2\\-135M · free · 1.3 s · saved \\$0.0038*',
  );
  assert.match(explanationMarkdown(done, true, english), /stale/);
});

test('a draft that was replaced stays readable; a failure keeps what had come', () => {
  const replaced = events(
    { kind: 'delta', text: 'Maybe.', model: 'SmolLM2', draft: true },
    { kind: 'deferred', line: 'Local draft (confidence 0.41)', toModel: 'gpt-5-mini' },
    { kind: 'delta', text: 'Certainly.', model: 'gpt-5-mini', draft: false },
  );
  const markdown = explanationMarkdown(failed(replaced, 'Cancelled.'), false, english);
  assert.match(markdown, /^\*Local draft \\\(confidence 0\.41\\\)\*/);
  assert.match(markdown, /> Maybe\.\n\nCertainly\.\n\n\*Cancelled\.\*$/);
});

test('four crashes in three minutes are mended, the fifth is not', () => {
  let crashes: readonly number[] = [];
  const verdicts = [0, 10, 20, 30, 40].map((seconds) => {
    const verdict = afterCrash(crashes, seconds * 1000);
    crashes = verdict.crashesMs;
    return verdict.restart;
  });
  assert.deepEqual(verdicts, [true, true, true, true, false]);
  assert.equal(afterCrash(crashes, 10 * 60_000).restart, true);
});

test('a crash is named by its signal, its error, or its exit code', () => {
  const exit = { code: null, signal: null, errorLine: null };
  assert.equal(exitCause({ ...exit, signal: 'SIGKILL' }, english), 'ended by SIGKILL');
  assert.equal(exitCause({ ...exit, code: 1 }, english), 'exit code 1');
  assert.equal(exitCause({ ...exit, errorLine: 'TypeError: x' }, english), 'TypeError: x');
  assert.equal(errorLine('TypeError: x is not a function'), 'TypeError: x is not a function');
  assert.equal(errorLine("Error [ERR_MODULE_NOT_FOUND]: Cannot find 'a'")?.slice(0, 5), 'Error');
  assert.equal(errorLine('    at run (server.js:1:2)'), null);
});

test('only what this extension stored is read as a key', () => {
  assert.deepEqual(parseStoredKey('{"key":"k","baseUrl":"u"}'), { key: 'k', baseUrl: 'u' });
  for (const text of [undefined, '', 'sk-plain', '{"key":1}', 'null']) {
    assert.equal(parseStoredKey(text), null);
  }
});

test('settings that only the user may set are found in a workspace file, comments apart', () => {
  const names = userOnlySettings({
    'a.budget': { scope: 'application' },
    'a.path': { scope: 'machine' },
    'a.lens': { scope: 'window' },
    'a.plain': {},
  });
  assert.deepEqual(names, ['a.budget', 'a.path']);
  const file = '{ // "a.path": 1\n "a.budget": 500, /* "a.path": 2 */ "x": "// \\"a.path\\": 3" }';
  assert.deepEqual(settingsNamed(file, names), ['a.budget']);
});

test('a free plan says so once', () => {
  const free = { ...route, ifUnsure: null, estimate: 'free', bound: 'free' };
  const [, second] = previewItems({ kind: 'route', route: free, context: '' }, '', english);
  assert.equal(second.description.trim(), '');
});
