/**
 * The tasks that the score tells apart. Benchmark tasks have outcomes. Editor tasks, which is what people ask here, have
 * none yet: their abilities are a judgement, stated as a mix of benchmark tasks that need alike skills and an offset in
 * logits (a first guess of how much easier or harder a usable answer is), until outcomes or a calibration replace it.
 */

export interface BenchmarkTask {
  readonly name: string;
  readonly label: string;
  /** Other names under which its outcomes are filed. */
  readonly also?: readonly string[];
}

export interface EditorTask {
  readonly name: string;
  readonly label: string;
  /** Shares of benchmark tasks; they are scaled to sum to one. */
  readonly mix: Readonly<Record<string, number>>;
  readonly offset: number;
  /** A text is given or freely written: how long the prompt is says nothing of what escalating it is worth. */
  readonly anyLength?: true;
}

export const benchmarkTasks: readonly BenchmarkTask[] = [
  { name: 'agentverse-logicgrid', label: 'a logic grid' },
  { name: 'arc_challenge', label: 'a school science question' },
  { name: 'commongen', label: 'a text made from given words' },
  { name: 'commonsense_qa', label: 'a common-sense question' },
  { name: 'gpqa', label: 'a graduate science problem' },
  // Six rows of the same kind of problem are too few for a task of their own.
  { name: 'gsm8k', label: 'a worded arithmetic problem', also: ['agentverse-mgsm'] },
  { name: 'human_eval', label: 'a function to complete' },
  { name: 'math', label: 'a competition maths problem' },
  { name: 'mbpp', label: 'a short program' },
  { name: 'mmlu', label: 'a question on a given passage' },
  { name: 'natural_qa', label: 'a question of fact' },
  { name: 'openbook_qa', label: 'an elementary science question' },
  { name: 'trivia_qa', label: 'a trivia question' },
];

export const editorTasks: readonly EditorTask[] = [
  { name: 'small-talk', label: 'small talk', mix: { openbook_qa: 1 }, offset: 2, anyLength: true },
  {
    name: 'rewrite-text',
    label: 'rewriting a text',
    mix: { commongen: 0.5, openbook_qa: 0.5 },
    offset: 1.2,
    anyLength: true,
  },
  {
    name: 'summarize',
    label: 'a summary',
    mix: { commongen: 0.5, openbook_qa: 0.3, mmlu: 0.2 },
    offset: 1,
    anyLength: true,
  },
  {
    name: 'write-text',
    label: 'writing a text',
    mix: { commongen: 1 },
    offset: 0.9,
    anyLength: true,
  },
  {
    name: 'translate',
    label: 'a translation',
    mix: { commongen: 0.5, natural_qa: 0.5 },
    offset: 0.6,
    anyLength: true,
  },
  {
    name: 'extract-data',
    label: 'extracting or converting data',
    mix: { mmlu: 0.5, mbpp: 0.5 },
    offset: 0.6,
    anyLength: true,
  },
  {
    name: 'explain-concept',
    label: 'explaining a concept',
    mix: { openbook_qa: 0.5, arc_challenge: 0.3, natural_qa: 0.2 },
    offset: 0.4,
  },
  {
    name: 'explain-code',
    label: 'explaining code',
    mix: { mbpp: 0.6, arc_challenge: 0.4 },
    offset: 0.4,
  },
  {
    name: 'document-code',
    label: 'documenting code',
    mix: { mbpp: 0.5, commongen: 0.5 },
    offset: 0.8,
  },
  { name: 'small-edit', label: 'a small edit of code', mix: { mbpp: 1 }, offset: 0.6 },
  {
    name: 'shell-command',
    label: 'a command to look up',
    mix: { mbpp: 0.5, natural_qa: 0.5 },
    offset: 0.6,
  },
  {
    name: 'write-function',
    label: 'a function to write',
    mix: { mbpp: 0.6, human_eval: 0.4 },
    offset: 0.1,
  },
  {
    name: 'write-test',
    label: 'tests to write',
    mix: { mbpp: 0.5, human_eval: 0.5 },
    offset: -0.1,
  },
  {
    name: 'debug',
    label: 'finding a fault',
    mix: { human_eval: 0.6, math: 0.2, gpqa: 0.2 },
    offset: 0.5,
  },
  {
    name: 'refactor',
    label: 'restructuring code',
    mix: { human_eval: 0.7, math: 0.3 },
    offset: 0.2,
  },
  {
    name: 'reasoning',
    label: 'a puzzle',
    mix: { 'agentverse-logicgrid': 0.4, gsm8k: 0.3, commonsense_qa: 0.3 },
    offset: 0,
  },
  {
    name: 'solve-maths',
    label: 'a maths problem to solve',
    mix: { math: 0.5, gsm8k: 0.5 },
    offset: -0.4,
  },
  {
    name: 'discuss-topic',
    label: 'a discussion of a topic',
    mix: { arc_challenge: 0.5, openbook_qa: 0.5 },
    offset: 0.6,
  },
  {
    name: 'write-algorithm',
    label: 'an algorithm to write',
    mix: { human_eval: 1 },
    offset: -0.3,
  },
  {
    name: 'roleplay',
    label: 'a role to play',
    mix: { commongen: 1 },
    offset: 1.4,
    anyLength: true,
  },
  // How far small models are behind differs by subject: in law, mathematics and physics by a lot, in history or
  // marketing by little. That is common knowledge of published results, in our own rough figures.
  {
    name: 'exam-law',
    label: 'an exam question on law',
    mix: { mmlu: 0.5, arc_challenge: 0.5 },
    offset: -0.65,
  },
  {
    name: 'exam-medicine',
    label: 'an exam question on medicine or biology',
    mix: { arc_challenge: 1 },
    offset: -0.3,
  },
  {
    name: 'exam-quantitative',
    label: 'an exam question that needs calculation or logic',
    mix: { math: 0.5, arc_challenge: 0.5 },
    offset: -0.2,
  },
  {
    name: 'exam-humanities',
    label: 'an exam question on history or society',
    mix: { arc_challenge: 0.5, openbook_qa: 0.5 },
    offset: 0.3,
  },
  {
    name: 'exam-business',
    label: 'an exam question on business',
    mix: { arc_challenge: 0.5, openbook_qa: 0.5 },
    offset: 0,
  },
  {
    name: 'exam-judgement',
    label: 'a question that judges two things at once',
    mix: { mmlu: 0.5, commonsense_qa: 0.5 },
    offset: -0.85,
  },
  {
    name: 'plan-design',
    label: 'a plan or design with trade-offs',
    mix: { human_eval: 0.4, math: 0.3, gpqa: 0.3 },
    offset: 0.8,
  },
  {
    name: 'build-feature',
    label: 'a feature to build',
    mix: { human_eval: 0.4, math: 0.3, gpqa: 0.3 },
    offset: 0.2,
  },
];

/** The mean of the mix over the benchmark tasks that there are numbers for, in logits, with the offset. */
export function judgedLogit(
  task: EditorTask,
  logitOf: (name: string) => number | undefined,
): number {
  let sum = 0;
  let weights = 0;
  for (const [name, weight] of Object.entries(task.mix)) {
    const logit = logitOf(name);
    if (logit === undefined) continue;
    sum += weight * logit;
    weights += weight;
  }
  return (weights === 0 ? 0 : sum / weights) + task.offset;
}
