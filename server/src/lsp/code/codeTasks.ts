/** The question that a code task stands for. The server writes it, so that every editor asks alike and the cache serves them all. */
import type { TextDocument } from 'vscode-languageserver-textdocument';
import type { Translate } from '../../core/translate.ts';
import type { CodeRange, CodeTaskResult, ContextWire, ExplainTask } from '../../protocol.ts';
import { type CodeUnit, unitAround } from './codeStructure.ts';
import { comparable, isEmpty, type Span, textAt } from './ranges.ts';

export function taskTitle(task: ExplainTask, t: Translate): string {
  switch (task) {
    case 'explain':
      return t('Explain');
    case 'find_problems':
      return t('Find problems');
    case 'write_test':
      return t('Write a test');
    case 'document':
      return t('Document');
  }
}

function titleAbout(task: ExplainTask, what: string, t: Translate): string {
  switch (task) {
    case 'explain':
      return t('Explain {what}', { what });
    case 'find_problems':
      return t('Find problems in {what}', { what });
    case 'write_test':
      return t('Write a test for {what}', { what });
    case 'document':
      return t('Document {what}', { what });
  }
}

/** The first sentence of an explanation must stand alone: it is what a person reads first, and often all. */
const prompts: Readonly<Record<ExplainTask, string>> = {
  explain:
    'Explain this code. Say in the first sentence what it does. Then say briefly how it works, and last what to watch out for.',
  find_problems:
    'Find the problems in this code: mistakes, cases it forgets, unsafe use. For each, name the line, what goes wrong and how to mend it. Say so if you find none.',
  write_test:
    'Write a unit test for this code with the usual test framework of its language. Cover the normal case and the borders. Answer with the test only, as one code block.',
  document:
    'Write the documentation comment for this code in the usual form of its language. Answer with the comment only, as one code block.',
};

export interface CodeTaskOptions {
  readonly sha256: (text: string) => string;
  /** A path to show to a model: inside the workspace, never the whole of it. */
  readonly pathOf: (uri: string) => string;
  /** For the title; the question itself is asked in English, so that every editor shares the cache. */
  readonly t: Translate;
}

/** `undefined` where there is no code to ask about. A range without extent stands for the unit around it, or its line. */
export function codeTask(
  task: ExplainTask,
  document: TextDocument,
  asked: Span,
  units: readonly CodeUnit[],
  options: CodeTaskOptions,
): CodeTaskResult | undefined {
  const { t } = options;
  const unit = unitAround(units, asked);
  const span = trimmed(document, isEmpty(asked) ? (unit?.span ?? lineOf(asked)) : asked);
  const code = textAt(document, span);
  if (code.trim() === '') return undefined;
  const whole = unit !== undefined && sameText(document, unit.span, span);
  const context: ContextWire = {
    kind: whole ? 'symbol' : 'selection',
    text: code,
    path: options.pathOf(document.uri),
    language: document.languageId,
    uri: document.uri,
  };
  return {
    task,
    text: prompts[task],
    context: [context],
    title: titleAbout(task, whole ? unit.name || unit.kind : linesOf(span, t), t),
    codeHash: hashOfCode(code, options.sha256),
    range: { uri: document.uri, ...span },
  };
}

/** The hash under which an explanation of code is kept. */
export function hashOfCode(code: string, sha256: (text: string) => string): string {
  return sha256(comparable(code));
}

export function rangeIn(uri: string, span: Span): CodeRange {
  return { uri, ...span };
}

function lineOf({ startLine }: Span): Span {
  return {
    startLine,
    startCharacter: 0,
    endLine: startLine,
    // Documents clamp a character past the end of its line.
    endCharacter: Number.MAX_SAFE_INTEGER,
  };
}

/** Without the blank space around it, so that a sloppy selection names the same code as an exact one. */
function trimmed(document: TextDocument, span: Span): Span {
  const text = textAt(document, span);
  const from = document.offsetAt({ line: span.startLine, character: span.startCharacter });
  const start = document.positionAt(from + text.length - text.trimStart().length);
  const end = document.positionAt(from + text.trimEnd().length);
  return text.trim() === ''
    ? span
    : {
        startLine: start.line,
        startCharacter: start.character,
        endLine: end.line,
        endCharacter: end.character,
      };
}

function sameText(document: TextDocument, one: Span, other: Span): boolean {
  return textAt(document, one).trim() === textAt(document, other).trim();
}

function linesOf({ startLine, endLine }: Span, t: Translate): string {
  return startLine === endLine
    ? t('line {line}', { line: startLine + 1 })
    : t('lines {from} to {to}', { from: startLine + 1, to: endLine + 1 });
}
