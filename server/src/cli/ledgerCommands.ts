/** The commands of `ledger` and their flags. */
import { type Command, Option } from 'commander';
import type { ClockFlags, ExportFlags, RebuildFlags, VerifyFlags } from './ledger.ts';
import type { Session } from './session.ts';

export function addLedger(
  program: Command,
  run: (command: (session: Session) => Promise<number>) => Promise<void>,
): void {
  const ledger =
    program.commands.find((command) => command.name() === 'ledger') ??
    program.command('ledger').description('the record of all money');
  ledger
    .command('verify')
    .description('check the whole record against itself: pages, hash chain, states and counters')
    .option('--json', 'print one JSON object')
    .action((flags: VerifyFlags) =>
      run(async (session) => (await import('./ledger.ts')).verifyLedger(session, flags)),
    );
  ledger
    .command('export')
    .description('print every event, in order')
    .addOption(
      new Option('--format <format>', 'how to print them')
        .choices(['jsonl', 'csv'])
        .default('jsonl'),
    )
    .option('--out <file>', 'write a new file instead')
    .action((flags: ExportFlags) =>
      run(async (session) => (await import('./ledger.ts')).exportLedger(session, flags)),
    );
  ledger
    .command('rebuild')
    .description('begin a new ledger with all that is known of a damaged or lost one')
    .option('--dry-run', 'show what would be taken from where; change nothing')
    .action((flags: RebuildFlags) =>
      run(async (session) => (await import('./ledger.ts')).rebuildLedger(session, flags)),
    );
  ledger
    .command('unfreeze')
    .description('let a model be called again whose bill passed its bound')
    .argument('<model>', 'the id of the model')
    .action((modelId: string) =>
      run(async (session) => (await import('./ledger.ts')).unfreezeModel(session, modelId)),
    );
  ledger
    .command('clock')
    .description('show which time budgets go by')
    .option('--accept', 'confirm that the clock of this machine is right')
    .action((flags: ClockFlags) =>
      run(async (session) => (await import('./ledger.ts')).ledgerClock(session, flags)),
    );
}
