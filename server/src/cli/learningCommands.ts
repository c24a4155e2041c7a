/** The commands that measure and learn: registered apart, so that `program.ts` stays a list. */
import { Argument, type Command } from 'commander';
import { type Verdict, verdicts } from '../core/routeReports.ts';
import type { CalibrateFlags } from './calibrate.ts';
import { questions, share, usd } from './flagValues.ts';
import type { LearningFlags } from './learning.ts';
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
    .option('--limit <questions>', 'ask only so many of the questions, at least 30', questions)
    .option('--fresh', 'ask everything again, also what was answered before')
    .option('--measure-cloud', 'ask the cloud model too; needs --max-cost-usd')
    .option('--max-cost-usd <usd>', 'the most that measuring the cloud model may cost', usd)
    .option('--show', 'show the calibration in force and change nothing')
    .option('--rollback', 'take the last calibration back')
    .option('--json', 'print one JSON object')
    .action((model: string | undefined, flags: CalibrateFlags) =>
      run(async (session) => (await import('./calibrate.ts')).calibrate(session, model, flags)),
    );
  program
    .command('outcome')
    .description('say how an answer turned out, so that later ones are routed better')
    .argument('<prompt-id>', 'the id of the answer, as ask --json prints it')
    .addArgument(new Argument('<verdict>', 'what came of it').choices(verdicts))
    .action((promptId: string, verdict: Verdict) =>
      run(async (session) => (await import('./learning.ts')).outcome(session, promptId, verdict)),
    );
  const learning = program.command('learning').description('what outcomes have taught');
  learning
    .command('status')
    .description('show what was learned of each model, and how far its share has moved')
    .option('--json', 'print one JSON object')
    .action((flags: LearningFlags) =>
      run(async (session) => (await import('./learning.ts')).learningStatus(session, flags)),
    );
  learning
    .command('rollback')
    .description('forget the newest outcomes; all of them without --last')
    .option('--last <outcomes>', 'forget only so many', questions)
    .action((flags: LearningFlags) =>
      run(async (session) => (await import('./learning.ts')).learningRollback(session, flags)),
    );
}
