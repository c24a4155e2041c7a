import assert from 'node:assert/strict';
import { test } from 'node:test';
import { byteBound } from '../../server/src/core/request.ts';
import { runsHere } from '../../server/src/core/runsHere.ts';
import type { CloudModel } from '../../server/src/core/types.ts';
import { registry } from '../support/scriptedPorts.ts';

const local = registry.models[0]!;

test('the byte bound counts UTF-8, not characters', () => {
  const request = (text: string) => ({
    system: '',
    turns: [{ role: 'user', text } as const],
    maxOutputTokens: 1,
  });
  assert.equal(byteBound(request('é'.repeat(100))) - byteBound(request('')), 200);
  assert.equal(byteBound(request('👍'.repeat(10))) - byteBound(request('')), 40);
});

test('the byte bound agrees with the encoder on every kind of character, halves of pairs included', () => {
  const kinds = [
    'a',
    '\u007f',
    '\u0080',
    'é',
    '\u07ff',
    '\u0800',
    '漢',
    '\uffff',
    '👍',
    '\ud83d',
    '\udc4d',
  ];
  const encoder = new TextEncoder();
  for (let seed = 1; seed < 400; seed += 1) {
    const picks = Array.from({ length: 8 }, (_, at) => kinds[(seed * (at * 7 + 3)) % kinds.length]);
    const text = picks.join('').repeat(seed % 40 === 0 ? 600 : 1);
    const request = { system: text, turns: [], maxOutputTokens: 1 };
    assert.equal(
      byteBound(request) - 64 - 16,
      encoder.encode(text).length,
      JSON.stringify(text.slice(0, 20)),
    );
  }
});

test('only loopback servers count as here', () => {
  const at = (baseUrl: string): CloudModel => ({
    ...(registry.models[1] as CloudModel),
    provider: 'openai-compatible',
    baseUrl,
  });
  for (const [url, here] of [
    ['http://127.0.0.1:11434/v1', true],
    ['http://localhost:8000/v1', true],
    ['http://[::1]:8000/v1', true],
    ['http://127.0.0.1.evil.example/v1', false],
    ['http://localhost.evil.example/v1', false],
    ['https://192.168.1.5/v1', false],
    ['https://example.com/v1', false],
  ] as const) {
    assert.equal(runsHere(at(url)), here, url);
  }
  assert.equal(runsHere({ ...at('http://127.0.0.1:4000/v1'), sendsOn: true }), false);
  assert.equal(runsHere(local), true);
  assert.equal(runsHere(registry.models[1]!), false);
});
