/** The commands of `eval` and their flags. */
import type { Command } from 'commander';
import type { EvalCascadeFlags } from './evalCascade.ts';
import type { EvalRouterFlags } from './evalRouter.ts';
import type { EvalFlags } from './evaluate.ts';
import { sizeFrom, usd } from './flagValues.ts';
import type { Session } from './session.ts';

export function addEval(
  program: Command,
  run: (command: (session: Session) => Promise<number>) => Promise<void>,
): void {
  const evaluation = program
    .command('eval')
    .description('measure a model on texts, or how well prompts are routed');
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
  evaluation
    .command('cascade')
    .description('ask the local model prompts with an answer key, and judge the gate and cascade')
    .argument('[model]', 'the id of a local model, or a GGUF file; the cheap model when left out')
    .requiredOption('--data <file>', 'a .jsonl file of prompts with answer keys; - reads stdin')
    .option('--max-cost-usd <usd>', "pay for the cloud's answers too, up to this much", usd)
    .option('--json', 'print one JSON object')
    .action((model: string | undefined, flags: EvalCascadeFlags) =>
      run(async (session) => (await import('./evalCascade.ts')).evalCascade(session, model, flags)),
    );
  evaluation
    .command('text', { isDefault: true })
    .description(
      'perplexity of texts by a checkpoint or a GGUF file: the lower, the better foreseen',
    )
    .requiredOption('--ckpt <path>', 'a checkpoint, or a GGUF file')
    .requiredOption('--input <files...>', 'texts in UTF-8')
    .option('--tok <file>', 'the tokenizer; a GGUF file has its own')
    .option(
      '--window <tokens>',
      'what the model sees at once; its context when left out',
      sizeFrom(1),
    )
    .option('--stride <tokens>', 'how far the window moves; half of it when left out', sizeFrom(1))
    .option('--per-token', 'the loss of every token, too')
    .option('--json', 'print one JSON object')
    .action((flags: EvalFlags) =>
      run(async (session) => (await import('./evaluate.ts')).evaluateModel(session, flags)),
    );
}
