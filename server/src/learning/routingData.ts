/**
 * Reads what `eval router` judges by: prompts with known outcomes, one JSON object a line, in either of two shapes.
 *   {"prompt", "task", "scores": {MODEL: 0..1, …}}      several models; a pair is named by --weak and --strong
 *   {"prompt", "weak_NAME": number, "strong_NAME": number}   one pair, on any scale
 * A line may add `answer`: what the weak model wrote, with its finish and token log-probabilities, for the gate.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { z } from 'zod';
import type { TaskOutcome } from './outcomes.ts';

const answerSchema = z.object({
  text: z.string(),
  finish: z.enum(['stop', 'length', 'refusal']).default('stop'),
  logProbs: z.array(z.number()).optional(),
  /** Of the model that wrote it, as the gate knows it. @default the pair's weak model */
  identity: z.string().optional(),
});

export type DataAnswer = z.infer<typeof answerSchema>;

export interface JudgedPrompt {
  readonly prompt: string;
  readonly task: string | undefined;
  readonly weak: number;
  readonly strong: number;
  readonly answer: DataAnswer | undefined;
}

export interface DataSet {
  /** The file's name without its ending. */
  readonly name: string;
  readonly weak: string;
  readonly strong: string;
  readonly prompts: readonly JudgedPrompt[];
  /** Present where the file has tasks and several models: a score can be fitted to it. */
  readonly outcomes: readonly TaskOutcome[] | undefined;
}

export type DataResult<T> =
  | { readonly kind: 'read'; readonly value: T }
  | { readonly kind: 'bad'; readonly message: string };

export interface PairNames {
  readonly weak?: string;
  readonly strong?: string;
}

/** The widest honest pair of the reference models, taken where a file has both and none is named. */
const usualPair = {
  weak: 'mistral-7b-instruct-v0.3',
  strong: 'llama-3.1-nemotron-51b-instruct',
} as const;

/** Fewer prompts or a narrower gap say nothing: shares of a gap of nothing explode. */
const FEWEST_PROMPTS = 20;
const MAX_BYTES = 512_000_000;

/** @param path a file, or a folder whose .jsonl files are read in the order of their names */
export function readDataSets(path: string, pair: PairNames): DataResult<readonly DataSet[]> {
  const files = filesOf(path);
  if (files.kind === 'bad') return files;
  const sets: DataSet[] = [];
  for (const file of files.value) {
    const set = readDataSet(file, pair);
    if (set.kind === 'bad') return set;
    sets.push(set.value);
  }
  return { kind: 'read', value: sets };
}

function filesOf(path: string): DataResult<readonly string[]> {
  try {
    if (!statSync(path).isDirectory()) return { kind: 'read', value: [path] };
    const names = readdirSync(path).filter((name) => name.endsWith('.jsonl'));
    if (names.length === 0) {
      return bad(`expected .jsonl files in the folder ${path}, got none`);
    }
    return { kind: 'read', value: names.sort().map((name) => join(path, name)) };
  } catch (error) {
    return bad(`expected --data to name a readable file or folder, got ${path} (${codeOf(error)})`);
  }
}

function readDataSet(path: string, pair: PairNames): DataResult<DataSet> {
  let text: string;
  try {
    const { size } = statSync(path);
    if (size > MAX_BYTES) return bad(`${path}: ${size} bytes, more than ${MAX_BYTES}; split it`);
    text = readFileSync(path, 'utf8');
  } catch (error) {
    return bad(`expected a readable file, got ${path} (${codeOf(error)})`);
  }
  const lines: Line[] = [];
  for (const [index, line] of text
    .replace(/^\uFEFF/, '')
    .split('\n')
    .entries()) {
    if (line.trim() === '') continue;
    const read = readLine(line);
    if (typeof read === 'string') return bad(`${path}:${index + 1}: ${read}`);
    lines.push(read);
  }
  if (lines.length < FEWEST_PROMPTS) {
    return bad(`${path}: expected at least ${FEWEST_PROMPTS} prompts, got ${lines.length}`);
  }
  const set = paired(path, lines, pair);
  if (set.kind === 'bad') return set;
  const gap = meanGap(set.value.prompts);
  if (!(gap > 0)) {
    const { weak, strong } = set.value;
    return bad(
      `${path}: expected ${strong} to be better than ${weak} on the whole, got a mean difference of ${gap.toFixed(3)}; name another pair with --weak and --strong`,
    );
  }
  return set;
}

