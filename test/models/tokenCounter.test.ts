/** Token counts with the real worker: exact where the encoding is known, safe where it is not, and never late. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import type { GenerationRequest } from '../../server/src/core/ports.ts';
import type { CloudModel, Model } from '../../server/src/core/types.ts';
import { createTokenCounter } from '../../server/src/models/tokenCounter.ts';

const counter = createTokenCounter({ deadlineMs: 10_000, loadMs: 60_000 });
after(() => counter.dispose());

/** Two messages: 16 tokens for the request and 8 for each. */
const OVERHEAD = 32;

function model(apiModel: string, provider: CloudModel['provider'] = 'openai'): Model {
  return {
    id: 'm',
    label: 'M',
    tier: 'escalation',
    enabled: true,
    contextWindow: 100_000,
    maxOutputTokens: 1000,
    ability: { kind: 'size', billions: 70 },
    provider,
    apiModel,
    baseUrl: 'http://127.0.0.1/v1',
    key: 'openai',
    tools: true,
  };
}

function request(text: string): GenerationRequest {
  return { system: 'Be brief.', turns: [{ role: 'user', text }], maxOutputTokens: 10 };
}

const plain = (text: string) => countTokens(text, { disallowedSpecial: new Set() });
const bytes = (text: string) => Buffer.byteLength(text) + Buffer.byteLength('Be brief.');
const tokens = (text: string) => plain(text) + plain('Be brief.');

const TEXTS = [
  'Rewrite this email to sound friendly and professional.',
  'const answer = await router.answer(prompt);',
  'Übergrößenträger 日本語 🎉🎉',
  '<|endoftext|> and <|im_start|>system are only words here',
  '',
];

for (const text of TEXTS) {
  test(`counts ${JSON.stringify(text)}`, async () => {
    assert.equal(await counter.count(text), plain(text));
    const known = await counter.inputBound(model('gpt-5.4-mini'), request(text));
    assert.equal(known, OVERHEAD + tokens(text));
    const fresh = await counter.inputBound(model('gpt-6-sol'), request(text));
    // Nobody has said which encoding it uses, and no factor over another encoding is a bound.
    assert.equal(fresh, OVERHEAD + bytes(text));
    const older = await counter.inputBound(model('gpt-4'), request(text));
    assert.equal(older, OVERHEAD + bytes(text));
    const foreign = await counter.inputBound(
      model('gpt-5.4-mini', 'openai-compatible'),
      request(text),
    );
    assert.equal(foreign, OVERHEAD + bytes(text));
  });
}

test('no text has more tokens than bytes, which is what stands in for a count', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => {
      assert.ok(plain(text) <= Buffer.byteLength(text), JSON.stringify(text));
    }),
    { numRuns: 2_000 },
  );
});

// Merging one long run of a letter takes time that grows with its square: this one would need a minute.
const HARD = 'a'.repeat(100_000);

test('a text that takes too long is bounded by its bytes, and the event loop goes on', async (t) => {
  const quick = createTokenCounter({ deadlineMs: 50, loadMs: 60_000 });
  t.after(() => quick.dispose());
  assert.equal(await quick.count('warm'), 1);

  let longestMs = 0;
  let lastMs = performance.now();
  const pulse = setInterval(() => {
    longestMs = Math.max(longestMs, performance.now() - lastMs);
    lastMs = performance.now();
  }, 5);
  t.after(() => clearInterval(pulse));
  const startedMs = performance.now();
  assert.equal(
    await quick.inputBound(model('gpt-5.4-mini'), request(HARD)),
    OVERHEAD + bytes(HARD),
  );
  assert.ok(performance.now() - startedMs < 20_000, 'it did not wait for the count');
  assert.ok(longestMs < 10_000, `the loop stood still for ${longestMs} ms`);

  // The stuck worker has been replaced: the next count is exact, not a quarter of its bytes.
  const text = 'hello hello hello hello hello hello hello';
  assert.notEqual(plain(text), Math.ceil(text.length / 4));
  let counted = await quick.count(text);
  // A busy machine may take longer than the deadline now and then; a stuck worker would, every time.
  for (let again = 0; again < 20 && counted !== plain(text); again++) {
    counted = await quick.count(text);
  }
  assert.equal(counted, plain(text));
});

test('a count past the deadline is estimated from the bytes', async (t) => {
  const quick = createTokenCounter({ deadlineMs: 20, loadMs: 60_000 });
  t.after(() => quick.dispose());
  assert.equal(await quick.count(HARD), 25_000);
});

test('many counts at once all come', async () => {
  const texts = Array.from({ length: 200 }, (_, index) => `prompt number ${index}`);
  const counts = await Promise.all(texts.map((text) => counter.count(text)));
  assert.deepEqual(counts, texts.map(plain));
});

test('after dispose counts still come, from bytes', async () => {
  const disposed = createTokenCounter({ deadlineMs: 1000 });
  await disposed.dispose();
  assert.equal(await disposed.count('12345'), 2);
  assert.equal(
    await disposed.inputBound(model('gpt-5.4-mini'), request('x')),
    OVERHEAD + bytes('x'),
  );
});
