/**
 * The hand-written prompts that teach the classifier the editor tasks, with the variants in which the same wish
 * arrives: code attached, code pasted into the text, or an unrelated file attached to a wish that needs none.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { type Features, featuresOf } from '../core/features.ts';
import type { ContextPart } from '../core/types.ts';
import { shippedModels } from '../models/shippedFiles.ts';
import { readJsonLines } from './outcomes.ts';

const seedSchema = z.strictObject({
  task: z.string(),
  text: z.string(),
  /** Of attached code; its text matters little to the task. */
  language: z.string().optional(),
  code: z.string().optional(),
});

export type SeedPrompt = z.infer<typeof seedSchema>;

export interface SeedVariant {
  readonly features: Features;
  /** The variants of one prompt share a weight of one. */
  readonly share: number;
}

const STRAY_LANGUAGES = ['typescript', 'python', 'markdown', 'java', 'go', 'csharp'];

export function readSeedPrompts(): SeedPrompt[] {
  return readJsonLines(join(shippedModels(), 'seedPrompts.jsonl'), seedSchema);
}

export function seedFeatures(seed: SeedPrompt): Features {
  const context = seed.language === undefined ? [] : [selection(seed.language, seed.code ?? '')];
  return featuresOf({ text: seed.text, context, history: [] });
}

/** @param at the seed's number, which spreads the stray languages evenly and reproducibly */
export function seedVariants(seed: SeedPrompt, at: number): SeedVariant[] {
  const asWritten = { features: seedFeatures(seed), share: 0.6 };
  const plain = featuresOf({ text: seed.text, context: [], history: [] });
  if (seed.language === undefined) {
    const stray = STRAY_LANGUAGES[at % STRAY_LANGUAGES.length] ?? 'typescript';
    const context = [selection(stray, '')];
    const beside = featuresOf({ text: seed.text, context, history: [] });
    return [asWritten, { features: beside, share: 0.4 }];
  }
  if (seed.code === undefined) return [asWritten, { features: plain, share: 0.4 }];
  const fenced = `${seed.text}\n\n\`\`\`${seed.language}\n${seed.code}\n\`\`\``;
  const bare = `${seed.text}\n\n${seed.code}`;
  return [
    asWritten,
    { features: plain, share: 0.1 },
    { features: featuresOf({ text: fenced, context: [], history: [] }), share: 0.15 },
    { features: featuresOf({ text: bare, context: [], history: [] }), share: 0.15 },
  ];
}

function selection(language: string, text: string): ContextPart {
  return { kind: 'selection', language, text };
}
