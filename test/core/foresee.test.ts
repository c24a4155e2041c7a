/** What happens while a prompt is being written: a local model that would answer it gets ready, and no other one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GenerationRequest } from '../../server/src/core/ports.ts';
import { BIG, LOCAL, promptOf, type Script, scriptedRouter } from '../support/scriptedPorts.ts';

const context = [{ kind: 'file', text: 'const a = 1;', path: 'a.ts' }] as const;
const question = 'What does this file do?';

function watched(script: Script = {}, outcome: Promise<void> = Promise.resolve()) {
  const { router, ports, calls } = scriptedRouter(script);
  const warmed: { readonly modelId: string; readonly request: GenerationRequest }[] = [];
  Object.assign(ports.local, {
    warm: async (model: { readonly id: string }, request: GenerationRequest) => {
      warmed.push({ modelId: model.id, request });
      await outcome;
    },
  });
  return { router, warmed, calls };
}

test('a prompt that would go to the local model gets it ready with all but the question', async () => {
  const { router, warmed, calls } = watched();
  const prompt = { ...promptOf(question), context };
  const decision = await router.foresee(prompt);
  assert.ok(decision.kind === 'routed' && decision.route.modelId === LOCAL);
  const decided = await router.decide(prompt);
  assert.ok(decided.kind === 'routed' && decided.route.modelId === LOCAL);
  const [warm] = warmed;
  assert.ok(warm !== undefined && warmed.length === 1, 'deciding alone gets nothing ready');
  assert.equal(warm.modelId, LOCAL);
  assert.equal(JSON.stringify(warm.request).includes(question), false);
  for await (const _ of router.answer(prompt, new AbortController().signal));
  const asked = calls[0]?.request.turns.at(-1)?.text ?? '';
  const begun = warm.request.turns.at(-1)?.text ?? '';
  assert.ok(begun.includes('const a = 1;') && asked === begun + question);
  assert.equal(calls[0]?.request.system, warm.request.system);
});

test('one that would go to the cloud, or is refused, starts nothing', async () => {
  const hard = watched({ scores: { [LOCAL]: 0.9 } });
  const decision = await hard.router.foresee(promptOf(question));
  assert.ok(decision.kind === 'routed' && decision.route.modelId === BIG);
  await hard.router.foresee(promptOf(question, { forceModel: { tier: 'escalation' } }));
  assert.deepEqual(hard.warmed, []);
  const missing = watched({ availability: { [LOCAL]: { kind: 'model_missing' } } });
  const refused = await missing.router.foresee(promptOf(question, { privacy: 'local-only' }));
  assert.equal(refused.kind, 'refused');
  assert.deepEqual(missing.warmed, []);
});

test('a question that has hardly begun tells nothing, unless it is sent to the local model', async () => {
  const { router, warmed } = watched();
  await router.foresee(promptOf('What'));
  assert.deepEqual(warmed, []);
  await router.foresee(promptOf('What', { forceModel: { tier: 'cheap' } }));
  assert.equal(warmed.length, 1);
});

test('what can not be made ready is left to the answer to say', async () => {
  const { router, warmed } = watched({}, Promise.reject(new Error('no memory')));
  assert.equal((await router.foresee(promptOf(question))).kind, 'routed');
  assert.equal(warmed.length, 1);
});
