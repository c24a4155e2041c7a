/** The quick choice beside the library's own, with the real library and model: the same tokens, the same probabilities. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  getLlama,
  type Llama,
  type LlamaContextSequence,
  type LlamaModel,
  type Token,
} from 'node-llama-cpp';
import { createOneLook } from '../../server/src/models/tokenChoice.ts';
import { type Choice, createTwoLooks } from '../../server/src/models/twoLooks.ts';
import { ensureSmolLm2 } from '../support/localModel.ts';

let llama: Llama;
let model: LlamaModel;
let sequences: LlamaContextSequence[];

before(async () => {
  llama = await getLlama({ gpu: false, build: 'never', maxThreads: 1, progressLogs: false });
  model = await llama.loadModel({ modelPath: await ensureSmolLm2() });
  const context = await model.createContext({ contextSize: 256, sequences: 3, threads: 1 });
  sequences = [context.getSequence(), context.getSequence(), context.getSequence()];
});

after(async () => await llama?.dispose());

test('two looks choose what one look at all penalised tokens chooses, with the same probability', async () => {
  const [one, two, plain] = sequences as [
    LlamaContextSequence,
    LlamaContextSequence,
    LlamaContextSequence,
  ];
  const quick = createTwoLooks(model, two);
  assert.ok(quick, 'the installed library lacks a part of what two looks need: see twoLooks.ts');
  const slow = createOneLook(one, undefined);
  const unpenalised = createOneLook(plain, undefined);
  const said: Token[] = [];
  let input = model.tokenize(
    '<|im_start|>user\nSay a sentence about the sea three times.<|im_end|>\n<|im_start|>assistant\n',
    true,
  );
  const seen = { free: 0, kept: 0, passedOver: 0 };
  while (said.length < 60) {
    const [wanted, got, likeliest]: readonly (Choice | undefined)[] = await Promise.all([
      slow.choose(input, said),
      quick.choose(input, said),
      unpenalised.choose(input, []),
    ]);
    assert.ok(wanted !== undefined && got !== undefined && likeliest !== undefined);
    assert.equal(got.token, wanted.token, `token ${said.length}`);
    const difference = Math.abs(Math.exp(got.logProb) - Math.exp(wanted.logProb));
    // The engine sums single floats, each time from another greatest one.
    assert.ok(difference < 1e-3, `token ${said.length} differs by ${difference}`);
    if (!said.includes(likeliest.token)) seen.free += 1;
    else if (likeliest.token === got.token) seen.kept += 1;
    else seen.passedOver += 1;
    said.push(got.token);
    input = [got.token];
  }
  quick.dispose();
  assert.ok(seen.free > 0 && seen.kept > 0 && seen.passedOver > 0, JSON.stringify(seen));
});

test('a library without one of its inner parts is used by its public ones', () => {
  const [sequence] = sequences as [LlamaContextSequence];
  const bare = Object.create(sequence, { _decodeTokens: { value: undefined } });
  assert.equal(createTwoLooks(model, bare), undefined);
});

test('what goes wrong in a look is told, and the sequence stays usable', async () => {
  const [sequence] = sequences as [LlamaContextSequence];
  const choice = createTwoLooks(model, sequence);
  choice?.dispose();
  const input = model.tokenize('The sea');
  await assert.rejects(async () => await choice?.choose(input, []), /disposed/i);
  await sequence.clearHistory();
  const next = createTwoLooks(model, sequence);
  assert.ok(await next?.choose(input, []));
  next?.dispose();
});
