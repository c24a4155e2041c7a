/** One call of the command line from its arguments to its exit code; the process and the tests both come in here. */
import { CommanderError } from 'commander';
import { exitCodes } from './exitCodes.ts';
import { type CliIo, writeLine } from './io.ts';
import { createProgram } from './program.ts';
import { badInput } from './session.ts';

/** What a person has named and can mend: files of models and prices, and the folder of data. */
const INPUT_ERRORS: ReadonlySet<string> = new Set(['CatalogueError', 'DataFolderError']);

/** @param argv the arguments alone, without the program */
export async function runCli(argv: readonly string[], io: CliIo): Promise<number> {
  let code: number = exitCodes.ok;
  const program = createProgram(io, (ended) => {
    code = ended;
  });
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return code;
  } catch (error) {
    // commander has written its own message; help that was asked for is no mistake.
    if (error instanceof CommanderError)
      return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    if (error instanceof Error && INPUT_ERRORS.has(error.name)) {
      return await badInput(io, error.message);
    }
    const message = error instanceof Error ? error.message : String(error);
    await writeLine(io.stderr, `internal error: ${message}`);
    const { COST_AWARE_ROUTER_DEBUG } = io.env;
    if (COST_AWARE_ROUTER_DEBUG && error instanceof Error && error.stack) {
      await writeLine(io.stderr, error.stack);
    }
    return exitCodes.internal;
  }
}
