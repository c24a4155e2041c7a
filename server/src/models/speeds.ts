/**
 * Speeds of local models measured on this machine: medians of the last answers, by the model's identity. Kept in a small file beside
 * the ledger; a damaged one starts empty, since measuring again is cheap.
 */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import type { SpeedSample, Speeds } from '../core/ports.ts';
import type { MeasuredSpeed } from '../core/types.ts';
import { median, writeMeasured } from './measured.ts';

export interface SpeedsFile extends Speeds {
  /** Writes what is not yet written; to be called before the process ends. */
  flush(): void;
}

const SAMPLES_KEPT = 20;
/** An answer that read fewer tokens tells how long its first token took, not how fast the model reads. */
const READING_TOKENS = 16;
const WRITE_DELAY_MS = 5_000;

const sampleSchema = z.object({
  inputTokens: z.number().nonnegative(),
  outputTokens: z.number().nonnegative(),
  firstTokenMs: z.number().nonnegative(),
  latencyMs: z.number().nonnegative(),
});
const fileSchema = z.record(z.string(), z.array(sampleSchema));

export function createSpeeds(path: string): SpeedsFile {
  const samples = new Map(Object.entries(readSamples(path)));
  /** A model that was not measured is remembered too: it is asked for at every decision. */
  const medians = new Map<string, MeasuredSpeed | undefined>();
  let pending: NodeJS.Timeout | undefined;

  function flush(): void {
    if (pending === undefined) return;
    clearTimeout(pending);
    pending = undefined;
    writeMeasured(path, JSON.stringify(Object.fromEntries(samples)));
  }

  return {
    get(identity) {
      if (medians.has(identity)) return medians.get(identity);
      const measured = mediansOf(samples.get(identity) ?? []);
      medians.set(identity, measured);
      return measured;
    },
    record(identity, sample) {
      if (!sampleSchema.safeParse(sample).success || sample.outputTokens === 0) return;
      samples.set(identity, worthKeeping([...(samples.get(identity) ?? []), sample]));
      medians.delete(identity);
      pending ??= setTimeout(flush, WRITE_DELAY_MS).unref();
    },
    flush,
  };
}

function mediansOf(samples: readonly SpeedSample[]): MeasuredSpeed | undefined {
  const latest = samples.slice(-SAMPLES_KEPT);
  const reading = readingSamples(samples).map((sample) =>
    perSecond(sample.inputTokens, sample.firstTokenMs),
  );
  // The first token's time belongs to reading; an answer of one token tells nothing about writing.
  const writing = latest
    .filter((sample) => sample.outputTokens > 1 && sample.latencyMs > sample.firstTokenMs)
    .map((sample) => perSecond(sample.outputTokens - 1, sample.latencyMs - sample.firstTokenMs));
  if (reading.length === 0 || writing.length === 0) return undefined;
  return {
    promptTokensPerSecond: median(reading),
    outputTokensPerSecond: median(writing),
    timeToFirstTokenMs: median(latest.map((sample) => sample.firstTokenMs)),
    samples: latest.length,
  };
}

/** The latest ones, and the latest that tell how fast the model reads: many answers in a row may reuse nearly all of their prompt. */
function worthKeeping(samples: readonly SpeedSample[]): SpeedSample[] {
  const kept = new Set([...samples.slice(-SAMPLES_KEPT), ...readingSamples(samples)]);
  return samples.filter((sample) => kept.has(sample));
}

function readingSamples(samples: readonly SpeedSample[]): readonly SpeedSample[] {
  return samples.filter((sample) => sample.inputTokens >= READING_TOKENS).slice(-SAMPLES_KEPT);
}

function perSecond(tokens: number, milliseconds: number): number {
  return tokens / (Math.max(milliseconds, 1) / 1000);
}

function readSamples(path: string): Record<string, SpeedSample[]> {
  try {
    return fileSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    return {};
  }
}
