/** The command `bench` and its flags. */
import type { Command } from 'commander';
import type { BenchModesFlags } from './benchModes.ts';
import { milliseconds, usd } from './flagValues.ts';
import type { Session } from './session.ts';

export function addBench(
  program: Command,
  run: (command: (session: Session) => Promise<number>) => Promise<void>,
): void {
  program
    .command('bench')
    .description('what routing brings on prompts of your own')
    .command('modes')
    .description('answer a file of prompts by the cheap model, by the cloud model, and routed')
    .argument('<file>', 'a .jsonl file of prompts, with answer keys where there are; - reads stdin')
    .requiredOption('--max-cost-usd <usd>', 'the most that all answers together may cost', usd)
    .option('--latency-ms <ms>', 'the latency target; routed prompts get it as limit', milliseconds)
    .option('--json', 'print one JSON object')
    .action((file: string, flags: BenchModesFlags) =>
      run(async (session) => (await import('./benchModes.ts')).benchModesOn(session, file, flags)),
    );
}
