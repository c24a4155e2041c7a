/** Reads prompts and context from stdin and files, bounded, and refuses what is not text. */
import { readFile, stat } from 'node:fs/promises';
import { basename, extname, isAbsolute, relative, resolve, sep } from 'node:path';
import { type Failure, failure } from '../core/errors.ts';
import { MAX_PROMPT_CHARS } from '../core/schema.ts';
import type { ContextPart } from '../core/types.ts';
import type { CliIo, Input } from './io.ts';

export type TextResult =
  | { readonly kind: 'ok'; readonly text: string }
  | { readonly kind: 'failed'; readonly failure: Failure };

export type ContextResult =
  | { readonly kind: 'ok'; readonly context: readonly ContextPart[] }
  | { readonly kind: 'failed'; readonly failure: Failure };

/** The prompt of the arguments, or stdin where it is `-` or where nothing was given and something is piped in. */
export async function readPrompt(given: string | undefined, io: CliIo): Promise<TextResult> {
  if (given !== undefined && given !== '-') return notEmpty(given, 'the prompt');
  if (given === undefined && io.stdin.isTTY === true) {
    return bad('expected a prompt as an argument or on stdin, got none; try: ask "your question"');
  }
  const read = await readAll(io.stdin);
  return read.kind === 'ok' ? notEmpty(read.text.trimEnd(), 'the prompt on stdin') : read;
}

export async function readContext(paths: readonly string[], io: CliIo): Promise<ContextResult> {
  const context: ContextPart[] = [];
  for (const path of paths) {
    const part = path === '-' ? await stdinPart(io) : await filePart(path, io);
    if ('failure' in part) return { kind: 'failed', failure: part.failure };
    context.push(part);
  }
  return { kind: 'ok', context };
}

async function stdinPart(io: CliIo): Promise<ContextPart | { readonly failure: Failure }> {
  const read = await readAll(io.stdin);
  return read.kind === 'ok' ? { kind: 'text', text: read.text } : read;
}

async function filePart(
  given: string,
  io: CliIo,
): Promise<ContextPart | { readonly failure: Failure }> {
  // A file of that very name is meant before lines of another are.
  const whole = await fileText(given, io);
  const named = /^(.+):(\d+)(?:-(\d+))?$/.exec(given);
  if (whole.kind === 'ok' || named === null) return partOf(given, whole, io);
  const [, path = '', first = '', last = first] = named;
  const read = await fileText(path, io);
  if (read.kind === 'failed') return read;
  const lines = read.text.split('\n');
  const [from, to] = [Number(first), Number(last)];
  if (from < 1 || to < from || to > lines.length) {
    return bad(`expected lines from 1 to ${lines.length} of ${path}, got ${from}-${to}`);
  }
  const part = partOf(path, { kind: 'ok', text: lines.slice(from - 1, to).join('\n') }, io);
  return 'failure' in part ? part : { ...part, kind: 'selection' };
}

function partOf(
  path: string,
  read: TextResult,
  io: CliIo,
): ContextPart | { readonly failure: Failure } {
  if (read.kind === 'failed') return read;
  const full = resolve(io.cwd, path);
  const language = languages[extname(path).toLowerCase()];
  return {
    kind: 'file',
    text: read.text,
    path: pathInside(io.cwd, full),
    file: full,
    ...(language !== undefined && { language }),
  };
}

async function fileText(path: string, io: CliIo): Promise<TextResult> {
  const full = resolve(io.cwd, path);
  try {
    const info = await stat(full);
    if (!info.isFile()) return bad(`expected --file to name a file, got ${path}`);
    if (info.size > MAX_PROMPT_CHARS) return bad(tooLong(path));
    const text = await readFile(full, 'utf8');
    return text.includes('\0')
      ? bad(`expected --file to name a text, got binary data in ${path}`)
      : { kind: 'ok', text };
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    return bad(`expected --file to name a readable file, got ${path} (${String(error.code)})`);
  }
}

/** A file elsewhere goes by its name alone: where a person keeps things is nobody's business in the cloud. */
function pathInside(cwd: string, full: string): string {
  const path = relative(cwd, full);
  return path.startsWith('..') || isAbsolute(path) ? basename(full) : path.replaceAll(sep, '/');
}

async function readAll(input: Input): Promise<TextResult> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of input) {
    text += typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true });
    if (text.length > MAX_PROMPT_CHARS) return bad(tooLong('stdin'));
  }
  return text.includes('\0')
    ? bad('expected text on stdin, got binary data')
    : { kind: 'ok', text: text + decoder.decode() };
}

function notEmpty(text: string, what: string): TextResult {
  if (text.length > MAX_PROMPT_CHARS) return bad(tooLong(what));
  return text.trim() === '' ? bad(`expected ${what} to hold text, got none`) : { kind: 'ok', text };
}

function tooLong(what: string): string {
  return `expected at most ${MAX_PROMPT_CHARS} characters, got more in ${what}; send less`;
}

function bad(message: string): { readonly kind: 'failed'; readonly failure: Failure } {
  return { kind: 'failed', failure: failure('bad_request', message) };
}

/** Language ids of editors, by file name extension. */
const languages: Readonly<Record<string, string>> = {
  '.c': 'c',
  '.cpp': 'cpp',
  '.cs': 'csharp',
  '.css': 'css',
  '.go': 'go',
  '.h': 'c',
  '.html': 'html',
  '.java': 'java',
  '.js': 'javascript',
  '.json': 'json',
  '.jsx': 'javascriptreact',
  '.kt': 'kotlin',
  '.md': 'markdown',
  '.mjs': 'javascript',
  '.php': 'php',
  '.py': 'python',
  '.rb': 'ruby',
  '.rs': 'rust',
  '.sh': 'shellscript',
  '.sql': 'sql',
  '.swift': 'swift',
  '.ts': 'typescript',
  '.tsx': 'typescriptreact',
  '.yaml': 'yaml',
  '.yml': 'yaml',
};