interface Line {
  readonly prompt: string;
  readonly task: string | undefined;
  /** By model, or by the name behind `weak_` and `strong_`. */
  readonly scores: Readonly<Record<string, number>>;
  readonly pair: { readonly weak: string; readonly strong: string } | undefined;
  readonly answer: DataAnswer | undefined;
}

function readLine(text: string): Line | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'expected a JSON object on one line, got no valid JSON';
  }
  const parsed = z
    .looseObject({ prompt: z.string(), task: z.string().optional() })
    .safeParse(value);
  if (!parsed.success) return 'expected an object with a text in the field prompt, got none';
  const { prompt, task, scores, answer, ...rest } = parsed.data;
  const read = answerSchema.optional().safeParse(answer);
  if (!read.success) {
    return 'expected answer to hold text, finish (stop, length or refusal) and logProbs (numbers), got something else';
  }
  const common = { prompt, task, answer: read.data };
  if (scores !== undefined) {
    const table = z.record(z.string(), z.number().min(0).max(1)).safeParse(scores);
    if (!table.success) return 'expected scores to map models to numbers in [0,1]';
    return { ...common, scores: table.data, pair: undefined };
  }
  const weak = onlyColumn(rest, 'weak_');
  const strong = onlyColumn(rest, 'strong_');
  if (weak === undefined || strong === undefined) {
    return 'expected either scores by model, or one number under weak_NAME and one under strong_NAME';
  }
  return {
    ...common,
    scores: { [weak.name]: weak.value, [strong.name]: strong.value },
    pair: { weak: weak.name, strong: strong.name },
  };
}

function onlyColumn(
  fields: Readonly<Record<string, unknown>>,
  prefix: string,
): { readonly name: string; readonly value: number } | undefined {
  const found = Object.entries(fields).filter(([name]) => name.startsWith(prefix));
  const [[name, value] = ['', undefined], ...more] = found;
  if (more.length > 0 || typeof value !== 'number' || !Number.isFinite(value)) return undefined;
  return { name: name.slice(prefix.length), value };
}

function paired(path: string, lines: readonly Line[], named: PairNames): DataResult<DataSet> {
  const known = [...new Set(lines.flatMap(({ scores }) => Object.keys(scores)))];
  const own = lines[0]?.pair;
  const both = known.includes(usualPair.weak) && known.includes(usualPair.strong);
  const base = own ?? (both ? usualPair : undefined);
  // In a file of one pair the flags only say which known models those are.
  const weak = own?.weak ?? named.weak ?? base?.weak;
  const strong = own?.strong ?? named.strong ?? base?.strong;
  if (weak === undefined || strong === undefined) {
    return bad(`${path}: expected --weak and --strong to name two of ${known.join(', ')}`);
  }
  for (const [flag, id] of [
    ['--weak', weak],
    ['--strong', strong],
  ] as const) {
    if (!known.includes(id)) {
      return bad(`${path}: expected ${flag} to name one of ${known.join(', ')}; got ${id}`);
    }
  }
  if (weak === strong) return bad(`${path}: expected two models, got ${weak} twice`);
  const prompts: JudgedPrompt[] = [];
  const outcomes: TaskOutcome[] = [];
  for (const [index, { prompt, task, scores, answer }] of lines.entries()) {
    const [cheap, dear] = [scores[weak], scores[strong]];
    if (cheap === undefined || dear === undefined) {
      return bad(`${path}: prompt ${index + 1}: expected outcomes of ${weak} and ${strong}`);
    }
    prompts.push({ prompt, task, weak: cheap, strong: dear, answer });
    if (own === undefined && task !== undefined) outcomes.push({ prompt, task, scores });
  }
  return {
    kind: 'read',
    value: {
      name: basename(path).replace(/\.jsonl$/, ''),
      weak,
      strong,
      prompts,
      outcomes: outcomes.length === lines.length ? outcomes : undefined,
    },
  };
}

function meanGap(prompts: readonly JudgedPrompt[]): number {
  return prompts.reduce((sum, { weak, strong }) => sum + strong - weak, 0) / prompts.length;
}

function codeOf(error: unknown): string {
  if (error instanceof Error && 'code' in error) return String(error.code);
  throw error;
}

function bad(message: string): { readonly kind: 'bad'; readonly message: string } {
  return { kind: 'bad', message };
}
