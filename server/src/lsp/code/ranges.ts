/** Ranges of code as plain data: comparing them, reading their text, and moving them with a document's edits. */
import type { Range } from 'vscode-languageserver/node';
import type { TextDocument } from 'vscode-languageserver-textdocument';
import type { CodeRange } from '../../protocol.ts';

/** Lines and characters as LSP counts them; a CodeRange without its document. */
export type Span = Omit<CodeRange, 'uri'>;

interface Place {
  readonly line: number;
  readonly character: number;
}

export function spanOf({ start, end }: Range): Span {
  return {
    startLine: start.line,
    startCharacter: start.character,
    endLine: end.line,
    endCharacter: end.character,
  };
}

export function rangeOf(span: Span): Range {
  return {
    start: { line: span.startLine, character: span.startCharacter },
    end: { line: span.endLine, character: span.endCharacter },
  };
}

export function isEmpty(span: Span): boolean {
  return span.startLine === span.endLine && span.startCharacter === span.endCharacter;
}

export function contains(outer: Span, inner: Span): boolean {
  const out = rangeOf(outer);
  const within = rangeOf(inner);
  return compare(out.start, within.start) <= 0 && compare(out.end, within.end) >= 0;
}

export function isSame(one: Span, other: Span): boolean {
  return contains(one, other) && contains(other, one);
}

export function textAt(document: TextDocument, span: Span): string {
  return document.getText(rangeOf(span));
}

/** The same code in another place or with other line ends is the same code. */
export function comparable(code: string): string {
  return code.replaceAll('\r\n', '\n').trim();
}

/**
 * Where a range lies after `edited` was replaced by `text`. An edit inside it moves its end, one that swallows a border
 * leaves what remains.
 */
export function afterEdit(span: Span, edited: Range, text: string): Span {
  const { start, end } = rangeOf(span);
  const newEnd = endAfter(edited.start, text);
  const moved = (place: Place, atBorder: 'stays' | 'follows'): Place => {
    const isAfter = compare(place, edited.end);
    if (isAfter > 0 || (isAfter === 0 && atBorder === 'follows')) {
      return {
        line: place.line + newEnd.line - edited.end.line,
        character:
          place.line === edited.end.line
            ? place.character + newEnd.character - edited.end.character
            : place.character,
      };
    }
    return compare(place, edited.start) > 0 ? edited.start : place;
  };
  // What is typed right before the code pushes it on; what is typed right after it stays outside.
  const isBefore = compare(edited.end, start) <= 0;
  const newStart = moved(start, isBefore ? 'follows' : 'stays');
  const newStop = moved(end, isBefore ? 'follows' : 'stays');
  return spanOf({ start: newStart, end: compare(newStop, newStart) < 0 ? newStart : newStop });
}

function endAfter(start: Place, text: string): Place {
  const lines = text.split(/\r\n|\r|\n/);
  const last = lines.at(-1) ?? '';
  return {
    line: start.line + lines.length - 1,
    character: lines.length === 1 ? start.character + last.length : last.length,
  };
}

function compare(one: Place, other: Place): number {
  return one.line - other.line || one.character - other.character;
}
