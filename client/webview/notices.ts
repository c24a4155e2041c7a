/** Empty and broken states: one sentence and one next step each. */
import type { NextStep, StatusWire } from '../../server/src/protocol.ts';
import type { PageCommand } from '../src/webviewMessages.ts';
import { button, el } from './dom.ts';
import type { RunCommand } from './modelCards.ts';
import { t } from './strings.ts';

export interface ServerState {
  readonly state: 'starting' | 'running' | 'stopped';
  readonly message: string;
}

export function notices(
  server: ServerState,
  status: StatusWire | null,
  run: RunCommand,
): readonly HTMLElement[] {
  if (server.state === 'stopped') {
    return [
      notice(
        server.message || t('The router is not running.'),
        [
          { text: t('Start it'), command: 'restart_server' },
          { text: t('Show log'), command: 'show_log' },
        ],
        run,
      ),
    ];
  }
  if (server.state === 'starting') return [notice(server.message || t('Starting…'), [], run)];
  if (!status) return [];
  const missing = status.missing.map((entry) =>
    notice(entry.message, [{ text: stepText(entry.nextStep), command: entry.nextStep }], run),
  );
  const spent =
    status.level === 'exhausted'
      ? [
          notice(
            t('The budget is used up: {0}', status.usedUp),
            [{ text: t('Raise the budget'), command: 'raise_budget' }],
            run,
          ),
        ]
      : [];
  const locked = status.locked.map((line) => notice(line, [], run, 'locked'));
  return [...locked, ...missing, ...spent, ...status.notices.map((line) => notice(line, [], run))];
}

/** Shown where a whole month has no answers. */
export function firstQuestion(run: RunCommand): HTMLElement {
  return notice(
    t('No answers in this month yet.'),
    [{ text: t('Ask a question'), command: 'ask' }],
    run,
  );
}

export function stepText(step: NextStep): string {
  switch (step) {
    case 'download_model':
      return t('Download a model');
    case 'choose_model':
      return t('Choose a model');
    case 'set_key':
      return t('Enter a key');
    case 'raise_budget':
      return t('Raise the budget');
    case 'refresh_prices':
      return t('Refresh prices');
    case 'show_log':
      return t('Show log');
    case 'trust_workspace':
      return t('Manage trust');
  }
}

function notice(
  text: string,
  steps: readonly { readonly text: string; readonly command: PageCommand }[],
  run: RunCommand,
  kind: 'plain' | 'locked' = 'plain',
): HTMLElement {
  return el('div', { class: kind === 'locked' ? 'notice locked' : 'notice' }, [
    el('p', { text: kind === 'locked' ? `🔒 ${text}` : text }),
    ...steps.map((step, index) =>
      button(step.text, () => run(step.command, null), { primary: index === 0 }),
    ),
  ]);
}
