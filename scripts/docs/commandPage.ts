// Every command with what `--help` says of it.
import type { Command } from 'commander';
import { fenced, type Page, page } from './markdown.ts';

/** Of the help, so that it fits a page; a terminal has its own. */
const COLUMNS = 96;

export function commandPage(program: Command): Page {
  const commands = everyCommand(program).map((command) =>
    [`## ${nameOf(command)}`, fenced(helpOf(command), 'text')].join('\n\n'),
  );
  return page('reference/commands.md', 'Commands', 'the `--help` of each command', [
    '[Command line](../CLI.md) tells what the output means and which exit codes there are.',
    ...commands,
  ]);
}

/** The program itself, then its commands in their order, each before its own. */
export function everyCommand(command: Command): readonly Command[] {
  return [command, ...command.commands.flatMap(everyCommand)];
}

export function nameOf(command: Command): string {
  return command.parent === null ? command.name() : `${nameOf(command.parent)} ${command.name()}`;
}

function helpOf(command: Command): string {
  let text = '';
  const before = command.configureOutput();
  command.configureOutput({
    ...before,
    writeOut: (part) => {
      text += part;
    },
    getOutHelpWidth: () => COLUMNS,
  });
  command.outputHelp();
  command.configureOutput(before);
  return text;
}
