/** The commands and their flags. What a command does is loaded when it is called, so that `--help` stays quick. */
import { Command, Option } from 'commander';
import type { AskFlags } from './ask.ts';
import { addBench } from './benchCommands.ts';
import { addCorpus } from './corpusCommands.ts';
import { addEval } from './evalCommands.ts';
import { exitCodesHelp } from './exitCodes.ts';
import {
  milliseconds,
  milliwatts,
  month,
  patterns,
  port,
  share,
  threads,
  usd,
  usdOrNone,
} from './flagValues.ts';
import { type CliIo, widthOf } from './io.ts';
import { addLearning } from './learningCommands.ts';
import { addLedger } from './ledgerCommands.ts';
import type { CompareFlags } from './ledgerCompare.ts';
import { addModels } from './modelCommands.ts';
import type { RouteFlags } from './route.ts';
import type { ServeFlags } from './serve.ts';
import type { GlobalFlags, Session } from './session.ts';
import type { SpendFlags } from './spend.ts';
import type { StatementFlags } from './statement.ts';
import { addTrain } from './trainCommands.ts';
import type { WhatIfFlags } from './whatIf.ts';

/** @param ends told of the exit code of the command that was called */
export function createProgram(io: CliIo, ends: (code: number) => void): Command {
  const program = new Command('cost-aware-router');
  const run = async (command: (session: Session) => Promise<number>) => {
    ends(await command({ io, flags: globalFlags(program, io) }));
  };
  program
    .description(
      'Answers with the cheapest plan that is good enough, holds the worst case of each call against your limit, and always says why.',
    )
    .version(io.version)
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      getOutHelpWidth: () => widthOf(io.stdout),
      getErrHelpWidth: () => widthOf(io.stderr),
    })
    .exitOverride()
    .showSuggestionAfterError(true)
    .addHelpText('after', exitCodesHelp)
    .addHelpText('afterAll', ({ command }) =>
      command.parent === null
        ? ''
        : '\nFlags of every command (data folder, budget, models, ...): cost-aware-router --help',
    );
  for (const { option } of globalOptions()) program.addOption(option);

  program
    .command('demo')
    .description('route a few prompts, easy and hard, and show what each cost and why')
    .action(() => run(async (session) => (await import('./demo.ts')).demo(session)));

  program
    .command('ask')
    .description('answer one prompt; - or a pipe reads it from stdin')
    .argument('[prompt]', 'what to ask')
    .option('--max-cost-usd <usd>', 'the most that this answer may cost', usd)
    .option('--max-latency-ms <ms>', 'how long the answer may be expected to take', milliseconds)
    .option('--min-quality <share>', 'the chance of a good answer to aim for, 0 to 1', share)
    .addOption(
      new Option('--force <where>', 'the tier that answers, whatever the score says').choices([
        'cheap',
        'openai',
      ]),
    )
    .option('--model <id>', 'the model that answers, whatever the score says')
    .option('--local-only', 'let nothing of this prompt leave this machine')
    .option(
      '--file <path>',
      'a file as context, or lines of it (PATH:10-20); may be repeated; - reads stdin',
      repeated,
      [],
    )
    .option('--diff [commit]', 'the changes since a commit as context; HEAD when left out')
    .option('--no-cache', 'ask again although the same answer is kept')
    .option('--json', 'print one JSON object and nothing else on stdout')
    .option('--dry-run', 'decide and show the route; generate and spend nothing')
    .option('--show-request', 'with --dry-run: show exactly what would be sent off this machine')
    .action((prompt: string | undefined, flags: AskFlags) =>
      run(async (session) => (await import('./ask.ts')).ask(session, prompt, flags)),
    );

  program
    .command('route')
    .description('decide for every line {"prompt": ...} of a file; generates and spends nothing')
    .requiredOption('--jsonl <file>', 'one JSON object a line; - reads stdin')
    .option('--cheap <id>', 'the model of the cheap tier')
    .option('--escalation <id>', 'the model of the escalation tier')
    .addOption(
      new Option('--strategy <name>', 'how to score a prompt').choices([
        'fitted',
        'table',
        'length',
        'keywords',
        'random',
      ]),
    )
    .action((flags: RouteFlags) =>
      run(async (session) => (await import('./route.ts')).route(session, flags)),
    );

  program
    .command('serve')
    .description('serve the REST API until Ctrl-C')
    .option('--port <port>', 'the port to listen on, 0 for any free one', port, 5000)
    .option('--host <host>', 'the address to listen on', '127.0.0.1')
    .option('--no-auth', 'ask for no token; for a local trial only')
    .option('--allow-remote', 'allow an address that other machines can reach')
    .option(
      '--allow-host <name>',
      'a further name that clients reach this server by; may be repeated',
      repeated,
      [],
    )
    .option('--metrics', 'count for Prometheus: GET /metrics, behind the token')
    .option(
      '--traces',
      'send OpenTelemetry spans, without any text of prompts, to OTEL_EXPORTER_OTLP_ENDPOINT',
    )
    .action((flags: ServeFlags) =>
      run(async (session) => (await import('./serve.ts')).serve(session, flags)),
    );

  program
    .command('whatif')
    .description('what past prompts would have cost with this router; spends nothing')
    .argument('<path>', "a log of prompts, a folder of such logs, or OpenAI's usage export")
    .option('--json', 'print one JSON object')
    .action((path: string, flags: WhatIfFlags) =>
      run(async (session) => (await import('./whatIf.ts')).whatIf(session, path, flags)),
    );

  program
    .command('mcp')
    .description('offer estimate_cost and get_budget to agents, over stdin and stdout (MCP)')
    .action(() => run(async (session) => (await import('./mcp.ts')).mcp(session)));

  program
    .command('spend')
    .description("show this month's spend and savings")
    .option('--json', 'print one JSON object')
    .action((flags: SpendFlags) =>
      run(async (session) => (await import('./spend.ts')).spend(session, flags)),
    );

  addEval(program, run);
  addBench(program, run);
  addAccounts(program, run);
  addLedger(program, run);
  addModels(program, run);
  addLearning(program, run);
  addTrain(program, run);
  addCorpus(program, run);
  program
    .command('cache')
    .description('kept answers')
    .command('clear')
    .description('forget all kept answers')
    .action(() => run(async (session) => (await import('./cacheClear.ts')).cacheClear(session)));
  return program;
}

