/** Reads the prompts that a command measures on, all of them before the first is asked: a bad line costs no money. */
import { type KeyedPrompt, keyedPromptOf } from '../learning/keyedPrompts.ts';
import type { CliIo } from './io.ts';
import { readJsonLines } from './jsonLines.ts';

/** The prompts, or what is wrong with the file. */
export async function readKeyedFile(path: string, io: CliIo): Promise<KeyedPrompt[] | string> {
  const prompts: KeyedPrompt[] = [];
  try {
    for await (const entry of readJsonLines(path, io)) {
      const read = entry.kind === 'bad' ? entry.message : keyedPromptOf(entry.value);
      if (typeof read === 'string') return `${path}:${entry.line}: ${read}`;
      prompts.push(read);
    }
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    return `expected a readable file of prompts, got ${path} (${String(error.code)})`;
  }
  return prompts.length === 0
    ? `${path}: expected prompts, one JSON object a line, got none`
    : prompts;
}
