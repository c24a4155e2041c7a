/** What the extension tells the answers page about questions of every kind: plain, deferred, running, failed, and over the budget. */

import type { HostToAnswers } from '../../client/src/webviewMessages.ts';
import type { RouteWire } from '../../server/src/protocol.ts';
import { answer, trace } from './sampleView.ts';

export const route: RouteWire = {
  model: 'SmolLM2-135M',
  modelId: 'smollm2-135m',
  tier: 'local',
  ifUnsure: 'gpt-5-mini',
  reasonCode: 'prompt_complexity_low(score=0.22)',
  reason: 'Looks easy (0.22 of 0.55; explain code).',
  score: 0.22,
  threshold: 0.55,
  estimate: 'free',
  bound: 'at most $0.0041',
  latency: '≈ 1.2 s',
  trace,
};

export const answerText = `The request is retried **once by the SDK** and once by \`callModel\`, because both treat a 503 as worth another try.

\`\`\`ts
const client = new OpenAI({ maxRetries: 0 });
\`\`\`

- Switch one of them off.
- See [the documentation](https://example.org/retries).
`;

export function question(
  requestId: string,
  text: string,
  retryOf: string | null = null,
): HostToAnswers {
  return {
    type: 'question',
    requestId,
    question: text,
    context: 'selection (41 lines)',
    destination: 'auto',
    retryOf,
    replaces: null,
    canKeep: true,
  };
}

export function answerScript(): readonly HostToAnswers[] {
  return [
    question('r1', 'Why does this retry twice?'),
    { type: 'event', requestId: 'r1', event: { kind: 'route', route } },
    {
      type: 'event',
      requestId: 'r1',
      event: { kind: 'delta', text: answerText, model: 'SmolLM2-135M', draft: true },
    },
    {
      type: 'result',
      requestId: 'r1',
      result: { kind: 'answered', answer: answer({ text: answerText }) },
    },
    question('r2', 'Why does this retry twice?', 'r1'),
    {
      type: 'event',
      requestId: 'r2',
      event: {
        kind: 'route',
        route: {
          ...route,
          tier: 'cloud',
          model: 'gpt-5-mini',
          ifUnsure: null,
          estimate: '≈ $0.0031',
        },
      },
    },
    {
      type: 'result',
      requestId: 'r2',
      result: {
        kind: 'answered',
        answer: answer({
          requestId: 'r2',
          text: 'Both layers retry: the SDK by default twice, and your own loop once more. Set `maxRetries: 0`.',
          model: 'gpt-5-mini',
          served: 'cloud',
          cost: { nanoUsd: 3_100_000, text: '$0.0031' },
          savings: { nanoUsd: 9_000_000, text: 'saved $0.009' },
          latency: '4.0 s',
          reason: 'You asked for gpt-5-mini.',
        }),
      },
    },
    question('r3', 'Plan the migration of the ledger to another database'),
    { type: 'event', requestId: 'r3', event: { kind: 'route', route } },
    {
      type: 'event',
      requestId: 'r3',
      event: {
        kind: 'delta',
        text: 'First, copy the file and hope.',
        model: 'SmolLM2-135M',
        draft: true,
      },
    },
    {
      type: 'event',
      requestId: 'r3',
      event: {
        kind: 'deferred',
        line: 'Local draft (confidence 0.41), replaced by gpt-5-mini',
        toModel: 'gpt-5-mini',
      },
    },
    {
      type: 'event',
      requestId: 'r3',
      event: {
        kind: 'delta',
        text: 'The migration has four steps, each of which can be undone:\n\n1. Write to both',
        model: 'gpt-5-mini',
        draft: false,
      },
    },
    question('r4', 'What does this do?'),
    { type: 'event', requestId: 'r4', event: { kind: 'progress', stage: 'loading', share: 0.41 } },
    question('r5', 'And in the cloud?'),
    {
      type: 'result',
      requestId: 'r5',
      result: {
        kind: 'failed',
        code: 'no_api_key',
        message: 'gpt-5-mini needs a key.',
        nextStep: 'set_key',
      },
    },
    question('r6', 'Design a lock-free queue and prove it correct'),
    {
      type: 'result',
      requestId: 'r6',
      result: {
        kind: 'at_limit',
        message: "gpt-5-mini could cost $0.0085, and $0.00 of this month's budget is left.",
      },
    },
  ];
}
