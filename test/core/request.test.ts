import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runsHere } from '../../server/src/core/estimate.ts';
import { byteBound } from '../../server/src/core/request.ts';
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
  assert.equal(runsHere(local), true);
  assert.equal(runsHere(registry.models[1]!), false);
});
