/**
 * Calibrations in the data folder: one file per model, named by the sha256 of its GGUF, holding the one in force and those
 * before it. A file is replaced whole, so a crash leaves the old one. One that can't be read is set aside and said.
 */
import { randomUUID } from 'node:crypto';
import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { type Calibration, calibrationSchema } from '../core/calibration.ts';

const fileSchema = z.strictObject({
  schema: z.literal(1),
  /** `null` after a rollback to what shipped. */
  current: calibrationSchema.nullable(),
  /** Newest first. */
  earlier: z.array(calibrationSchema),
});

const MOST_EARLIER = 5;

export interface Calibrations {
  /** Those in force, by the model's identity. */
  current(): ReadonlyMap<string, Calibration>;
  put(calibration: Calibration): void;
  /** Back to the one before, or to what shipped. Returns what is in force then; `none` where there was nothing to undo. */
  rollback(identity: string): Calibration | 'shipped' | 'none';
  /** Lines kept while a calibration runs, so that one that was cancelled goes on where it stopped. */
  journal(identity: string): Journal;
}

export interface Journal {
  lines(): readonly string[];
  add(line: string): void;
  clear(): void;
}

export function openCalibrations(
  folder: string,
  onProblem: (message: string) => void,
): Calibrations {
  const files = new Map<string, z.infer<typeof fileSchema>>();
  for (const name of listed(folder)) {
    const path = join(folder, name);
    const read = fileSchema.safeParse(jsonOf(path));
    const identity = name.replace(/\.json$/, '');
    if (read.success) files.set(identity, read.data);
    else
      onProblem(
        `expected a calibration in ${path}, got something else; it is left alone, calibrate again to replace it`,
      );
  }
  let current = inForce();

  function inForce(): ReadonlyMap<string, Calibration> {
    return new Map(
      [...files].flatMap(([id, { current: one }]) => (one === null ? [] : [[id, one]])),
    );
  }

  function write(identity: string, file: z.infer<typeof fileSchema>): void {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const path = join(folder, `${fileNameOf(identity)}.json`);
    const whole = `${path}.${randomUUID()}.tmp`;
    try {
      writeFileSync(whole, `${JSON.stringify(file, undefined, 2)}\n`, { mode: 0o600, flush: true });
      renameSync(whole, path);
    } catch (error) {
      rmSync(whole, { force: true });
      throw error;
    }
    files.set(identity, file);
    current = inForce();
  }

  return {
    current: () => current,
    put(calibration) {
      const before = files.get(calibration.identity);
      const earlier = [
        ...(before?.current ? [before.current] : []),
        ...(before?.earlier ?? []),
      ].slice(0, MOST_EARLIER);
      write(calibration.identity, { schema: 1, current: calibration, earlier });
    },
    rollback(identity) {
      const file = files.get(identity);
      if (!file?.current) return 'none';
      const [before = null, ...earlier] = file.earlier;
      write(identity, { schema: 1, current: before, earlier });
      return before ?? 'shipped';
    },
    journal(identity) {
      const path = join(folder, `${fileNameOf(identity)}.answers.jsonl`);
      return {
        lines: () => linesOf(path),
        add(line) {
          mkdirSync(folder, { recursive: true, mode: 0o700 });
          appendFileSync(path, `${line}\n`, { mode: 0o600 });
        },
        clear: () => rmSync(path, { force: true }),
      };
    },
  };
}

/** An identity is a hash, or a name made up for a file that was never hashed; either way it may only name one file. */
function fileNameOf(identity: string): string {
  return identity.replace(/[^\w.-]/g, '_');
}

function listed(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => name.endsWith('.json'));
  } catch {
    return [];
  }
}

function jsonOf(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

function linesOf(path: string): string[] {
  try {
    return readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => line.trim() !== '');
  } catch {
    return [];
  }
}
