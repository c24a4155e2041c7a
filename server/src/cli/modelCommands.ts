/** The commands about models and their flags. */
import type { Command } from 'commander';
import type { AddModelFlags } from './addModel.ts';
import type { DiscoverFlags } from './discover.ts';
import { port } from './flagValues.ts';
import type { Session } from './session.ts';

export function addModels(
  program: Command,
  run: (command: (session: Session) => Promise<number>) => Promise<void>,
): void {
  const models = program.command('models').description('the models that answer');
  models
    .command('list')
    .description('show every model, its state, price and speed')
    .action(() => run(async (session) => (await import('./models.ts')).listModels(session)));
  models
    .command('download')
    .description("fetch and check a local model's file")
    .argument('<id>', 'the id of a local model')
    .action((id: string) =>
      run(async (session) => (await import('./models.ts')).downloadModel(session, id)),
    );
  models
    .command('add')
    .description('take a GGUF file of your own into the registry, measure and calibrate it')
    .argument('<file>', 'the GGUF file; it is copied')
    .option('--id <id>', "what to call it; the file's name when left out")
    .option('--calibrate', 'calibrate it even where it is too small to be useful')
    .option('--no-calibrate', 'leave the calibration out')
    .action((file: string, flags: AddModelFlags) =>
      run(async (session) => (await import('./addModel.ts')).addModelFile(session, file, flags)),
    );
  models
    .command('discover')
    .description('look for Ollama, llama.cpp, vLLM and LiteLLM on this machine')
    .option('--add', 'take what is found into the registry, as models of the cheap tier')
    .option('--port <port>', 'look at this port alone', port)
    .action((flags: DiscoverFlags) =>
      run(async (session) => (await import('./discover.ts')).discover(session, flags)),
    );
  models
    .command('probe')
    .description('measure how fast a local model is on this machine')
    .argument('[id]', 'the id of a local model; the cheap one when left out')
    .action((id: string | undefined) =>
      run(async (session) => (await import('./models.ts')).probeModel(session, id)),
    );
  models
    .command('refresh-prices')
    .description('bring pricing.yaml up to date; old rows stay')
    .action(() =>
      run(async (session) => (await import('./models.ts')).refreshModelPrices(session)),
    );
}
