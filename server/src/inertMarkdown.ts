/**
 * A model's Markdown made inert before an editor renders it: no links, no images, no HTML, nothing that is fetched or acts.
 * What could begin one of these is escaped, which no reader sees. Code stays as it is, and is written anew in a form that
 * every renderer takes for code, so that none can read as prose what was left alone here. Pure; shared with the client.
 */

export function inertMarkdown(text: string): string {
  const out: string[] = [];
  const lines = text.replaceAll(/\r\n?/g, '\n').split('\n');
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? '';
    const fence = openingFence(line);
    if (fence === undefined) {
      out.push(inertLine(line));
      continue;
    }
    const from = at + 1;
    at = from;
    while (at < lines.length && !closes(fence, lines[at] ?? '')) at++;
    // Apart from what stands around it, and at the margin: there a fence is one in every renderer.
    if ((out.at(-1) ?? '').trim() !== '') out.push('');
    out.push(...fenced(fence, lines.slice(from, at)));
    if ((lines[at + 1] ?? '').trim() !== '') out.push('');
  }
  return out.join('\n');
}

/** A text in which no renderer finds an address to make a link of. */
export function withoutAddresses(text: string): string {
  return text
    .replaceAll('://', '\\://')
    .replaceAll('@', '\\@')
    .replaceAll(/www\./gi, (found) => found.replace('.', '\\.'));
}

interface Fence {
  readonly indent: string;
  readonly mark: string;
  readonly language: string;
}

function openingFence(line: string): Fence | undefined {
  const [, indent = '', mark = '', info = ''] = /^([ \t]*)(`{3,}|~{3,})(.*)$/.exec(line) ?? [];
  // A backtick in what follows makes it inline code.
  if (mark === '' || (mark.startsWith('`') && info.includes('`'))) return undefined;
  const [language = ''] = /^[\w#+.-]{1,40}/.exec(info.trim()) ?? [];
  return { indent, mark, language };
}

function closes({ mark }: Fence, line: string): boolean {
  const text = line.trim();
  return text.length >= mark.length && text === mark.charAt(0).repeat(text.length);
}

function fenced({ indent, language }: Fence, code: readonly string[]): string[] {
  const longest = Math.max(2, ...code.map((line) => /^\s*(`*)/.exec(line)?.[1]?.length ?? 0));
  const mark = '`'.repeat(longest + 1);
  const dedented = code.map((line) => (line.startsWith(indent) ? line.slice(indent.length) : line));
  return [`${mark}${language}`, ...dedented, mark];
}

/** Pairs of an escape, backticks, and runs of anything else, in the order of the line. */
const PIECES = /\\[!-/:-@[-`{-~]|`+|[^\\`]+|\\/g;

/** Every backtick that is left in the line begins or ends code: renderers count the escaped ones differently. */
function inertLine(line: string): string {
  const pieces: readonly string[] = line.match(PIECES) ?? [];
  let out = '';
  for (let at = 0; at < pieces.length; at++) {
    const piece = pieces[at] ?? '';
    if (!piece.startsWith('`')) {
      out += inertPiece(piece);
      continue;
    }
    const end = pieces.indexOf(piece, at + 1);
    const code = end < 0 ? '' : pieces.slice(at + 1, end).join('');
    if (end < 0 || isTorn(code)) {
      out += piece.replaceAll('`', BACKTICK);
      continue;
    }
    out += `\`${code}\``;
    at = end;
  }
  return out;
}

const BACKTICK = '&#96;';

/**
 * No backslash before these: looking where emphasis ends, marked takes a bracket for a link's in spite of one. A tilde goes
 * too, though nothing is struck through then: marked takes one before a backtick together with it, and the code for prose.
 */
const REFERENCES: Readonly<Record<string, string>> = {
  '`': BACKTICK,
  '[': '&#91;',
  '<': '&lt;',
  '~': '&#126;',
};

/** In a table a bar ends the cell also within backticks, and what follows is prose again; code with a backtick needs more of them. */
function isTorn(code: string): boolean {
  return code.includes('`') || (code.includes('|') && /[[<@]|:\/\/|www\./i.test(code));
}

function inertPiece(piece: string): string {
  if (piece.startsWith('\\') && piece.length === 2) return REFERENCES[piece.charAt(1)] ?? piece;
  return withoutAddresses(piece.replaceAll(/[<[~]/g, (found) => REFERENCES[found] ?? found));
}
