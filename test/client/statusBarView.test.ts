/** The status item as data: what it says at each level, and that nothing the server says can become a link. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { COMMAND_NAMES, commandId } from '../../client/src/commandIds.ts';
import { STATUS_LINKS, statusBarView } from '../../client/src/statusBarView.ts';
import type { StatusWire } from '../../server/src/protocol.ts';
import { english } from './english.ts';

const running = { kind: 'running' } as const;

const month: StatusWire = {
  text: '$3.12 / $20 · saved $9.40',
  level: 'normal',
  running: null,
  rows: [
    { served: 'local', answers: 82, spent: 'free', saved: '$8.10' },
    { served: 'cloud', answers: 11, spent: '$3.12', saved: '$0.90' },
    { served: 'cache', answers: 7, spent: 'cached', saved: '$0.40' },
  ],
  spent: { nanoUsd: 3_120_000_000, text: '$3.12' },
  budgets: [
    '$0.40 of $1 spent in this workspace this month; resets on 1 December.',
    '$3.12 of $20 spent this month; resets on 1 December.',
  ],
  usedUp: '',
  pricesAsOf: '12 November 2026',
  lastReason: 'Answered locally: looks easy (score 0.18, needs 0.55 to escalate).',
  missing: [],
  locked: [],
  notices: [],
};

function view(changes: Partial<StatusWire> = {}) {
  return statusBarView({ ...month, ...changes }, running, english);
}

test('a calm month shows its money, no colour, and opens the dashboard', () => {
  const { text, background, command } = view();
  assert.equal(text, '$(circuit-board) $3.12 / $20 · saved $9.40');
  assert.equal(background, null);
  assert.equal(command, commandId('openDashboard'));
});

test('colour comes at pacing and at the limit only, and is spoken too', () => {
  const pacing = view({ level: 'pacing', text: '$16.40 / $20 · pacing' });
  assert.equal(pacing.background, 'statusBarItem.warningBackground');
  assert.match(pacing.spoken, /close to the budget/);
  const exhausted = view({ level: 'exhausted', text: 'local only until 1 Dec' });
  assert.equal(exhausted.background, 'statusBarItem.errorBackground');
  assert.equal(exhausted.text, '$(circuit-board) local only until 1 Dec');
});

test('an answer in flight shows its tier', () => {
  assert.equal(view({ running: { tier: 'local', model: 'SmolLM2' } }).text, '$(sync~spin) local');
  assert.equal(
    view({ running: { tier: 'cloud', model: 'gpt-5-mini' } }).text,
    '$(cloud-upload) gpt-5-mini',
  );
});

test('without a model it leads to the walkthrough; without a server, to starting it', () => {
  assert.equal(view({ text: 'set up' }).command, commandId('openWalkthrough'));
  const stopped = statusBarView(null, { kind: 'stopped', cause: 'exit code 1' }, english);
  assert.equal(stopped.command, commandId('restartServer'));
  assert.match(stopped.tooltip, /exit code 1/);
  assert.equal(stopped.background, null);
});

test('the tooltip breaks the month down and offers the next step of what is missing', () => {
  const { tooltip } = view({
    missing: [{ what: 'key', message: 'Without a key all stays local.', nextStep: 'set_key' }],
  });
  assert.match(tooltip, /\| cloud \| \u200311 \| \u2003\\\$3\.12 \| \u2003\\\$0\.90 \|/);
  assert.match(
    tooltip,
    /\\\$0\.40 of \\\$1 spent in this workspace this month; .+\n\\\$3\.12 of \\\$20 spent/,
  );
  assert.match(tooltip, /\[Enter a Key\]\(command:costAwareRouter\.setKey\)/);
});

test('every link of the tooltip is one that may be run, and every such command exists', () => {
  const steps = ['download_model', 'set_key', 'refresh_prices', 'show_log'] as const;
  const { tooltip } = view({
    missing: steps.map((nextStep) => ({ what: 'model', message: 'Missing.', nextStep })),
  });
  const links = [...tooltip.matchAll(/\(command:([^)]+)\)/g)].map(([, name = '']) => name);
  assert.equal(links.length, 7);
  for (const link of links) assert.ok(STATUS_LINKS.includes(link), link);
  const known = [...COMMAND_NAMES.map(commandId), 'workbench.trust.manage'];
  for (const link of STATUS_LINKS) assert.ok(known.includes(link), link);
});

test('a text of the server stays text', () => {
  const { tooltip } = view({
    lastReason: '[run](command:workbench.action.quit) | $(bug) <b>x</b> ![i](https://x.test/i)',
  });
  assert.ok(!/[^\\]\]\(command:workbench/.test(tooltip));
  assert.ok(!/[^\\]!\[/.test(tooltip));
  assert.ok(tooltip.includes('\\<b\\>'));
});
