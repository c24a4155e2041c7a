/**
 * Files that may be edited while the program runs. They are looked at when their value is asked for, so nothing
 * watches and nothing has to be closed. A bad edit leaves the last good value in force and is reported once.
 */
import { readFileSync, statSync } from 'node:fs';
import {
  type FileProblem,
  fileProblem,
  MAX_FILE_BYTES,
  type Parsed,
  tooLarge,
} from './yamlFile.ts';

export interface LiveFile {
  readonly path: string;
  /** An optional file that is not there counts as nothing; it may appear later. */
  readonly optional: boolean;
}

export interface FileText {
  readonly path: string;
  readonly text: string;
}

interface LiveFiles<T> {
  value(): T;
  /** What is wrong with the files as they stand now; empty while the newest version is in force. */
  problems(): readonly FileProblem[];
}

export interface LiveFilesOptions<T> {
  readonly files: readonly LiveFile[];
  /** Makes the value of all files that are there, in the order given. */
  readonly build: (texts: readonly FileText[]) => Parsed<T>;
  readonly onProblem: (problem: FileProblem) => void;
  readonly monotonicMs: () => number;
}

export type OpenedFiles<T> =
  | { readonly kind: 'ready'; readonly live: LiveFiles<T> }
  | { readonly kind: 'failed'; readonly problems: readonly FileProblem[] };

/** A look is one `stat` per file, some 10 microseconds; oftener than this no person edits. */
const LOOK_EVERY_MS = 250;

export function openLiveFiles<T>(options: LiveFilesOptions<T>): OpenedFiles<T> {
  let stamp = stampOf(options.files);
  const first = load(options);
  if (first.kind === 'bad') return { kind: 'failed', problems: first.problems };

  let value = first.value;
  let problems: readonly FileProblem[] = [];
  let lookedAt = options.monotonicMs();

  const look = () => {
    const now = options.monotonicMs();
    if (now - lookedAt < LOOK_EVERY_MS) return;
    lookedAt = now;
    // The stamp is taken before the content: an edit in between shows at the next look.
    const newStamp = stampOf(options.files);
    if (newStamp === stamp) return;
    stamp = newStamp;
    const parsed = load(options);
    if (parsed.kind === 'ok') {
      value = parsed.value;
      problems = [];
      return;
    }
    problems = parsed.problems;
    for (const problem of problems) options.onProblem(problem);
  };

  return {
    kind: 'ready',
    live: {
      value() {
        look();
        return value;
      },
      problems() {
        look();
        return problems;
      },
    },
  };
}

function load<T>(options: LiveFilesOptions<T>): Parsed<T> {
  const texts: FileText[] = [];
  for (const file of options.files) {
    try {
      const { size } = statSync(file.path);
      if (size > MAX_FILE_BYTES) return tooLarge(file.path, size);
      texts.push({ path: file.path, text: readFileSync(file.path, 'utf8') });
    } catch (error) {
      const code = errorCode(error);
      if (file.optional && code === 'ENOENT') continue;
      return { kind: 'bad', problems: [fileProblem(file.path, 'a readable file', code)] };
    }
  }
  return options.build(texts);
}

/** Nanoseconds, size and inode together change with every edit, also with one that keeps the length. */
function stampOf(files: readonly LiveFile[]): string {
  return files
    .map((file) => {
      try {
        const { mtimeNs, size, ino } = statSync(file.path, { bigint: true });
        return `${mtimeNs}:${size}:${ino}`;
      } catch (error) {
        return errorCode(error);
      }
    })
    .join(' ');
}

function errorCode(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string')
    return error.code;
  throw error;
}
