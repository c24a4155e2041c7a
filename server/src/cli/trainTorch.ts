/** `train --engine torch` and `train --lora`: runs of PyTorch, made ready here and drawn like those of the embedded engine. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { App } from '../compose.ts';
import type { TorchEvent } from '../training/torchRun.ts';
import { exitCodes } from './exitCodes.ts';
import { type CliIo, writeLine } from './io.ts';
import type { Progress } from './progress.ts';
import { badInput, type Session, withApp } from './session.ts';
import { withTraining } from './trainingSession.ts';

export interface TorchFlags {
  readonly config?: string;
  readonly resume?: boolean;
  readonly from?: string;
  /** Options of torchrun in one word, as a shell would split them. */
  readonly torchrun?: string;
  readonly lora?: string;
  readonly answers?: string;
  readonly loraOut?: string;
  readonly baseTok?: string;
  readonly merge?: boolean;
}

export async function trainTorch(session: Session, flags: TorchFlags): Promise<number> {
  const { io } = session;
  if (flags.lora !== undefined) return await fineTune(session, flags.lora, flags);
  if (flags.config === undefined) {
    return await badInput(io, 'expected --config with a file such as configs/15m.json, got none');
  }
  const config = resolve(io.cwd, flags.config);
  const args = [
    '--config',
    config,
    ...(flags.resume === true ? ['--resume'] : []),
    ...(flags.from === undefined ? [] : ['--from', resolve(io.cwd, flags.from)]),
  ];
  return await withTraining(io, async (progress) => {
    const { readTrainConfig } = await import('../training/config.ts');
    // A mistake in it is told before gigabytes are fetched.
    await readTrainConfig(config);
    const torchrun = flags.torchrun?.split(/\s+/).filter((part) => part !== '');
    return await runScript(session, progress, { script: 'train.py', args, torchrun });
  });
}

async function fineTune(session: Session, base: string, flags: TorchFlags): Promise<number> {
  const { io } = session;
  const folder = await mkdtemp(join(tmpdir(), 'cost-aware-router-answers-'));
  try {
    let answers = flags.answers === undefined ? undefined : resolve(io.cwd, flags.answers);
    if (answers === undefined) {
      answers = join(folder, 'answers.jsonl');
      const kept = await keptAnswers(session);
      if (kept.length === 0) {
        return await badInput(
          io,
          'expected kept answers to learn from, got none; turn history on (costAwareRouter.history.enabled), keep or praise answers for a while, or name a file with --answers',
        );
      }
      const lines = kept.map((row) => `${JSON.stringify(row)}\n`);
      await writeFile(answers, lines.join(''), { mode: 0o600 });
    }
    const inCwd = resolve(io.cwd, base);
    const { existsSync } = await import('node:fs');
    const args = [
      // What is no folder here is a name for the library to find.
      ...['--base', existsSync(inCwd) ? inCwd : base],
      ...['--data', answers],
      ...['--out', resolve(io.cwd, flags.loraOut ?? 'artifacts/lora')],
      ...(flags.baseTok === undefined ? [] : ['--tok', resolve(io.cwd, flags.baseTok)]),
      ...(flags.merge === true ? ['--merge'] : []),
    ];
    return await withTraining(io, (progress) =>
      runScript(session, progress, { script: 'lora.py', args }),
    );
  } finally {
    // It holds prompts.
    await rm(folder, { recursive: true, force: true });
  }
}

const LIKED: ReadonlySet<string> = new Set(['kept', 'up', 'good_enough']);
const DISLIKED: ReadonlySet<string> = new Set(['dismissed', 'down', 'asked_bigger']);

/** Questions and answers of the history that a person kept or praised, and did not reject as well. */
async function keptAnswers(
  session: Session,
): Promise<readonly { readonly prompt: string; readonly answer: string }[]> {
  const kept: { prompt: string; answer: string }[] = [];
  await withApp(session, async (app: App) => {
    for (const { promptId, question, answer } of app.history.all()) {
      const verdicts = (await app.reports.trace(promptId))?.verdicts ?? [];
      const liked = verdicts.some((one) => LIKED.has(one));
      if (liked && !verdicts.some((one) => DISLIKED.has(one)))
        kept.push({ prompt: question, answer });
    }
    return exitCodes.ok;
  });
  return kept;
}

interface Script {
  readonly script: 'train.py' | 'lora.py';
  readonly args: readonly string[];
  readonly torchrun?: readonly string[] | undefined;
}

async function runScript(
  { io, flags }: Session,
  progress: Progress,
  script: Script,
): Promise<number> {
  const { ensureTorch } = await import('../training/torchEnvironment.ts');
  const { runTorch } = await import('../training/torchRun.ts');
  const { signal } = io;
  const python = await ensureTorch({
    folder: await environmentFolder(io, flags.dataDir),
    python:
      io.env['COST_AWARE_ROUTER_PYTHON'] ?? (process.platform === 'win32' ? 'python' : 'python3'),
    onProgress: (step) => progress.show(step, undefined),
    signal,
  });
  progress.show('starting PyTorch', undefined);
  const lines: Promise<void>[] = [];
  const onEvent = (event: TorchEvent) => {
    if (event.type === 'failed') return;
    progress.clear();
    lines.push(writeLine(io.stdout, event.text));
    if (event.type === 'step') {
      progress.show(`loss ${event.loss.toFixed(3)}`, event.step / event.max_steps);
    }
  };
  const { stopped } = await runTorch({ ...script, python, cwd: io.cwd, onEvent, signal });
  await Promise.all(lines);
  return stopped ? exitCodes.cancelled : exitCodes.ok;
}

async function environmentFolder(io: CliIo, dataDir: string | undefined): Promise<string> {
  const named = io.env['COST_AWARE_ROUTER_TORCH_ENV'];
  if (named) return resolve(io.cwd, named);
  const { default: envPaths } = await import('env-paths');
  return join(dataDir ?? envPaths('cost-aware-router', { suffix: '' }).data, 'torch');
}
