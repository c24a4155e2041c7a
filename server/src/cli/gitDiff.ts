/** The changes of the working folder as context: what `git diff` tells, one part for each file. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { diffParts } from '../core/attachments.ts';
import { failure } from '../core/errors.ts';
import { MAX_PROMPT_CHARS } from '../core/schema.ts';
import type { ContextResult } from './inputText.ts';
import type { CliIo } from './io.ts';

/** Nothing that the repository's own settings name is started: no pager, no monitor, no other diff program. */
const QUIET = ['--no-pager', '-c', 'core.fsmonitor=false', '-c', 'core.quotepath=off'];
const PLAIN = [
  '--no-color',
  '--no-ext-diff',
  '--no-textconv',
  '--src-prefix=a/',
  '--dst-prefix=b/',
];

/** @param since a commit; what is neither staged nor committed of new files is not in a diff */
export async function readDiff(since: string, io: CliIo): Promise<ContextResult> {
  if (since.startsWith('-')) {
    return failed(`expected --diff to name a commit, got ${since}; leave it out for HEAD`);
  }
  const root = await git(['rev-parse', '--show-toplevel'], io);
  if (root.kind === 'failed')
    return failed(`expected --diff in a git repository; git says: ${root.why}`);
  const diff = await git(['diff', ...PLAIN, since, '--'], io);
  if (diff.kind === 'failed')
    return failed(`expected --diff to name a commit; git says: ${diff.why}`);
  const context = diffParts(diff.text, (path) => join(root.text.trim(), path));
  if (context.length === 0) {
    return failed(
      `expected changes since ${since}, got none; new files count once they are staged`,
    );
  }
  return { kind: 'ok', context };
}

type Said =
  | { readonly kind: 'ok'; readonly text: string }
  | { readonly kind: 'failed'; readonly why: string };

async function git(args: readonly string[], io: CliIo): Promise<Said> {
  try {
    const { stdout } = await promisify(execFile)('git', [...QUIET, ...args], {
      cwd: io.cwd,
      maxBuffer: MAX_PROMPT_CHARS,
      signal: io.signal,
      env: { ...process.env, GIT_OPTIONAL_LOCKS: '0' },
    });
    return { kind: 'ok', text: stdout };
  } catch (error) {
    return { kind: 'failed', why: whyNot(error) };
  }
}

function whyNot(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code, stderr } = error as Error & { readonly code?: unknown; readonly stderr?: unknown };
  if (code === 'ENOENT') return 'git is not installed';
  if (code === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER') return 'the diff is too long';
  const said = typeof stderr === 'string' ? stderr.trim().split('\n')[0] : undefined;
  return said === undefined || said === '' ? error.message : said;
}

function failed(message: string): ContextResult {
  return { kind: 'failed', failure: failure('bad_request', message) };
}
