/** Counts tokens beside the event loop, because some texts take seconds. Runs as a worker of `tokenCounter.ts`. */
import { parentPort } from 'node:worker_threads';
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import { chatModelParams, modelToEncodingMap } from 'gpt-tokenizer/mapping';

export interface CountTask {
  readonly id: number;
  readonly texts: readonly string[];
  /** The provider's name of the model that will read the texts. */
  readonly apiModel?: string | undefined;
}

export type WorkerReply =
  | { readonly type: 'ready' }
  | {
      readonly type: 'counted';
      readonly id: number;
      /** Sum over the texts. */
      readonly tokens: number;
      /** What is known of the model's own encoding: this one, another one, or nothing. */
      readonly encoding: 'same' | 'other' | 'unknown';
    };

if (parentPort === null) throw new Error('expected to be started as a worker');
const port = parentPort;
const encodings: Readonly<Record<string, string>> = modelToEncodingMap;
const knownModels = new Set(Object.keys(chatModelParams));

port.on('message', ({ id, texts, apiModel }: CountTask) => {
  // Names of special tokens are plain words here: a prompt may contain any of them, and none has power.
  const disallowedSpecial = new Set<string>();
  const tokens = texts.reduce((sum, text) => sum + countTokens(text, { disallowedSpecial }), 0);
  reply({ type: 'counted', id, tokens, encoding: encodingOf(apiModel) });
});
reply({ type: 'ready' });

/** The library's map names the models of older encodings; those it knows and does not map use this one. */
function encodingOf(apiModel: string | undefined): 'same' | 'other' | 'unknown' {
  if (apiModel === undefined) return 'unknown';
  const mapped = encodings[apiModel];
  if (mapped !== undefined) return mapped.startsWith('o200k') ? 'same' : 'other';
  return knownModels.has(apiModel) ? 'same' : 'unknown';
}

function reply(message: WorkerReply): void {
  port.postMessage(message);
}
