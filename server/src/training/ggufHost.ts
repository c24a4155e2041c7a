/**
 * The child process that judges texts with a GGUF by llama.cpp: it holds neither key nor ledger, and a file that crashes
 * the native code ends only this process.
 */
import type {
  ControlledEvaluateInputItem,
  LlamaContextSequence,
  LlamaModel,
  Token,
} from 'node-llama-cpp';
import type { FromGgufHost, ToGgufHost } from './ggufProtocol.ts';

const SPARE_TOKENS = 8;

let loaded: { readonly model: LlamaModel; readonly sequence: LlamaContextSequence } | undefined;

process.on('message', (message: ToGgufHost) => {
  void answer(message).then(
    (reply) => process.send?.(reply),
    (error) => {
      const why = error instanceof Error ? error.message : String(error);
      process.send?.({ type: 'failed', message: why } satisfies FromGgufHost);
    },
  );
});
process.on('SIGINT', () => undefined);
// Ends at once; an orderly exit would wait for llama.cpp to finish its batch.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));

async function answer(message: ToGgufHost): Promise<FromGgufHost> {
  if (message.type === 'load') return await load(message);
  if (loaded === undefined) throw new Error('expected a model to be loaded first');
  const { model, sequence } = loaded;
  if (message.type === 'encode') {
    return { type: 'encoded', ids: model.tokenize(message.text, false) };
  }
  return { type: 'scored', losses: await score(sequence, message) };
}

async function load({
  path,
  threads,
  window,
}: Extract<ToGgufHost, { type: 'load' }>): Promise<FromGgufHost> {
  const { getLlama, LlamaLogLevel } = await import('node-llama-cpp');
  const llama = await getLlama({
    gpu: false,
    build: 'never',
    maxThreads: threads,
    logLevel: LlamaLogLevel.error,
    progressLogs: false,
  });
  const model = await llama.loadModel({ modelPath: path });
  const contextLength = Math.min(model.trainContextSize, window ?? model.trainContextSize);
  const context = await model.createContext({
    // A context that is full to the last token is shifted before that token, which then sees less.
    contextSize: contextLength + SPARE_TOKENS,
    sequences: 1,
    threads,
    flashAttention: false,
    // Halves would cost more accuracy than a small memory is worth here.
    experimentalKvCacheKeyType: 'F32',
    experimentalKvCacheValueType: 'F32',
  });
  loaded = { model, sequence: context.getSequence() };
  const { bos, shouldPrependBosToken } = model.tokens;
  return {
    type: 'loaded',
    contextLength,
    vocabularySize: model.fileInfo.metadata.tokenizer?.ggml?.tokens?.length ?? 0,
    begin: shouldPrependBosToken && bos !== null ? bos : undefined,
  };
}

async function score(
  sequence: LlamaContextSequence,
  { ids, targets, from }: Extract<ToGgufHost, { type: 'score' }>,
): Promise<Float32Array> {
  await sequence.clearHistory();
  const input: ControlledEvaluateInputItem[] = [...ids].map((id, at) => {
    const target = targets[at] as Token;
    if (at < from) return id as Token;
    return [
      id as Token,
      {
        generateNext: {
          // The largest logit is what totalLogitWeight is relative to.
          logits: { filter: { tokens: [target], includeTop: 1 } },
          totalLogitWeight: true,
          options: { temperature: 0 },
        },
      },
    ];
  });
  const outputs = await sequence.controlledEvaluate(input);
  const losses = new Float32Array(ids.length - from);
  for (let at = from; at < ids.length; at++) {
    const { logits, totalLogitWeight } = outputs[at]?.next ?? {};
    const logit = logits?.get(targets[at] as Token);
    if (logits === undefined || logit === undefined || totalLogitWeight === undefined) {
      throw new Error(`expected a logit for the token at place ${at}, got none`);
    }
    const largest = Math.max(...logits.values());
    losses[at - from] = Math.log(totalLogitWeight) - (logit - largest);
  }
  return losses;
}
