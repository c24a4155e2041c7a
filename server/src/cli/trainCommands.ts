/** The commands of training and their flags. */
import type { Command } from 'commander';
import type { Session } from './session.ts';
import type { TrainFlags } from './train.ts';

export function addTrain(
  program: Command,
  run: (command: (session: Session) => Promise<number>) => Promise<void>,
): void {
  program
    .command('train')
    .description('train a language model from shards, by a configuration such as configs/tiny.json')
    .option('--config <file>', 'the configuration')
    .option('--resume', 'go on from the latest checkpoint')
    .option('--json', 'print one JSON object at the end')
    .action((flags: TrainFlags) =>
      run(async (session) => (await import('./train.ts')).train(session, flags)),
    );
}
