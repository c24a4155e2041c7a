/**
 * Reads a YAML text against a schema and says of every mistake where it stands, what was expected and what was found.
 * Limits keep a hostile file harmless: size, nodes, aliases; unknown keys and tags are mistakes.
 */
import { basename } from 'node:path';
import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  visit,
} from 'yaml';
import type { z } from 'zod';

export interface FileProblem {
  readonly file: string;
  /** 1-based; for a missing key it is the line of the mapping that lacks it. */
  readonly line: number;
  readonly column: number;
  /** `models[2].tier`; empty for the whole file. */
  readonly path: string;
  readonly expected: string;
  readonly found: string;
  /** All of the above in one line. */
  readonly message: string;
}

export type Parsed<T> =
  | { readonly kind: 'ok'; readonly value: T }
  | { readonly kind: 'bad'; readonly problems: readonly FileProblem[] };

export const MAX_FILE_BYTES = 1_000_000;
const MAX_NODES = 50_000;
const MAX_ALIAS_EXPANSIONS = 100;
const MAX_PROBLEMS = 20;

/** Schemas in here state what they expect in words as the message of a check: `z.string().regex(re, 'a date')`. */
export function parseYaml<T>(file: string, text: string, schema: z.ZodType<T>): Parsed<T> {
  if (Buffer.byteLength(text) > MAX_FILE_BYTES) return tooLarge(file, Buffer.byteLength(text));
  const lines = new LineCounter();
  try {
    const document = parseDocument(text, {
      lineCounter: lines,
      prettyErrors: false,
      stringKeys: true,
    });
    return readDocument(file, document, lines, schema);
  } catch (error) {
    // Nesting past the stack and aliases past their limit surface as these two.
    if (!(error instanceof RangeError || error instanceof ReferenceError)) throw error;
    return bad([
      problemAt(file, 1, 1, '', 'plain YAML', 'nesting or aliases beyond what is allowed'),
    ]);
  }
}

function readDocument<T>(
  file: string,
  document: Document.Parsed,
  lines: LineCounter,
  schema: z.ZodType<T>,
): Parsed<T> {
  // Of errors in the syntax only the first is the person's; the others follow from it.
  const [broken] = [...document.errors, ...document.warnings];
  if (broken !== undefined) {
    const { line, col } = lines.linePos(broken.pos[0]);
    return bad([problemAt(file, line, col, '', 'plain YAML', firstLine(broken.message))]);
  }
  let nodes = 0;
  visit(document, { Node: () => (++nodes > MAX_NODES ? visit.BREAK : undefined) });
  if (nodes > MAX_NODES) {
    return bad([problemAt(file, 1, 1, '', `at most ${MAX_NODES} values`, 'more')]);
  }
  const result = schema.safeParse(document.toJS({ maxAliasCount: MAX_ALIAS_EXPANSIONS }));
  if (result.success) return { kind: 'ok', value: result.data };
  return bad(result.error.issues.flatMap((issue) => problemsOf(file, document, lines, issue)));
}

/** A problem of a file as a whole, such as one that can't be read. */
export function fileProblem(file: string, expected: string, found: string): FileProblem {
  return problemAt(file, 1, 1, '', expected, found);
}

export function tooLarge(
  file: string,
  bytes: number,
): { readonly kind: 'bad'; readonly problems: readonly FileProblem[] } {
  return bad([fileProblem(file, `at most ${MAX_FILE_BYTES} bytes`, `${bytes} bytes`)]);
}

function problemsOf(
  file: string,
  document: Document.Parsed,
  lines: LineCounter,
  issue: z.core.$ZodIssue,
): FileProblem[] {
  const place = locate(document, issue.path);
  const at = (node: Node | null, path: readonly PropertyKey[], expected: string, found: string) => {
    const { line, col } = lines.linePos(node?.range?.[0] ?? 0);
    return problemAt(file, line || 1, col || 1, pathText(path), expected, found);
  };
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) =>
      at(keyNode(place.node, key) ?? place.node, [...issue.path, key], 'no such key', key),
    );
  }
  const found = place.missing ? 'nothing' : foundText(place.node, issue.path, document);
  return [at(place.node, issue.path, expectedText(issue), statedFound(issue) ?? found)];
}

