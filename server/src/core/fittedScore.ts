/**
 * The fitted score as data: `models/score.json`, written by `learning/fitScore.ts`. Everything that was learned from
 * outcomes or stated by judgement is in that file and says which; the code here only checks and unpacks it.
 */
import { z } from 'zod';
import { expectedUnder, familiarityOf } from './taskMix.ts';
import { eightBitWeights, fourBitWeights, type TaskWeights } from './taskWeights.ts';

const probability = z.number().min(0).max(1);
const count = z.number().nonnegative();

const taskSchema = z.strictObject({
  name: z.string().min(1),
  /** As a trace says it: "looks like <label>". */
  label: z.string().min(1),
  /** `judgement`: no outcomes exist for this task, its abilities derive from other tasks by `mix` and `offset`. */
  source: z.enum(['outcomes', 'judgement']),
  mix: z.record(z.string(), probability).optional(),
  /** Logits added to the mix. */
  offset: z.number().optional(),
  /** Logit of the ability of a model of the reference size. */
  sizeIntercept: z.number(),
  /** Mean of ln(1 + tokens) over the task's prompts. */
  usualLength: z.number().nonnegative(),
  /** A text is given or freely written: how long the prompt is says nothing of what escalating it is worth. */
  anyLength: z.literal(true).optional(),
});

const modelSchema = z.strictObject({
  billions: z.number().positive(),
  /** Per task, in the order of `tasks`: the mean of the Beta prior, then the outcomes seen (a fraction for partial credit). */
  prior: z.array(probability),
  good: z.array(count),
  bad: z.array(count),
});

const fileSchema = z.strictObject({
  schema: z.literal(1),
  fitted: z.string(),
  tasks: z.array(taskSchema).min(2),
  classifier: z.strictObject({
    buckets: z.int().min(2),
    /** Bits per weight; two weights share a byte when it is 4. */
    bits: z.union([z.literal(4), z.literal(8)]),
    /** Base64 of signed weights, bucket by bucket, within a bucket task by task. */
    weights: z.string(),
    /** Per task: what one step of a weight is worth in logits. */
    scales: z.array(z.number().positive()),
    bias: z.array(z.number()),
    temperature: z.number().positive(),
  }),
  /** Outcomes that a prior weighs as much as. */
  priorStrength: z.number().positive(),
  models: z.record(z.string(), modelSchema),
  sizePrior: z.strictObject({
    referenceBillions: z.number().positive(),
    /** Logits per factor of ten in size. */
    slope: z.number(),
    smallestBillions: z.number().positive(),
    largestBillions: z.number().positive(),
  }),
  /** Logits of failure per unit of ln(1 + tokens) above the usual length of the task. */
  lengthSlope: z.number(),
  /** What escalating a prompt is worth more per unit of ln(1 + tokens) beyond the usual length of all prompts. */
  worth: z.strictObject({
    lengthSlope: z.number(),
    /** Added to it as far as a prompt is of no task with outcomes: what the tables say is then a judgement. */
    unfamiliarLengthSlope: z.number(),
    /** The length from which on that is added. */
    unfamiliarLength: z.number(),
    usualLength: z.number(),
    /** The same of ln(1 + words that relate steps or amounts). */
    relationSlope: z.number(),
    usualRelations: z.number(),
    /** The same of ln(1 + words that name code, mathematics or reasoning), as far as no task with outcomes is recognised. */
    demandSlope: z.number(),
  }),
  context: z.strictObject({
    source: z.literal('judgement'),
    /** Attached tokens up to which nothing is added. */
    freeTokens: z.number().positive(),
    /** Logits of failure per doubling beyond. */
    slope: z.number(),
    /** Logits of failure by the language of the code, and of those that are not listed. */
    languages: z.record(z.string(), z.number()),
    otherLanguage: z.number(),
  }),
  /** A sample of prompts, for turning a share into a threshold. No words of them, only what scoring needs. */
  reference: z.strictObject({
    /** Base64 of bytes: per prompt the tasks' probabilities in 255ths. */
    mixes: z.string(),
    textTokens: z.array(count).min(10),
    relations: z.array(count),
    demands: z.array(count),
    keywordScores: z.array(probability),
  }),
});

export type FittedScoreFile = z.infer<typeof fileSchema>;
export type FittedModel = z.infer<typeof modelSchema>;

/** One prompt of the reference sample. */
export interface ReferencePrompt {
  readonly mix: Float64Array;
  readonly textTokens: number;
  readonly relations: number;
  readonly demands: number;
  /** These three as `TaskMix` has them. */
  readonly usualLength: number;
  readonly anyLength: number;
  readonly familiar: number;
  readonly keywordScore: number;
  /** Its place in the sample, in [0,1]: what the random baseline scores are spread like. */
  readonly rank: number;
}

