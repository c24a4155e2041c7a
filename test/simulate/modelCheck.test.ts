/** The reservation protocol, checked in every state that three requests can reach; each of its rules is shown to be needed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explore, rulesOfTheProtocol } from './modelCheck.ts';

test('no interleaving of three requests breaks a promise', (t) => {
  const startedMs = performance.now();
  const { states, broken } = explore(undefined);
  t.diagnostic(`${states} states in ${Math.round(performance.now() - startedMs)} ms`);
  assert.equal(broken, undefined);
  assert.ok(states > 5_000, `expected the whole space, got ${states} states`);
});

for (const rule of rulesOfTheProtocol) {
  test(`needed: ${rule}`, (t) => {
    const { broken, states } = explore(rule);
    assert.ok(broken, `expected a broken promise without it, got none in ${states} states`);
    t.diagnostic(`${broken.path.join(', ')}: ${broken.finding}`);
  });
}