function expectedText(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return EXPECTED_TYPES[issue.expected] ?? issue.expected;
    case 'invalid_value':
      return issue.values.map(String).join(' or ');
    case 'too_small':
      return `${sizeNoun(issue.origin)} ${issue.inclusive === false ? 'above' : 'of at least'} ${issue.minimum}`;
    case 'too_big':
      return `${sizeNoun(issue.origin)} ${issue.inclusive === false ? 'below' : 'of at most'} ${issue.maximum}`;
    case 'invalid_union':
      // A discriminated union lists what its discriminator may be; a plain one carries its own words.
      return issue.inclusive !== false && issue.options !== undefined
        ? issue.options.map(String).join(' or ')
        : issue.message;
    default:
      return issue.message;
  }
}

const EXPECTED_TYPES: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping',
  record: 'a mapping',
};

function sizeNoun(origin: string): string {
  if (origin === 'string') return 'a text with a length';
  return origin === 'array' ? 'a list with a length' : 'a number';
}

/** A check across values may say itself what it found; see `params` of its issue. */
function statedFound(issue: z.core.$ZodIssue): string | undefined {
  if (issue.code !== 'custom') return undefined;
  const { found } = issue.params ?? {};
  return typeof found === 'string' ? found : undefined;
}

function foundText(node: Node | null, path: readonly PropertyKey[], document: Document): string {
  const value: unknown = node?.toJS(document);
  if (value === null || value === undefined) return 'an empty value';
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object')
    return `a mapping of ${Object.keys(value).join(', ') || 'nothing'}`;
  if (typeof value !== 'string') return String(value);
  // Somebody may have put an API key where its kind belongs, and problems are printed and logged.
  if (path.at(-1) === 'key' || /sk-/.test(value)) return `a text of ${value.length} characters`;
  return JSON.stringify(value.length > 60 ? `${value.slice(0, 59)}…` : value);
}

interface Place {
  readonly node: Node | null;
  readonly missing: boolean;
}

/** The node at a path, or the deepest mapping or list on the way to it when the rest is missing. */
function locate(document: Document.Parsed, path: readonly PropertyKey[]): Place {
  let node: Node | null = document.contents;
  for (const segment of path) {
    const container: Node | null | undefined = isAlias(node) ? node.resolve(document) : node;
    const next: unknown = isMap(container)
      ? container.items.find((pair) => isScalar(pair.key) && pair.key.value === segment)?.value
      : isSeq(container)
        ? container.items[Number(segment)]
        : undefined;
    if (!isNode(next)) return { node, missing: true };
    node = next;
  }
  return { node, missing: false };
}

function keyNode(node: Node | null, key: string): Node | undefined {
  if (!isMap(node)) return undefined;
  const found = node.items.find((pair) => isScalar(pair.key) && pair.key.value === key)?.key;
  return isNode(found) ? found : undefined;
}

function pathText(path: readonly PropertyKey[]): string {
  return path
    .map((segment, index) =>
      typeof segment === 'number' ? `[${segment}]` : `${index === 0 ? '' : '.'}${String(segment)}`,
    )
    .join('');
}

function problemAt(
  file: string,
  line: number,
  column: number,
  path: string,
  expected: string,
  found: string,
): FileProblem {
  const where = `${basename(file)}:${line}:${column}`;
  const message = `${where}: expected ${expected}${path === '' ? '' : ` at ${path}`}, found ${found}`;
  return { file, line, column, path, expected, found, message };
}

function bad(problems: readonly FileProblem[]): {
  readonly kind: 'bad';
  readonly problems: readonly FileProblem[];
} {
  return { kind: 'bad', problems: problems.slice(0, MAX_PROBLEMS) };
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? text;
}
