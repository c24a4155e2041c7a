/** The commands of training and their flags. */
import { type Command, Option } from 'commander';
import type { Session } from './session.ts';
import type { TrainFlags } from './train.ts';
import type { TorchFlags } from './trainTorch.ts';

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
    .addOption(
      new Option('--engine <engine>', 'what computes; torch installs PyTorch at its first use')
        .choices(['embedded', 'torch'])
        .default('embedded'),
    )
    .option('--from <checkpoint>', 'torch: go on from this checkpoint of either engine')
    .option('--torchrun <options>', 'torch: several processes, such as "--nproc_per_node 2"')
    .option('--lora <base>', 'torch: fine-tune this model on your own kept answers')
    .option('--answers <file>', 'lora: {"prompt", "answer"} lines in place of the history')
    .option('--base-tok <file>', 'lora: the tokenizer of a base that was trained here')
    .option('--lora-out <folder>', 'lora: where the adapter goes; artifacts/lora when left out')
    .option('--merge', 'lora: write the merged model, too')
    .action((flags: TrainFlags & TorchFlags & { readonly engine: string }) =>
      run(async (session) =>
        flags.engine === 'torch' || flags.lora !== undefined
          ? await (await import('./trainTorch.ts')).trainTorch(session, flags)
          : await (await import('./train.ts')).train(session, flags),
      ),
    );
}
