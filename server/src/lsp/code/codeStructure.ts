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

/** By grammar. */
const queues = new Map<string, Promise<unknown>>();

/** `undefined` where there is no grammar for the language, or the text is too long for it. */
export async function codeUnits(
  languageId: string,
  text: string,
  options: StructureOptions,
): Promise<readonly CodeUnit[] | undefined> {
  const found = await structureParser(languageId, text, options);
  if (found === undefined) return undefined;
  const { parser, language } = found;
  const sliceMs = options.sliceMs ?? 15;
  return await inTurn(language.grammar, async () => {
    const tree = await parseInSlices(parser, text, sliceMs);
    try {
      return (await walkInSlices(tree, language, sliceMs)).units;
    } finally {
      tree.delete();
    }
  });
}

interface StructureParser {
  readonly parser: Parser;
  readonly language: CodeLanguage;
}

/** `undefined` where there is no grammar for the language, or the text is too long for it. */
export async function structureParser(
  languageId: string,
  text: string,
  options: StructureOptions,
): Promise<StructureParser | undefined> {
  const language = codeLanguage(languageId);
  if (language === undefined || text.length > MAX_CHARS) return undefined;
  const parser = await parserFor(language.grammar, options.onProblem);
  return parser && { parser, language };
}

/** A parser serves one document at a time. */
export function inTurn<T>(grammar: string, work: () => Promise<T>): Promise<T> {
  const mine = (queues.get(grammar) ?? Promise.resolve()).then(work);
  queues.set(
    grammar,
    mine.catch(() => {}),
  );
  return mine;
}

/** The smallest unit around a range, or `undefined` between units. */
export function unitAround(units: readonly CodeUnit[], span: Span): CodeUnit | undefined {
  // Outer units come before inner ones, so the last that fits is the smallest.
  return units.findLast((unit) => contains(unit.span, span));
}

/** @param edited the tree of the text before, told of all edits since */
export async function parseInSlices(
  parser: Parser,
  text: string,
  sliceMs: number,
  edited: Tree | null = null,
): Promise<Tree> {
  parser.reset();
  for (;;) {
    const until = performance.now() + sliceMs;
    // A parse that its callback stops is continued by the next call, since nothing resets the parser between them.
    const tree = parser.parse(text, edited, { progressCallback: () => performance.now() > until });
    if (tree !== null) return tree;
    await nextTurn();
  }
}

/** Units of each outermost declaration, by its place in the text. */
export type KnownUnits = ReadonlyMap<string, readonly CodeUnit[]>;

/** What is known of the text from which this one was made by edits. */
export interface Earlier {
  readonly known: KnownUnits;
  /** Lines of this text within which all edits and all changes of the tree lie. */
  readonly firstRow: number;
  readonly lastRow: number;
  /** Lines that there are more now. */
  readonly addedRows: number;
}

interface Walked {
  readonly units: CodeUnit[];
  readonly known: KnownUnits;
}

export async function walkInSlices(
  tree: Tree,
  language: CodeLanguage,
  sliceMs: number,
  earlier?: Earlier,
): Promise<Walked> {
  const units: CodeUnit[] = [];
  const known = new Map<string, readonly CodeUnit[]>();
  const cursor = tree.walk();
  let until = performance.now() + sliceMs;
  try {
    if (!cursor.gotoFirstChild()) return { units, known };
    do {
      const declared =
        (earlier && untouched(cursor, earlier)) ??
        (await unitsBelow(cursor.currentNode, language, sliceMs));
      known.set(placeKey(cursor, 0), declared);
      units.push(...declared);
      if (performance.now() > until) {
        await nextTurn();
        until = performance.now() + sliceMs;
      }
    } while (cursor.gotoNextSibling());
  } finally {
    cursor.delete();
  }
  return { units, known };
}

function untouched(cursor: TreeCursor, earlier: Earlier): readonly CodeUnit[] | undefined {
  const { firstRow, lastRow, addedRows, known } = earlier;
  if (cursor.endPosition.row < firstRow) return known.get(placeKey(cursor, 0));
  if (cursor.startPosition.row <= lastRow) return undefined;
  return known.get(placeKey(cursor, addedRows))?.map((unit) => movedDown(unit, addedRows));
}

/** Where the node was when there were so many lines fewer before it. */
function placeKey({ startPosition, endPosition }: TreeCursor, addedRows: number): string {
  const [start, end] = [startPosition, endPosition].map(
    ({ row, column }) => `${row - addedRows}:${column}`,
  );
  return `${start}-${end}`;
}

function movedDown(unit: CodeUnit, rows: number): CodeUnit {
  if (rows === 0) return unit;
  const { startLine, endLine } = unit.span;
  return {
    ...unit,
    span: { ...unit.span, startLine: startLine + rows, endLine: endLine + rows },
  };
}

async function unitsBelow(
  declaration: Node,
  language: CodeLanguage,
  sliceMs: number,
): Promise<CodeUnit[]> {
  const units: CodeUnit[] = [];
  /** Kinds of the units around the cursor, by depth. */
  const around: { readonly depth: number; readonly kind: UnitKind }[] = [];
  let until = performance.now() + sliceMs;
  const cursor = declaration.walk();
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
