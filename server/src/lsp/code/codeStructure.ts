/**
 * The functions, methods and classes of a document with their ranges. Parsing and walking run in short slices, so that a
 * long file does not hold up the answers that stream meanwhile.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Node, Parser, Tree, TreeCursor } from '@vscode/tree-sitter-wasm';
import { parserFor } from '../../syntax/grammars.ts';
import { type CodeLanguage, codeLanguage, type UnitKind } from '../../syntax/languages.ts';
import { contains, type Span } from './ranges.ts';

export interface CodeUnit {
  readonly kind: UnitKind;
  readonly name: string;
  readonly span: Span;
}

export interface StructureOptions {
  readonly onProblem: (message: string) => void;
  /** Longest time between two turns of the event loop. @default 15 */
  readonly sliceMs?: number;
}

/** Longer texts are treated as if their language were unknown. */
const MAX_CHARS = 2_000_000;

/** A parser serves one document at a time, so each grammar has its queue. */
const queues = new Map<string, Promise<unknown>>();

/** `undefined` where there is no grammar for the language, or the text is too long for it. */
export async function codeUnits(
  languageId: string,
  text: string,
  options: StructureOptions,
): Promise<readonly CodeUnit[] | undefined> {
  const language = codeLanguage(languageId);
  if (language === undefined || text.length > MAX_CHARS) return undefined;
  const parser = await parserFor(language.grammar, options.onProblem);
  if (parser === undefined) return undefined;
  const before = queues.get(language.grammar) ?? Promise.resolve();
  const mine = before.then(() => unitsWith(parser, language, text, options.sliceMs ?? 15));
  queues.set(
    language.grammar,
    mine.catch(() => {}),
  );
  return await mine;
}

/** The smallest unit around a range, or `undefined` between units. */
export function unitAround(units: readonly CodeUnit[], span: Span): CodeUnit | undefined {
  // Outer units come before inner ones, so the last that fits is the smallest.
  return units.findLast((unit) => contains(unit.span, span));
}

async function unitsWith(
  parser: Parser,
  language: CodeLanguage,
  text: string,
  sliceMs: number,
): Promise<CodeUnit[]> {
  const tree = await parseInSlices(parser, text, sliceMs);
  try {
    return await walkInSlices(tree, language, sliceMs);
  } finally {
    tree.delete();
  }
}

async function parseInSlices(parser: Parser, text: string, sliceMs: number): Promise<Tree> {
  parser.reset();
  for (;;) {
    const until = performance.now() + sliceMs;
    // A parse that its callback stops is continued by the next call, since nothing resets the parser between them.
    const tree = parser.parse(text, null, { progressCallback: () => performance.now() > until });
    if (tree !== null) return tree;
    await nextTurn();
  }
}

async function walkInSlices(
  tree: Tree,
  language: CodeLanguage,
  sliceMs: number,
): Promise<CodeUnit[]> {
  const units: CodeUnit[] = [];
  /** Kinds of the units around the cursor, by depth. */
  const around: { readonly depth: number; readonly kind: UnitKind }[] = [];
  let until = performance.now() + sliceMs;
  const cursor = tree.walk();
  try {
    do {
      const depth = cursor.currentDepth;
      while ((around.at(-1)?.depth ?? -1) >= depth) around.pop();
      const kind = kindAt(cursor, language);
      if (kind !== undefined) {
        const inClass = around.at(-1)?.kind === 'class';
        const node = cursor.currentNode;
        units.push({
          kind: kind === 'function' && inClass ? 'method' : kind,
          name: nameOf(node),
          span: spanOf(outermost(node, language.wrappers ?? [])),
        });
        around.push({ depth, kind });
      }
      if (performance.now() > until) {
        await nextTurn();
        until = performance.now() + sliceMs;
      }
    } while (toNext(cursor));
  } finally {
    cursor.delete();
  }
  return units;
}

/** Moves in document order; false at the end. */
function toNext(cursor: TreeCursor): boolean {
  if (cursor.gotoFirstChild()) return true;
  while (!cursor.gotoNextSibling()) {
    if (!cursor.gotoParent()) return false;
  }
  return true;
}

function kindAt(cursor: TreeCursor, language: CodeLanguage): UnitKind | undefined {
  const { nodeType } = cursor;
  if (!cursor.nodeIsNamed || !Object.hasOwn(language.units, nodeType)) return undefined;
  const kind = language.units[nodeType];
  switch (nodeType) {
    case 'variable_declarator': {
      const value = cursor.currentNode.childForFieldName('value')?.type ?? '';
      return ['arrow_function', 'function_expression', 'generator_function'].includes(value)
        ? kind
        : undefined;
    }
    case 'type_spec': {
      const type = cursor.currentNode.childForFieldName('type')?.type ?? '';
      return ['struct_type', 'interface_type'].includes(type) ? kind : undefined;
    }
    case 'class_specifier':
    case 'struct_specifier':
      // Without a body it only names a type: `struct point p;`
      return cursor.currentNode.childForFieldName('body') === null ? undefined : kind;
    default:
      return kind;
  }
}

function nameOf(node: Node): string {
  // Rust's `impl` is named by its type; elsewhere `type` is what a function returns.
  const named = node.childForFieldName(node.type === 'impl_item' ? 'type' : 'name');
  if (named !== null) return named.text;
  // In C a name lies inside the declarator: `int *(*name(int))(void)`.
  let inner = node.childForFieldName('declarator');
  for (let next = inner; next !== null; next = next.childForFieldName('declarator')) inner = next;
  return inner?.text ?? '';
}

function outermost(node: Node, wrappers: readonly string[]): Node {
  let outer = node;
  for (let next = node.parent; next !== null && wraps(next, outer, wrappers); next = next.parent) {
    outer = next;
  }
  return outer;
}

/** A declaration of several things is not the wrapper of one of them. */
function wraps(parent: Node, child: Node, wrappers: readonly string[]): boolean {
  if (!wrappers.includes(parent.type)) return false;
  return parent.namedChildren.filter((one) => one?.type === child.type).length === 1;
}

function spanOf(node: Node): Span {
  const { startPosition, endPosition } = node;
  return {
    startLine: startPosition.row,
    startCharacter: startPosition.column,
    endLine: endPosition.row,
    endCharacter: endPosition.column,
  };
}
