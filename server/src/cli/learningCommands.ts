/** The commands that measure and learn: registered apart, so that `program.ts` stays a list. */
import type { Command } from 'commander';
import type { CalibrateFlags } from './calibrate.ts';
import { questions, share, usd } from './flagValues.ts';
import type { Session } from './session.ts';

type Run = (command: (session: Session) => Promise<number>) => Promise<void>;

export function addLearning(program: Command, run: Run): void {
  program
    .command('calibrate')
    .description('measure a local model on this machine and fit its gate and threshold to it')
    .argument('[model]', 'the id of a local model, or a GGUF file; the cheap model when left out')
    .option('--keep <share>', "the share of the cloud model's quality to keep, 0 to 1", share)
    .option(
      '--escalate <share>',
      'the share that may end in the cloud, 0 to 1; 0.5 when left out',
      share,
    )
    .option('--limit <questions>', 'ask only so many of the questions', questions)
    .option('--fresh', 'ask everything again, also what was answered before')
    .option('--measure-cloud', 'ask the cloud model too; needs --max-cost-usd')
    .option('--max-cost-usd <usd>', 'the most that measuring the cloud model may cost', usd)
    .option('--show', 'show the calibration in force and change nothing')
    .option('--rollback', 'take the last calibration back')
    .option('--json', 'print one JSON object')
    .action((model: string | undefined, flags: CalibrateFlags) =>
      run(async (session) => (await import('./calibrate.ts')).calibrate(session, model, flags)),
    );
}
