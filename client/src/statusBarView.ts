/** What the status bar shows, as data: pure, from the server's own texts. */
import { withoutAddresses } from '../../server/src/inertMarkdown.ts';
import type { NextStep, StatusWire } from '../../server/src/protocol.ts';
import { commandId, stepCommand } from './commandIds.ts';
import type { ServerState } from './server.ts';
import type { Translate } from './translate.ts';

export interface StatusBarView {
  readonly text: string;
  readonly background: 'statusBarItem.warningBackground' | 'statusBarItem.errorBackground' | null;
  readonly command: string;
  /** Markdown whose only links are commands of `STATUS_LINKS`. */
  readonly tooltip: string;
  readonly spoken: string;
}

/** The only commands that a link in the tooltip may run. */
export const STATUS_LINKS: readonly string[] = [
  commandId('openDashboard'),
  commandId('openBudget'),
  commandId('showLastRoute'),
  commandId('showLog'),
  commandId('restartServer'),
  ...(
    ['download_model', 'choose_model', 'set_key', 'refresh_prices', 'trust_workspace'] as const
  ).map(stepCommand),
];

export function statusBarView(
  status: StatusWire | null,
  server: ServerState,
  t: Translate,
): StatusBarView {
  if (server.kind === 'stopped') {
    return plain(
      `$(circuit-board) ${t('router stopped')}`,
      commandId('restartServer'),
      [
        t('The router is not running ({0}).', escaped(server.cause)),
        `${link(t('Start it'), commandId('restartServer'))} · ${link(t('Show log'), commandId('showLog'))}`,
      ].join('\n\n'),
      t('Cost-Aware Router is not running. Activate to start it.'),
    );
  }
  if (status === null) {
    const waiting = t('The router is starting.');
    return plain(`$(sync~spin) ${t('router')}`, commandId('showLog'), waiting, waiting);
  }
  return {
    text: textOf(status, t),
    background: backgroundOf(status.level),
    command: commandId(needsSetUp(status, t) ? 'openWalkthrough' : 'openDashboard'),
    tooltip: tooltipOf(status, t),
    spoken: t(
      'Cost-Aware Router: {0}',
      [status.text, levelWord(status.level, t)].filter(Boolean).join(', '),
    ),
  };
}

/** The server's words, from the same translations, for a router that has neither a model nor a key. */
function needsSetUp(status: StatusWire, t: Translate): boolean {
  return status.text === t('set up');
}

function textOf(status: StatusWire, t: Translate): string {
  const { running } = status;
  if (running?.tier === 'local') return `$(sync~spin) ${t('local')}`;
  if (running?.tier === 'cloud') return `$(cloud-upload) ${running.model}`;
  switch (status.text) {
    case 'starting':
      return `$(sync~spin) ${t('router')}`;
    default:
      return `$(circuit-board) ${status.text}`;
  }
}

function backgroundOf(level: StatusWire['level']): StatusBarView['background'] {
  switch (level) {
    case 'normal':
      return null;
    case 'pacing':
      return 'statusBarItem.warningBackground';
    case 'exhausted':
      return 'statusBarItem.errorBackground';
  }
}

function levelWord(level: StatusWire['level'], t: Translate): string {
  switch (level) {
    case 'normal':
      return '';
    case 'pacing':
      return t('close to the budget');
    case 'exhausted':
      return t('budget used up, local only');
  }
}

function tooltipOf(status: StatusWire, t: Translate): string {
  const served = { local: t('local'), cloud: t('cloud'), cache: t('cached') };
  // VS Code draws tables without room between their columns, so each cell after the first brings its own.
  const line = (...cells: readonly (string | number)[]) => `| ${cells.join(' | \u2003')} |`;
  const rows = status.rows.map((row) =>
    line(served[row.served], row.answers, escaped(row.spent), escaped(row.saved)),
  );
  return [
    `**${escaped(status.text)}**`,
    [line('', t('answers'), t('spent'), t('saved')), '| :-- | --: | --: | --: |', ...rows].join(
      '\n',
    ),
    status.budgets.length === 0 ? t('No budget is set.') : status.budgets.map(escaped).join('  \n'),
    t('Prices as of {0}.', escaped(status.pricesAsOf)),
    status.lastReason === '' ? '' : t('Last answer: {0}', escaped(status.lastReason)),
    ...status.missing.map(
      ({ message, nextStep }) =>
        `$(info) ${escaped(message)} ${link(stepLabel(nextStep, t), stepCommand(nextStep))}`,
    ),
    ...status.locked.map((sentence) => `$(lock) ${escaped(sentence)}`),
    ...status.notices.map((notice) => `$(warning) ${escaped(notice)}`),
    [
      link(t('Dashboard'), commandId('openDashboard')),
      link(t('Budget'), commandId('openBudget')),
      ...(status.lastReason === ''
        ? []
        : [link(t('Why did the last answer go there?'), commandId('showLastRoute'))]),
    ].join(' · '),
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

export function stepLabel(step: NextStep, t: Translate): string {
  switch (step) {
    case 'download_model':
      return t('Download a Model');
    case 'choose_model':
      return t('Choose a Model');
    case 'set_key':
      return t('Enter a Key');
    case 'raise_budget':
      return t('Change the Budget');
    case 'refresh_prices':
      return t('Refresh Prices');
    case 'show_log':
      return t('Show Log');
    case 'trust_workspace':
      return t('Manage Trust');
  }
}

function plain(text: string, command: string, tooltip: string, spoken: string): StatusBarView {
  return { text, background: null, command, tooltip, spoken };
}

function link(label: string, command: string): string {
  return `[${label}](command:${command})`;
}

/** A text of the server as literal Markdown: no link, no table border, no icon can come out of it. */
export function escaped(text: string): string {
  const literal = text.replaceAll(/\s+/g, ' ').replaceAll(/[\\`*_{}[\]()#+!|<>$~&-]/g, '\\$&');
  return withoutAddresses(literal);
}
