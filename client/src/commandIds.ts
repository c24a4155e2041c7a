/** Names of all commands of the extension. A type-checked table in commands.ts gives each its handler. */
import type { NextStep } from '../../server/src/protocol.ts';

const COMMAND_PREFIX = 'costAwareRouter.';

/** Commands that a person finds in the palette, a menu or a link. */
export const COMMAND_NAMES = [
  'ask',
  'askAboutSelection',
  'showRequest',
  'explain',
  'findProblems',
  'writeTest',
  'document',
  'askBigger',
  'keepExplanation',
  'dismissExplanation',
  'thumbsUp',
  'thumbsDown',
  'replyToExplanation',
  'openDashboard',
  'openDashboardTab',
  'setKey',
  'clearKey',
  'testKey',
  'chooseModel',
  'downloadModel',
  'useOwnModel',
  'calibrateModel',
  'rollbackCalibration',
  'export',
  'whatIf',
  'openSettings',
  'openBudget',
  'openWalkthrough',
  'trainModel',
  'openTrainingGuide',
  'trySample',
  'stayLocal',
  'showLastRoute',
  'showLog',
  'showHistory',
  'clearHistory',
  'refreshPrices',
  'restartServer',
  'cancel',
  'nextDestination',
] as const;

export type CommandName = (typeof COMMAND_NAMES)[number];

export function commandId(name: CommandName): string {
  return COMMAND_PREFIX + name;
}

/** What the server or a page suggests to do next, as one of our commands; `null` where VS Code itself has it. */
const STEP_COMMANDS: Readonly<Record<NextStep, CommandName | null>> = {
  download_model: 'downloadModel',
  choose_model: 'chooseModel',
  set_key: 'setKey',
  raise_budget: 'openBudget',
  refresh_prices: 'refreshPrices',
  show_log: 'showLog',
  trust_workspace: null,
};

/** VS Code's own command for the one step that is not ours. */
const TRUST_COMMAND = 'workbench.trust.manage';

export function stepCommand(step: NextStep): string {
  const name = STEP_COMMANDS[step];
  return name === null ? TRUST_COMMAND : commandId(name);
}
