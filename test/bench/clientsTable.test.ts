/** The pure parts of `npm run compare:clients`: a table of what clients got, and what of a request came through. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ClientGot, clientsTable, type Got, verdictOf } from './besideClients/calls.ts';
import { reachedText } from './besideClients/reached.ts';

const answer = (text: string): Got => ({ kind: 'answer', text });
const error = (type: string, status: number | null, message = 'no'): Got => ({
  kind: 'error',
  type,
  status,
  message,
});

test('clients that got the same share a row, others have their own, and only differences are explained', () => {
  const same = {
    plain: answer('“Hi”'),
    several: error('BadRequestError', 400, 'expected 1 | got 2'),
  };
  const results: ClientGot[] = [
    { client: 'Node', ours: same, theirs: { ...same, several: answer('2 of them') } },
    { client: 'Python', ours: same, theirs: { ...same, several: answer('2 of them') } },
    { client: 'Other', ours: { plain: answer('“Hi”') }, theirs: { plain: answer('“Ho”') } },
  ];
  const [, , ...rows] = clientsTable(results, 'LiteLLM 1').split('\n');
  assert.deepEqual(rows, [
    '| plain answer: text, end, usage | Node, Python | “Hi” | the same | same |',
    '| plain answer: text, end, usage | Other | “Hi” | “Ho” | different |',
    '| `n: 2` | Node, Python | BadRequestError 400: expected 1 \\| got 2 | 2 of them | **only LiteLLM**: worse here: refused rather than left out in silence; a budget holds the bound of one answer |',
  ]);
});

test('errors are the same where a program takes them for the same, whatever their words', () => {
  const refused = error('RateLimitError', 429, 'wait');
  assert.equal(verdictOf(refused, error('RateLimitError', 429, 'slow')), 'same');
  assert.equal(verdictOf(refused, error('BadRequestError', 400)), 'other error');
  assert.equal(verdictOf(answer('a'), refused), '**only here**');
  assert.equal(verdictOf(refused, answer('a')), '**only LiteLLM**');
  assert.equal(verdictOf(answer('a'), answer('b')), 'different');
});

test('a call that only one of the two was asked is a defect, and a long or odd text stays one cell', () => {
  const one = { client: 'Node', ours: { plain: answer('a') }, theirs: {} };
  assert.throws(() => clientsTable([one], 'LiteLLM 1'), /expected Node to make the call plain/);
  const odd = answer(`a\n<b>|${'c'.repeat(500)}`);
  const row = clientsTable([{ ...one, ours: { plain: odd }, theirs: { plain: odd } }], 'L').split(
    '\n',
  )[2];
  assert.match(
    row ?? '',
    /^\| plain answer: text, end, usage \| Node \| a &lt;b>\\\|c+… \| the same \| same \|$/,
  );
});

test('what came through is read off what the provider got', () => {
  const body = {
    seed: 7,
    max_completion_tokens: 77,
    messages: [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: [{ type: 'image_url', image_url: { url: 'data:' } }] },
    ],
  };
  const fields = ['seed', 'stop', 'max_tokens', 'system', 'image'];
  assert.equal(
    reachedText(body, fields),
    'seed 7, stop null, max_tokens 77, system "Be brief.", image whole',
  );
  assert.equal(reachedText({ messages: [] }, ['image', 'system']), 'image not, system null');
  assert.equal(reachedText(undefined, ['seed']), 'no request');
});
