import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isLooping, logProbOfChoice, PENALTY } from '../../server/src/models/repetition.ts';

/** Penalises and chooses as llama.cpp does, then compares with a softmax over the untouched logits. */
function checkUndone(logits: readonly number[], penalised: readonly number[]): void {
  const after = logits.map((logit, token) => {
    if (!penalised.includes(token)) return logit;
    return logit > 0 ? logit / PENALTY : logit * PENALTY;
  });
  const greatest = Math.max(...after);
  const token = after.indexOf(greatest);
  const known = new Set([...penalised, token]);
  const got = logProbOfChoice({
    token,
    totalLogitWeight: after.reduce((sum, logit) => sum + Math.exp(logit - greatest), 0),
    logits:
      penalised.length === 0 ? undefined : new Map([...known].map((each) => [each, after[each]!])),
    penalised,
  });
  const total = logits.reduce((sum, logit) => sum + Math.exp(logit), 0);
  assert.ok(Math.abs(got - Math.log(Math.exp(logits[token]!) / total)) < 1e-9, `got ${got}`);
}

test('the probability of the choice is that of the unpenalised model', () => {
  checkUndone([3, 2.9, -1, 0], []);
  checkUndone([3, 2.9, -1, 0], [0]);
  checkUndone([3, 2.9, -1, 0], [1, 2]);
  checkUndone([12, 11.5, -4, 0.5], [0, 3]);
  checkUndone([-3, -2.9, -8], [1]);
  checkUndone([2, 1], [0, 1]);
});

test('a block said over and over is a loop, a list is not', () => {
  const block = (length: number) => Array.from({ length }, (_, index) => index);
  const times = (count: number, tokens: readonly number[]) =>
    Array.from({ length: count }, () => tokens).flat();
  assert.equal(isLooping(times(3, block(20))), true);
  assert.equal(isLooping([99, 98, ...times(3, block(25))]), true);
  assert.equal(isLooping(times(60, [7])), true);
  assert.equal(isLooping(times(59, [7])), false);
  assert.equal(isLooping(times(2, block(40))), false);
  assert.equal(isLooping(block(200)), false);
  assert.equal(isLooping([...times(3, block(20)), 99]), false);
});