/** The file, checked and unpacked. */
export interface FittedScore
  extends Pick<
    FittedScoreFile,
    'tasks' | 'priorStrength' | 'sizePrior' | 'lengthSlope' | 'worth' | 'context'
  > {
  readonly models: ReadonlyMap<string, FittedModel>;
  readonly classifier: {
    readonly buckets: number;
    readonly weights: TaskWeights;
    readonly scales: readonly number[];
    readonly bias: readonly number[];
    readonly temperature: number;
  };
  /** ln(1 + tokens), per task. */
  readonly usualLengths: Float64Array;
  /** 1 for a task whose prompts may be of any length, else 0. */
  readonly anyLengths: Float64Array;
  readonly reference: readonly ReferencePrompt[];
}

/** Throws when the file isn't what `fitScore.ts` writes: it ships with the program, so the program is then broken. */
export function parseFittedScore(json: unknown): FittedScore {
  const parsed = fileSchema.safeParse(json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw unfit(issue?.path.join('.') || 'the file', issue?.message ?? 'not as expected');
  }
  const file = parsed.data;
  const { classifier, tasks } = file;
  const names = new Set(tasks.map((task) => task.name));
  if (names.size !== tasks.length) throw unfit('tasks', 'expected every name once');
  for (const key of ['scales', 'bias'] as const) {
    expectLength(`classifier.${key}`, classifier[key].length, tasks.length);
  }
  for (const [name, model] of Object.entries(file.models)) {
    for (const key of ['prior', 'good', 'bad'] as const) {
      expectLength(`models.${name}.${key}`, model[key].length, tasks.length);
    }
  }
  if ((classifier.buckets & (classifier.buckets - 1)) !== 0) {
    throw unfit('classifier.buckets', `expected a power of two, got ${classifier.buckets}`);
  }
  const ofTasks = {
    tasks,
    usualLengths: Float64Array.from(tasks, (task) => task.usualLength),
    anyLengths: Float64Array.from(tasks, (task) => (task.anyLength ? 1 : 0)),
  };
  return {
    ...ofTasks,
    priorStrength: file.priorStrength,
    sizePrior: file.sizePrior,
    lengthSlope: file.lengthSlope,
    worth: file.worth,
    context: file.context,
    models: new Map(Object.entries(file.models)),
    classifier: {
      ...classifier,
      weights: unpackWeights(classifier, tasks.length),
    },
    reference: unpackReference(file.reference, ofTasks),
  };
}

function unpackWeights(
  { bits, buckets, weights }: FittedScoreFile['classifier'],
  tasks: number,
): TaskWeights {
  const bytes = bytesOf('classifier.weights', weights);
  expectLength('classifier.weights', bytes.length, Math.ceil((buckets * tasks * bits) / 8));
  const rows = bits === 8 ? eightBitWeights : fourBitWeights;
  return rows(bytes, buckets, tasks);
}

function unpackReference(
  reference: FittedScoreFile['reference'],
  ofTasks: Pick<FittedScore, 'tasks' | 'usualLengths' | 'anyLengths'>,
): ReferencePrompt[] {
  const tasks = ofTasks.tasks.length;
  const { length } = reference.textTokens;
  const shares = bytesOf('reference.mixes', reference.mixes);
  expectLength('reference.mixes', shares.length, length * tasks);
  expectLength('reference.relations', reference.relations.length, length);
  expectLength('reference.demands', reference.demands.length, length);
  expectLength('reference.keywordScores', reference.keywordScores.length, length);
  return reference.textTokens.map((textTokens, prompt) => {
    const row = Float64Array.from(shares.subarray(prompt * tasks, (prompt + 1) * tasks));
    const total = row.reduce((sum, share) => sum + share, 0) || 1;
    const mix = row.map((share) => share / total);
    return {
      mix,
      textTokens,
      relations: reference.relations[prompt] ?? 0,
      demands: reference.demands[prompt] ?? 0,
      usualLength: expectedUnder(mix, ofTasks.usualLengths),
      anyLength: expectedUnder(mix, ofTasks.anyLengths),
      familiar: familiarityOf(ofTasks, mix),
      keywordScore: reference.keywordScores[prompt] ?? 0,
      rank: (prompt + 0.5) / length,
    };
  });
}

function bytesOf(where: string, base64: string): Uint8Array<ArrayBuffer> {
  const text = decoded(base64);
  if (text === undefined) throw unfit(where, 'expected base64');
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at += 1) bytes[at] = text.charCodeAt(at);
  return bytes;
}

function decoded(base64: string): string | undefined {
  try {
    return atob(base64);
  } catch {
    return undefined;
  }
}

function expectLength(where: string, got: number, expected: number): void {
  if (got !== expected) throw unfit(where, `expected ${expected} entries, got ${got}`);
}

function unfit(where: string, what: string): Error {
  return new Error(
    `the fitted score does not fit this version: ${where}: ${what}; restore models/score.json or write it again with learning/fitScore.ts`,
  );
}
