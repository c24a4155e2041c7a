/** What `@router` says about routes and money: the server's own texts, as Markdown that none of them can break out of. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { contextLine } from '../../client/src/askPreview.ts';
import {
  comparedMarkdown,
  historyOf,
  keptAnswer,
  spendMarkdown,
  whyMarkdown,
} from '../../client/src/chat/participantText.ts';
import type { ReportWire, RouteRowWire, TraceWire } from '../../server/src/protocol.ts';
import { english } from './english.ts';

const row: RouteRowWire = {
  promptId: 'p1',
  atMs: 0,
  time: '12:04',
  title: 'Why | does [this](command:x) retry?',
  model: 'SmolLM2',
  served: 'local',
  cost: 'free',
  saved: '$0.0038',
  latency: '1.3 s',
  score: 0.22,
  reasonCode: 'prompt_complexity_low(score=0.22)',
  reason: 'Looks easy (0.22 of 0.55).',
};

const trace: TraceWire = {
  task: 'question',
  score: 0.22,
  threshold: 0.55,
  parts: [{ name: 'length', added: -0.1, detail: 'short | very' }],
  candidates: [
    { label: 'SmolLM2', quality: 0.8, cost: 'free', latency: '≈ 1 s', whyNot: '', chosen: true },
    {
      label: 'gpt',
      quality: 0.95,
      cost: '≈ $0.01',
      latency: 'unknown',
      whyNot: 'Costs more.',
      chosen: false,
    },
  ],
  wouldFlip: ['the score had been above 0.55'],
  findings: [],
  leftOut: ['left out to fit: attachment 2 (≈ 40 tokens)'],
  confidence: null,
  attempts: [],
  estimateAgainstBill: '',
  audit: '',
};

test('/why has the reason, the parts of the score, every plan and what was left out', () => {
  const text = whyMarkdown(row, trace, english);
  assert.match(text, /^\*\*SmolLM2\*\* · cost free, saved \\\$0\.0038, 1\.3 s\n\nLooks easy/);
  assert.match(text, /Score 0\.22, threshold 0\.55\./);
  assert.match(text, /Parts of the score:\n- \\-0\.10 length: short/);
  assert.match(
    text,
    /- → SmolLM2: free · ≈ 1 s · quality 0\.80\n- gpt: ≈ .* quality 0\.95\. Costs more\./,
  );
  assert.match(text, /It would have gone elsewhere if:\n- the score had been above/);
  assert.match(text, /Left out to fit:\n- left out to fit: attachment 2/);
  assert.doesNotMatch(text, /Found in the prompt|Confidence|Audit/);
});

test('/why has the verdict of an audit and its cost', () => {
  const audit = 'Worse than the answer of gpt (compared as text). The audit cost $0.0014.';
  const text = whyMarkdown(row, { ...trace, audit }, english);
  assert.match(text, /Audit: Worse than the answer of gpt .*The audit cost \\\$0\.0014\./);
});

test('no text of a question can end a cell, make a link or run a command', () => {
  const text = whyMarkdown(row, trace, english);
  assert.ok(text.includes('Why \\| does \\[this\\]\\(command:x\\) retry?'));
  assert.ok(text.includes('short \\| very'));
});

test('/why without a trace still says the reason', () => {
  assert.match(whyMarkdown(row, null, english), /Looks easy/);
  assert.doesNotMatch(whyMarkdown(row, null, english), /Score/);
});

test('/spend has the month, every budget and each model', () => {
  const report = {
    month: '2026-11',
    spent: { nanoUsd: 1, text: '$3.12' },
    saved: '$9.40',
    baseline: 'gpt-6-sol',
    projection: '≈ $4.60 by 30 November',
    answers: 10,
    shares: { local: 0.82, cloud: 0.11, cache: 0.07 },
    byModel: [
      {
        name: 'gpt',
        answers: 2,
        answersText: '2',
        spent: '$3.12',
        saved: '$0.10',
        unknownSavings: 0,
      },
    ],
  } as unknown as ReportWire;
  const text = spendMarkdown(report, ['$3.12 of $20 this month'], english);
  assert.match(text, /^\*\*2026\\-11: \\\$3\.12 spent, \\\$9\.40 saved against gpt\\-6\\-sol\*\*/);
  assert.match(text, /\\\$3\.12 of \\\$20 this month/);
  assert.match(text, /10 answers: 82 % local, 11 % cloud, 7 % from the cache\./);
  assert.match(text, /\| gpt \| 2 \| \\\$3\.12 \| \\\$0\.10 \|/);
});

test('a compared answer is inert, however it is written', () => {
  const text = comparedMarkdown(
    'Local',
    '![x](https://evil.example/y.png) **yes**',
    'local · free',
  );
  assert.match(text, /^### Local\n\n/);
  assert.doesNotMatch(text, /!\[x\]\(/);
  assert.match(text, /\*\*yes\*\*/);
});

test('answers of a chat are its conversation; other turns are not', () => {
  const kept = [{ question: 'One?', text: 'Yes.' }, null, {}, { question: 1, text: 'x' }].map(
    keptAnswer,
  );
  assert.deepEqual(kept, [{ question: 'One?', text: 'Yes.' }, null, null, null]);
  assert.deepEqual(historyOf(kept.filter((one) => one !== null)), [
    { role: 'user', text: 'One?' },
    { role: 'assistant', text: 'Yes.' },
  ]);
});

test('what is attached is told by name before a question is typed', () => {
  const selection = { kind: 'selection', text: 'a\nb', path: 'a.ts' } as const;
  const file = { kind: 'file', text: 'a\nb\nc', path: 'a.ts' } as const;
  assert.equal(contextLine([], english), '');
  assert.equal(contextLine([selection], english), 'selection (2 lines)');
  assert.equal(contextLine([file], english), 'a.ts (3 lines)');
  assert.equal(contextLine([selection, file], english), '2 attachments');
});
