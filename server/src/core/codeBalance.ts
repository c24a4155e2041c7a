/**
 * A cheap check of code in an answer: do brackets pair up outside strings and comments. It knows no grammar, so it only
 * finds code that was cut or garbled; where a language's quoting would fool it, the code counts as fine.
 */

const HASH_COMMENTS = new Set(['python', 'py', 'ruby', 'rb']);
/** Without Rust, whose lifetimes look like strings that are never closed. */
const SLASH_COMMENTS = new Set(
  'c cpp c++ cs csharp css dart go java javascript js json jsonc jsx kotlin php scala swift ts tsx typescript'.split(
    ' ',
  ),
);
const OPENING = new Map([
  [')', '('],
  [']', '['],
  ['}', '{'],
]);

/** False when a fenced block in a known language has brackets that do not pair up. */
export function codeIsBalanced(answer: string): boolean {
  const blocks = answer.split('```');
  // Every second piece lies between fences; a last one without its closing fence was cut, which is another sign.
  for (let at = 1; at + 1 < blocks.length; at += 2) {
    const block = blocks[at] ?? '';
    const lineEnd = block.indexOf('\n');
    const language = block.slice(0, Math.max(0, lineEnd)).trim().toLowerCase();
    const isKnown = HASH_COMMENTS.has(language) || SLASH_COMMENTS.has(language);
    if (isKnown && !bracketsPair(block.slice(lineEnd), HASH_COMMENTS.has(language))) return false;
  }
  return true;
}

function bracketsPair(code: string, hashComments: boolean): boolean {
  const open: string[] = [];
  let at = 0;
  while (at < code.length) {
    const after = skipStringOrComment(code, at, hashComments);
    if (after > at) {
      at = after;
      continue;
    }
    const character = code[at] ?? '';
    if (character === '(' || character === '[' || character === '{') open.push(character);
    const opening = OPENING.get(character);
    if (opening !== undefined && open.pop() !== opening) return false;
    at += 1;
  }
  return open.length === 0;
}

/** Where the string or comment that begins at `at` ends, or `at` itself when none does. */
function skipStringOrComment(code: string, at: number, hashComments: boolean): number {
  const character = code[at];
  if (hashComments ? character === '#' : code.startsWith('//', at)) {
    return endOf(code, '\n', at, code.length);
  }
  if (!hashComments && code.startsWith('/*', at)) return endOf(code, '*/', at + 2, code.length);
  if (character !== '"' && character !== "'" && character !== '`') return at;
  const triple = character.repeat(3);
  if (hashComments && code.startsWith(triple, at)) {
    return endOf(code, triple, at + 3, code.length);
  }
  for (let next = at + 1; next < code.length; next += 1) {
    if (code[next] === '\\') next += 1;
    else if (code[next] === character) return next + 1;
    // An apostrophe that nothing closes on its line is a lifetime or prose, not a string.
    else if (code[next] === '\n' && character !== '`') return at + 1;
  }
  return at + 1;
}

function endOf(code: string, mark: string, from: number, otherwise: number): number {
  const found = code.indexOf(mark, from);
  return found < 0 ? otherwise : found + mark.length;
}
