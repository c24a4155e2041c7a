/** The commands of `eval` and their flags. */
import type { Command } from 'commander';
import type { EvalRouterFlags } from './evalRouter.ts';
import type { Session } from './session.ts';

export function addEval(
  program: Command,
  run: (command: (session: Session) => Promise<number>) => Promise<void>,
): void {
  const evaluation = program
    .command('eval')
    .description('measure how well prompts are routed, on data with known outcomes');
  evaluation
    .command('router')
    .description('judge the score beside random, length, keywords and the task table')
    .requiredOption('--data <path>', 'a .jsonl file of prompts with outcomes, or a folder of them')
    .option('--weak <id>', 'the cheap model: a column of the data, a model, or size:BILLIONS')
    .option('--strong <id>', 'the strong model, likewise')
    .option('--no-refit', 'leave out the cross-validated rows, which fit anew and take minutes')
    .option('--plots <folder>', 'write the recovery curves there, one SVG a data set')
    .option('--json', 'print one JSON object')
    .action((flags: EvalRouterFlags) =>
      run(async (session) => (await import('./evalRouter.ts')).evalRouter(session, flags)),
    );
}
