/** A fixed month as the server would report it, and a ledger of any length, for the tests and pictures of the pages. */
import type {
  AnswerWire,
  ReportWire,
  RouteRowWire,
  RoutesPage,
  RoutesParams,
  StatusWire,
  TraceWire,
  WhatIfWire,
} from '../../server/src/protocol.ts';

export const trace: TraceWire = {
  task: 'plan a change',
  score: 0.81,
  threshold: 0.55,
  parts: [
    { name: 'task', added: 0.42, detail: 'plan a change: fails 42 % of the time' },
    { name: 'length', added: 0.27, detail: '520 tokens' },
    { name: 'code', added: 0.16, detail: '41 lines of TypeScript' },
    { name: 'question word', added: -0.04, detail: 'why' },
  ],
  candidates: [
    {
      label: 'SmolLM2-135M',
      quality: 0.19,
      cost: 'free',
      latency: '≈ 1.2 s',
      whyNot: 'quality 0.19 of 0.80 wanted',
      chosen: false,
    },
    {
      label: 'SmolLM2-135M, then gpt-5-mini',
      quality: 0.86,
      cost: '≈ $0.0096',
      latency: '≈ 5.4 s',
      whyNot: 'slower for the same price',
      chosen: false,
    },
    {
      label: 'gpt-5-mini',
      quality: 0.93,
      cost: '≈ $0.0102',
      latency: '≈ 4.1 s',
      whyNot: '',
      chosen: true,
    },
    {
      label: 'gpt-5',
      quality: 0.97,
      cost: '≈ $0.051',
      latency: 'unknown',
      whyNot: 'costs more than is needed',
      chosen: false,
    },
  ],
  wouldFlip: ['score < 0.55', 'budget left < $0.011'],
  findings: [],
  leftOut: [],
  confidence: {
    value: 0.41,
    needed: 0.62,
    parts: [
      { name: 'mean log-probability', added: -0.31, detail: '−1.92 per token' },
      { name: 'parses', added: 0.12, detail: 'the code parses' },
    ],
    notes: ['usually 0.70 is needed; the budget has to last'],
  },
  attempts: [
    { model: 'SmolLM2-135M', outcome: 'deferred', cost: 'free', priceRow: '', latency: '1.3 s' },
    {
      model: 'gpt-5-mini',
      outcome: 'answered',
      cost: '$0.0108',
      priceRow: 'gpt-5-mini@2026-08-07',
      latency: '4.0 s',
    },
  ],
  estimateAgainstBill: 'estimate ≤ $0.0121, billed $0.0108',
  audit: 'At least as good as the answer of gpt-5 (judged by that model). The audit cost $0.0041.',
};

const dayAmounts = [0, 31, 120, 84, 12, 0, 240, 610, 95, 44, 380, 1_104, 402];

export const report: ReportWire = {
  month: '2026-11',
  months: ['2026-11', '2026-10', '2026-09'],
  spent: { nanoUsd: 3_120_000_000, text: '$3.12' },
  budget: { nanoUsd: 20_000_000_000, text: '$20.00' },
  usedShare: 0.156,
  projection: '≈ $4.60 by 30 November',
  saved: '$9.40',
  baseline: 'gpt-5',
  unknownSavings: 3,
  answers: 1204,
  answersText: '1,204',
  shares: { local: 0.82, cloud: 0.11, cache: 0.07 },
  quality: '92 % (82 to 97 %), n=62, measured',
  qualityLines: [
    'local answers at least as good as gpt-5',
    'Your verdicts: 94 % ± 4 (n=61), measured',
  ],
  days: dayAmounts.map((cents, index) => ({
    day: `2026-11-${String(index + 1).padStart(2, '0')}`,
    spentNanoUsd: cents * 1_000_000,
    savedNanoUsd: cents * 3_000_000,
    baselineNanoUsd: cents * 4_000_000,
    spent: `$${(cents / 1000).toFixed(2)}`,
    saved: `$${((cents * 3) / 1000).toFixed(2)}`,
    baseline: `$${((cents * 4) / 1000).toFixed(2)}`,
  })),
  byModel: [
    {
      name: 'SmolLM2-135M',
      answers: 987,
      answersText: '987',
      spent: 'free',
      saved: '$7.31',
      unknownSavings: 1,
    },
    {
      name: 'gpt-5-mini',
      answers: 132,
      answersText: '132',
      spent: '$3.12',
      saved: '$1.42',
      unknownSavings: 2,
    },
    {
      name: 'cached',
      answers: 85,
      answersText: '85',
      spent: 'free',
      saved: '$0.67',
      unknownSavings: 0,
    },
  ],
  byTask: [
    {
      name: 'explain code',
      answers: 702,
      answersText: '702',
      spent: '$0.41',
      saved: '$5.80',
      unknownSavings: 0,
    },
    {
      name: 'plan a change',
      answers: 211,
      answersText: '211',
      spent: '$2.30',
      saved: '$1.90',
      unknownSavings: 3,
    },
    {
      name: 'write a test',
      answers: 291,
      answersText: '291',
      spent: '$0.41',
      saved: '$1.70',
      unknownSavings: 0,
    },
  ],
  pricesAsOf: '12 Nov',
  models: [
    {
      id: 'smollm2-135m',
      label: 'SmolLM2-135M',
      tier: 'local',
      provider: 'local',
      enabled: true,
      state: 'ready',
      detail: '',
      sizeBytes: 98_000_000,
      price: 'free',
      speed: '41 tokens/s, first token after 0.3 s',
      memory: '214 MB, measured',
      threads: '1 of 2 cores; tokens/s written with each number: 1: 45, 2: 12',
      chosenAs: ['cheap'],
    },
    {
      id: 'qwen3-4b',
      label: 'Qwen3-4B',
      tier: 'local',
      provider: 'local',
      enabled: true,
      state: 'missing',
      detail: 'fits: needs ≈ 3.4 GB of 16 GB',
      sizeBytes: 2_500_000_000,
      price: 'free',
      speed: 'not measured yet',
      memory: 'at least 2.5 GB',
      threads: '1 of 2 cores, not measured yet',
      chosenAs: [],
    },
    {
      id: 'gpt-5-mini',
      label: 'gpt-5-mini',
      tier: 'cloud',
      provider: 'openai',
      enabled: true,
      state: 'no_key',
      detail: '',
      sizeBytes: null,
      price: '$0.25 in, $2.00 out per million tokens',
      speed: 'first token after 0.9 s',
      memory: '',
      threads: '',
      chosenAs: ['escalation'],
    },
    {
      id: 'gpt-5',
      label: 'gpt-5',
      tier: 'cloud',
      provider: 'openai',
      enabled: false,
      state: 'no_key',
      detail: '',
      sizeBytes: null,
      price: '$1.25 in, $10.00 out per million tokens',
      speed: 'not measured yet',
      memory: '',
      threads: '',
      chosenAs: ['baseline'],
    },
  ],
};

