/**
 * Reads files of prompts with known outcomes per task and model, to fit on. One JSON object a line; a bad line is named by its number, its content is not repeated.
 */
import { readFileSync } from 'node:fs';
import { z } from 'zod';

const taskOutcome = z.object({
  prompt: z.string(),
  task: z.string(),
  scores: z.record(z.string(), z.number().min(0).max(1)),
});

/** One prompt of a named task and how good each model's answer was, in [0,1]. */
export type TaskOutcome = z.infer<typeof taskOutcome>;

export function readTaskOutcomes(path: string): TaskOutcome[] {
  return readJsonLines(path, taskOutcome);
}

export function readJsonLines<T>(path: string | URL, schema: z.ZodType<T>): T[] {
  const lines = readFileSync(path, 'utf8').split('\n');
  return lines.flatMap((line, index) => {
    if (line.trim() === '') return [];
    const parsed = schema.safeParse(jsonOf(line));
    if (parsed.success) return [parsed.data];
    const issue = parsed.error.issues[0];
    throw new Error(
      `${path}:${index + 1}: ${issue?.path.join('.') || 'the line'}: ${issue?.message ?? 'not as expected'}`,
    );
  });
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
