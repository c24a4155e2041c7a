/** `eval`: how well a model foresees texts. */
import { availableParallelism } from 'node:os';
import { relative, resolve } from 'node:path';
import { defaultThreads } from '../core/threadChoice.ts';
import type { FileScore } from '../training/evaluate.ts';
import { exitCodes } from './exitCodes.ts';
import { printable, writeLine } from './io.ts';
import type { Session } from './session.ts';
import { table } from './table.ts';
import { withTraining } from './trainingSession.ts';

export interface EvalFlags {
  readonly tok?: string;
  readonly ckpt: string;
  readonly input: readonly string[];
  readonly window?: number;
  readonly stride?: number;
  readonly perToken?: boolean;
  readonly json?: boolean;
}

export async function evaluateModel({ io, flags }: Session, own: EvalFlags): Promise<number> {
  return await withTraining(io, async (progress) => {
    const { textFiles } = await import('../training/textFiles.ts');
    const { evaluate } = await import('../training/evaluate.ts');
    const { summary } = await import('../training/perplexity.ts');
    const inCwd = (path: string) => resolve(io.cwd, path);
    const files = await textFiles(own.input.map(inCwd));
    const scores = await evaluate(files, {
      model: inCwd(own.ckpt),
      tokenizer: own.tok === undefined ? undefined : inCwd(own.tok),
      threads: flags.threads ?? defaultThreads(availableParallelism()),
      onProgress: (path, share) => progress.show(`scoring ${relative(io.cwd, path)}`, share),
      signal: io.signal,
      ...(own.window !== undefined && { window: own.window }),
      ...(own.stride !== undefined && { stride: own.stride }),
    });
    progress.clear();
    const all = summary(scores);
    const named = scores.map((score) => ({ ...score, path: relative(io.cwd, score.path) }));
    if (own.json === true) {
      const files = named.map((score) => ({
        file: score.path,
        ...summary([score]),
        ...(own.perToken === true && { per_token: perToken(score) }),
      }));
      await writeLine(io.stdout, JSON.stringify({ ...all, files }));
      return exitCodes.ok;
    }
    for (const score of own.perToken === true ? named : []) {
      const rows = perToken(score).map(({ token, id, nll }) => [
        printable(token).replaceAll('\n', '↵').replaceAll('\t', '⇥'),
        String(id),
        nll.toFixed(4),
      ]);
      await writeLine(io.stdout, `${score.path}\n${table(['token', 'id', 'nll'], rows)}\n`);
    }
    const rows = [...named.map((score) => [score.path, summary([score])] as const)];
    if (rows.length > 1) rows.push(['all', all]);
    await writeLine(
      io.stdout,
      table(
        ['file', 'perplexity', 'nll', 'tokens'],
        rows.map(([name, { perplexity, nll, tokens }]) => [
          name,
          perplexity.toFixed(3),
          nll.toFixed(5),
          String(tokens),
        ]),
      ),
    );
    return exitCodes.ok;
  });
}

function perToken({ ids, texts, losses }: FileScore) {
  return ids.map((id, at) => ({ token: texts[at] ?? '', id, nll: losses[at] ?? 0 }));
}
