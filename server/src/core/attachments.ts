/** What travels with a question: as a line to show before it is sent, and diffs cut into the files that they change. Pure. */
import { english, type Translate } from './translate.ts';
import type { ContextPart } from './types.ts';

export interface CountedPart {
  readonly part: ContextPart;
  readonly tokens: number;
}

/** `selection (41 lines, ≈ 520 tokens)`; of several first their sum; empty without any. */
export function attachmentsText(parts: readonly CountedPart[], t: Translate = english): string {
  const each = parts.map((one) => attachmentText(one, t)).join(', ');
  if (parts.length < 2) return each;
  const tokens = parts.reduce((sum, one) => sum + one.tokens, 0);
  return t('{count} attachments, ≈ {tokens} tokens: {each}', { count: parts.length, tokens, each });
}

function attachmentText({ part, tokens }: CountedPart, t: Translate): string {
  const lines = part.text.split('\n').length;
  const what = nameOf(part, t);
  return lines === 1
    ? t('{what} (1 line, ≈ {tokens} tokens)', { what, tokens })
    : t('{what} ({lines} lines, ≈ {tokens} tokens)', { what, lines, tokens });
}

function nameOf({ kind, path }: ContextPart, t: Translate): string {
  const word = kindWord(kind, t);
  const isNamed = path !== undefined && kind !== 'selection' && kind !== 'text';
  return isNamed ? `${word} ${path.split('/').at(-1)}` : word;
}

function kindWord(kind: ContextPart['kind'], t: Translate): string {
  switch (kind) {
    case 'selection':
      return t('selection');
    case 'file':
      return t('file');
    case 'symbol':
      return t('symbol');
    case 'diff':
      return t('diff');
    case 'text':
      return t('text');
  }
}

/**
 * A diff as git writes it, one part for each file, so that the rules about files that stay here hold for each by itself.
 * @param fileOf where a path of the diff lies on this machine
 */
export function diffParts(diff: string, fileOf: (path: string) => string): ContextPart[] {
  // Lines of a file's content begin with a blank, a plus or a minus, so none can pass for a head.
  return diff
    .split(/^(?=diff --git )/m)
    .filter((text) => text.startsWith('diff --git '))
    .map((text) => {
      const path = pathIn(text);
      return {
        kind: 'diff',
        text: text.trimEnd(),
        language: 'diff',
        ...(path !== undefined && { path, file: fileOf(path) }),
      };
    });
}

/** As the file is called now; a file that is gone, as it was called. */
function pathIn(text: string): string | undefined {
  const head = text.slice(0, text.search(/^@@ |^GIT binary patch/m) >>> 0);
  const names = [/^\+\+\+ (.*)$/m, /^--- (.*)$/m, /^rename to (.*)$/m, /^diff --git .* (.*)$/m];
  for (const name of names) {
    const found = name.exec(head)?.[1]?.replace(/\t$/, '');
    if (found === undefined || found === '/dev/null') continue;
    return unquoted(found).replace(/^[ab]\//, '');
  }
  return undefined;
}

const ESCAPES: Readonly<Record<string, number>> = { a: 7, b: 8, t: 9, n: 10, v: 11, f: 12, r: 13 };

/** Git writes a name with unusual characters as C does, byte by byte. */
function unquoted(name: string): string {
  if (!name.startsWith('"') || !name.endsWith('"')) return name;
  const pieces = name.slice(1, -1).match(/\\[0-7]{3}|\\.|[^\\]/gu) ?? [];
  const bytes = pieces.flatMap((piece) => {
    if (!piece.startsWith('\\')) return [...new TextEncoder().encode(piece)];
    const code = piece.slice(1);
    return [code.length === 3 ? Number.parseInt(code, 8) : (ESCAPES[code] ?? code.charCodeAt(0))];
  });
  return new TextDecoder().decode(new Uint8Array(bytes));
}
