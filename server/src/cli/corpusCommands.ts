/** The commands around training, before and after it, and their flags. */
import { type Command, Option } from 'commander';
import type { PrepareFlags, TokenizerFlags } from './corpus.ts';
import type { ExportModelFlags } from './exportModel.ts';
import { share, sizeFrom } from './flagValues.ts';
import type { Session } from './session.ts';

export function addCorpus(
  program: Command,
  run: (command: (session: Session) => Promise<number>) => Promise<void>,
): void {
  const train =
    program.commands.find((command) => command.name() === 'train') ??
    program.command('train').description('train a language model of your own');
  train
    .command('tokenizer')
    .description('learn the pieces of words that texts are cut into')
    .requiredOption('--input <files...>', 'texts in UTF-8')
    .requiredOption('--vocab-size <count>', 'how many pieces', sizeFrom(2))
    .option('--out <file>', 'a SentencePiece model file', 'artifacts/tokenizer/llm_spm.model')
    .addOption(
      new Option('--type <type>', 'unigram can be trained and evaluated, not exported')
        .choices(['bpe', 'unigram'])
        .default('bpe'),
    )
    .action((flags: TokenizerFlags) =>
      run(async (session) => (await import('./corpus.ts')).trainTokenizerFile(session, flags)),
    );
  train
    .command('prepare')
    .description('cut texts into training sequences')
    .requiredOption('--input <files...>', 'texts in UTF-8, each one document')
    .requiredOption('--tok <file>', 'the tokenizer, a SentencePiece model file')
    .option('--out <folder>', 'where train_*.npz and val_*.npz go', 'data/shards')
    .option('--seq-len <tokens>', 'tokens of a sequence; 128 when left out', sizeFrom(2))
    .option('--config <file>', 'take the length of a sequence from this configuration')
    .option('--val-share <share>', 'of the sequences, kept for validation', share, 0.05)
    // `train` has a --config of its own, which takes what is meant for this one.
    .action((_flags: unknown, command: Command) =>
      run(async (session) =>
        (await import('./corpus.ts')).prepareCorpus(
          session,
          command.optsWithGlobals<PrepareFlags>(),
        ),
      ),
    );
  program
    .command('export')
    .description('write a checkpoint as a GGUF file')
    .requiredOption('--ckpt <path>', 'a checkpoint, or the merged model of a fine-tuning')
    .option('--out <file>', 'the file to write', 'model.gguf')
    .option('--tok <file>', 'its tokenizer; tokenizer.model in the checkpoint when left out')
    .option('--name <name>', 'what the file calls the model; its file name when left out')
    .addOption(
      new Option('--type <type>', 'of the weights').choices(['f32', 'f16', 'q8_0']).default('f16'),
    )
    .action((flags: ExportModelFlags) =>
      run(async (session) => (await import('./exportModel.ts')).exportModel(session, flags)),
    );
}