export const status: StatusWire = {
  text: '$3.12 / $20 · saved $9.40',
  level: 'normal',
  running: null,
  rows: [],
  spent: report.spent,
  budgets: ['$3.12 of $20 spent this month; resets on 1 December.'],
  usedUp: '',
  pricesAsOf: '12 Nov',
  lastReason: '',
  missing: [],
  notices: [],
  locked: [],
};

export const whatIf: WhatIfWire = {
  source: 'prompts-2026-10.jsonl',
  lines: [
    '1204 prompts: 71 % local, 18 % cloud at once, ≈ 96.3 local drafts deferred',
    '3 kept local because of what stands in them',
  ],
  escalated: '≈ 26 % escalated to the cloud',
  saved: 'saved ≈ $9.40 against gpt-5',
  costs: [
    { name: 'routed', nanoUsd: 3_120_000_000, cost: '≈ $3.12' },
    { name: 'all by gpt-5', nanoUsd: 12_520_000_000, cost: '≈ $12.52' },
    { name: 'paid then', nanoUsd: null, cost: '≈ $8.10, and 14 unknown' },
  ],
  models: [
    { name: 'SmolLM2-135M', prompts: 987, cost: '≈ $0.52' },
    { name: 'gpt-5-mini', prompts: 217, cost: '≈ $2.60' },
  ],
  notes: ['Prices of today.', 'Prompts whose tokens are estimated: 14.'],
};

const titles = [
  'Why does this retry twice?',
  'Plan the migration of the ledger to another database, with the order of steps and what can be undone',
  'explain code · 3f9a1c',
  '<img src=x onerror="window.__hacked=1"> & friends',
];

export function routeRow(index: number): RouteRowWire {
  const cloud = index % 9 === 1;
  const cached = index % 13 === 5;
  const served = cached ? 'cache' : cloud ? 'cloud' : 'local';
  return {
    promptId: `prompt-${index}`,
    atMs: 1_795_000_000_000 - index * 60_000,
    time: `12 Nov, ${12 - (Math.floor(index / 60) % 12)}:${String(59 - (index % 60)).padStart(2, '0')}`,
    title: titles[index % titles.length] ?? '',
    model: cloud ? 'gpt-5-mini' : 'SmolLM2-135M',
    served,
    cost: cached ? 'cached' : cloud ? '$0.0108' : 'free',
    saved: '$0.0038',
    latency: '1.3 s',
    score: cloud ? 0.81 : 0.22,
    reasonCode: cloud ? 'prompt_complexity_high' : 'prompt_complexity_low',
    reason: cloud
      ? 'Looks hard (0.81, local up to 0.55; plan a change).'
      : 'Looks easy (0.22 of 0.55; explain code).',
  };
}

/** Pages of a ledger of `total` routes; a served filter keeps every row as it is and only shortens the list. */
export function routesPage(params: RoutesParams, total: number): RoutesPage {
  const matching = params.served === undefined && !params.search ? total : Math.floor(total / 9);
  const rows: RouteRowWire[] = [];
  for (
    let index = params.offset;
    index < Math.min(matching, params.offset + params.limit);
    index += 1
  ) {
    const row = routeRow(index);
    rows.push(params.served ? { ...row, served: params.served } : row);
  }
  return {
    total: matching,
    totalText: matching.toLocaleString('en'),
    offset: params.offset,
    rows,
  };
}

export function answer(overrides: Partial<AnswerWire> = {}): AnswerWire {
  return {
    requestId: 'r1',
    text: '',
    model: 'SmolLM2-135M',
    modelId: 'smollm2-135m',
    served: 'local',
    complete: true,
    cost: { nanoUsd: 0, text: 'free' },
    savings: { nanoUsd: 3_800_000, text: 'saved $0.0038' },
    latency: '1.3 s',
    reasonCode: 'prompt_complexity_low(score=0.22)',
    reason: 'Looks easy (0.22 of 0.55; explain code).',
    line: 'local · SmolLM2-135M · free · 1.3 s · saved $0.0038 · Looks easy (0.22 of 0.55; explain code).',
    trace: { ...trace, score: 0.22, confidence: null },
    ...overrides,
  };
}