function addAccounts(
  program: Command,
  run: (command: (session: Session) => Promise<number>) => Promise<void>,
): void {
  program
    .command('statement')
    .description("a month's account, held against the ledger to the nano-dollar")
    .option('--month <month>', 'a UTC month such as 2026-11; the current one when left out', month)
    .addOption(
      new Option('--format <format>', 'how to print it')
        .choices(['text', 'csv', 'json'])
        .default('text'),
    )
    .option('--watts <watts>', 'what this machine draws while a local model answers', milliwatts)
    .option('--usd-per-kwh <usd>', 'the price of electricity', usd)
    .action((flags: StatementFlags) =>
      run(async (session) => (await import('./statement.ts')).statement(session, flags)),
    );
  program
    .command('ledger')
    .description('the record of all money')
    .command('compare')
    .description("hold our record against OpenAI's own, given as a file")
    .requiredOption(
      '--usage <file>',
      'replies of /v1/organization/costs or usage/completions, or a CSV of the usage page',
    )
    .option('--project <id>', 'only their rows of this project')
    .option('--api-key-id <id>', 'only their rows of this key')
    .option('--json', 'print one JSON object')
    .action((flags: CompareFlags) =>
      run(async (session) => (await import('./ledgerCompare.ts')).ledgerCompare(session, flags)),
    );
}

function repeated(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

interface GlobalOption {
  readonly option: Option;
  readonly variable: string;
}

function globalOptions(): readonly GlobalOption[] {
  const twin = (name: string) => `COST_AWARE_ROUTER_${name}`;
  const described = (flags: string, text: string, variable: string) =>
    new Option(flags, `${text} (env: ${variable})`);
  return [
    {
      variable: twin('DATA_DIR'),
      option: described(
        '--data-dir <folder>',
        'where the ledger, the cache and models are kept',
        twin('DATA_DIR'),
      ),
    },
    {
      variable: twin('MODELS_DIR'),
      option: described(
        '--models-dir <folder>',
        'where model files are kept; models in the data folder when left out',
        twin('MODELS_DIR'),
      ),
    },
    {
      variable: twin('REGISTRY'),
      option: described(
        '--registry <file>',
        'the models, in place of the shipped registry.yaml',
        twin('REGISTRY'),
      ),
    },
    {
      variable: twin('PRICING'),
      option: described(
        '--pricing <file>',
        'the prices, in place of the shipped pricing.yaml',
        twin('PRICING'),
      ),
    },
    {
      variable: twin('LEDGER'),
      option: described(
        '--ledger <url>',
        "a team's ledger, postgres://...; a password belongs in the variable, where other programs can't read it",
        twin('LEDGER'),
      ),
    },
    {
      variable: twin('MONTHLY_BUDGET_USD'),
      option: described(
        '--monthly-budget-usd <usd>',
        'the most to spend in a month; none lifts the limit of 20',
        twin('MONTHLY_BUDGET_USD'),
      ).argParser(usdOrNone),
    },
    {
      variable: twin('EXCLUDE'),
      option: described(
        '--exclude <patterns>',
        'files that never leave this machine: patterns as in .gitignore, separated by commas',
        twin('EXCLUDE'),
      ).argParser(patterns),
    },
    {
      variable: twin('AUDIT_SHARE'),
      option: described(
        '--audit-share <share>',
        'the share of local answers, 0 to 1, that the baseline is asked, too, to measure the quality kept; costs money; 0 when left out',
        twin('AUDIT_SHARE'),
      ).argParser(share),
    },
    {
      variable: twin('THREADS'),
      option: described(
        '--threads <count>',
        'threads of the local model',
        twin('THREADS'),
      ).argParser(threads),
    },
  ];
}

/** A flag wins over its twin. The environment comes from `io`, not from the process, so commander's own `env` is no use. */
function globalFlags(program: Command, io: CliIo): GlobalFlags {
  for (const { option, variable } of globalOptions()) {
    const name = option.attributeName();
    const value = io.env[variable];
    if (program.getOptionValue(name) !== undefined || value === undefined || value === '') continue;
    program.setOptionValue(name, readTwin(option, variable, value, program));
  }
  return program.opts();
}

function readTwin(option: Option, variable: string, value: string, program: Command): unknown {
  if (option.parseArg === undefined) return value;
  try {
    return option.parseArg(value, undefined);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return program.error(`error: ${variable}='${value}' is invalid. ${error.message}`);
  }
}
