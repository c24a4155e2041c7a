/**
 * What a command sees of its process: streams, environment and a signal. Tests hand in their own.
 * Text of a model or a file is untrusted and passes `printable` before it reaches a terminal.
 */
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { styleText } from 'node:util';
import type { App, AppOptions } from '../compose.ts';

export type Output = Writable & { readonly isTTY?: boolean; readonly columns?: number };
export type Input = Readable & { readonly isTTY?: boolean };

export interface CliIo {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly stdin: Input;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly version: string;
  /** Aborts on Ctrl-C. */
  readonly signal: AbortSignal;
  readonly createApp: (options: AppOptions) => Promise<App>;
}

/** Writes and waits where the reader is slower, so that a long output is never held in memory. */
export async function write(output: Output, text: string): Promise<void> {
  if (!output.write(text)) await once(output, 'drain');
}

export async function writeLine(output: Output, text: string): Promise<void> {
  await write(output, `${text}\n`);
}

/** A terminal that does not know its width (0) is taken to be of the usual one. */
export function widthOf(output: Output): number {
  return output.columns !== undefined && output.columns >= 20 ? output.columns : 80;
}

type Style = 'gray' | 'bold' | 'yellow' | 'red' | 'green';

/** Colours a text for a terminal; anywhere else, and under NO_COLOR, it stays plain. */
export function styled(style: Style, text: string, output: Output, io: Pick<CliIo, 'env'>): string {
  const { NO_COLOR, TERM } = io.env;
  const plain = output.isTTY !== true || Boolean(NO_COLOR) || TERM === 'dumb';
  return plain ? text : styleText(style, text, { validateStream: false });
}

/** Drops control characters (a terminal would obey them) but keeps tabs and line breaks. */
export function printable(text: string): string {
  return text.replaceAll('\r\n', '\n').replaceAll(/[^\P{Cc}\n\t]/gu, '');
}
