/** Which outcomes are not to be learned from any more: the mark that `learning rollback` sets, in the data folder. */
import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';

const fileSchema = z.strictObject({
  schema: z.literal(1),
  /** Ranges of places in the ledger, both ends included. */
  forgotten: z.array(z.strictObject({ from: z.number(), to: z.number(), atMs: z.number() })),
});

export interface LearningMarks {
  isForgotten(seq: number): boolean;
  forget(from: number, to: number, atMs: number): void;
}

export function openLearningMarks(path: string): LearningMarks {
  let { forgotten } = read(path);
  return {
    isForgotten: (seq) => forgotten.some(({ from, to }) => seq >= from && seq <= to),
    forget(from, to, atMs) {
      forgotten = [...forgotten, { from, to, atMs }];
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      const whole = `${path}.${randomUUID()}.tmp`;
      writeFileSync(whole, `${JSON.stringify({ schema: 1, forgotten })}\n`, {
        mode: 0o600,
        flush: true,
      });
      renameSync(whole, path);
    },
  };
}

function read(path: string): z.infer<typeof fileSchema> {
  try {
    return fileSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    return { schema: 1, forgotten: [] };
  }
}
