/**
 * How far further samples of a local answer agree with it: a model that knows says the same again, one that guesses does
 * not. Off unless the model's entry asks for samples, because each takes time. Pure but for the model that is asked.
 */
import type { GenerationRequest, ModelPort } from './ports.ts';
import type { LocalModel } from './types.ts';

const TEMPERATURE = 0.7;
/** The beginning of an answer is what can be checked; more would cost as much as the answer. */
const SAMPLE_TOKENS = 48;
const COMPARED_CHARS = 200;

/**
 * Asks for the samples, one after the other, and compares them.
 * @returns mean agreement in [0,1]; `undefined` where the model's entry asks for none, or none came
 */
export async function agreementWith(
  answer: string,
  local: ModelPort,
  model: LocalModel,
  request: GenerationRequest,
  signal: AbortSignal,
): Promise<number | undefined> {
  const further = (model.file.agreementSamples ?? 1) - 1;
  const samples: string[] = [];
  for (let at = 0; at < further && !signal.aborted; at += 1) {
    const drawn = { temperature: TEMPERATURE, seed: 1_000 * (at + 1) };
    const maxOutputTokens = Math.min(SAMPLE_TOKENS, request.maxOutputTokens);
    let text = '';
    let ended = false;
    for await (const event of local.generate(
      model,
      { ...request, maxOutputTokens, drawn },
      signal,
    )) {
      if (event.type === 'text-delta') text += event.text;
      if (event.type === 'end') ended = true;
    }
    if (ended) samples.push(text);
  }
  return agreementOf(answer, samples);
}

/** The mean overlap (Dice) of the words at the beginning of the answer with those of each sample; `undefined` without samples. */
export function agreementOf(answer: string, samples: readonly string[]): number | undefined {
  if (samples.length === 0) return undefined;
  const own = wordsOf(answer);
  return samples.reduce((sum, sample) => sum + overlap(own, wordsOf(sample)), 0) / samples.length;
}

function wordsOf(text: string): ReadonlySet<string> {
  const beginning = text.normalize('NFKC').toLowerCase().slice(0, COMPARED_CHARS);
  return new Set(beginning.match(/[\p{L}\p{N}]+/gu) ?? []);
}

function overlap(one: ReadonlySet<string>, other: ReadonlySet<string>): number {
  if (one.size + other.size === 0) return 1;
  let shared = 0;
  for (const word of one) if (other.has(word)) shared += 1;
  return (2 * shared) / (one.size + other.size);
}
