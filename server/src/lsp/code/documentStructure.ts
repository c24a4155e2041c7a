/**
 * The structure of one open document, kept up by its edits: the parser reads again only what an edit touched, and units of
 * declarations that it did not touch are taken over.
 */
import type { Tree } from '@vscode/tree-sitter-wasm';
import type { TextDocument } from 'vscode-languageserver-textdocument';
import {
  type CodeUnit,
  type Earlier,
  inTurn,
  type KnownUnits,
  parseInSlices,
  type StructureOptions,
  structureParser,
  walkInSlices,
} from './codeStructure.ts';

export interface DocumentStructure {
  /** Tells of one edit, before the document is asked about again. */
  edited(before: TextDocument, after: TextDocument, startOffset: number, endOffset: number): void;
  /** The whole text is another one now. */
  replaced(): void;
  /** `undefined` where there is no grammar for the language, or the text is too long for it. */
  units(document: TextDocument): Promise<readonly CodeUnit[] | undefined>;
  dispose(): void;
}

type TreeEdit = Parameters<Tree['edit']>[0];

/** Beyond this it is quicker to read the file anew. */
const MOST_EDITS = 500;

export function createDocumentStructure(options: StructureOptions): DocumentStructure {
  let tree: Tree | undefined;
  let known: KnownUnits = new Map();
  let edits: TreeEdit[] | 'anew' = 'anew';
  let disposed = false;

  function forget(): void {
    tree?.delete();
    tree = undefined;
    known = new Map();
  }

  return {
    edited(before, after, startOffset, endOffset) {
      if (edits === 'anew') return;
      const added = after.getText().length - before.getText().length;
      const newEndOffset = endOffset + added;
      edits.push({
        startIndex: startOffset,
        oldEndIndex: endOffset,
        newEndIndex: newEndOffset,
        startPosition: pointAt(before, startOffset),
        oldEndPosition: pointAt(before, endOffset),
        newEndPosition: pointAt(after, newEndOffset),
      } as TreeEdit);
      if (edits.length > MOST_EDITS) edits = 'anew';
    },
    replaced() {
      edits = 'anew';
    },
    async units(document) {
      const text = document.getText();
      // What is told from here on belongs to the next reading.
      const mine = edits;
      edits = [];
      const found = await structureParser(document.languageId, text, options);
      if (found === undefined) return undefined;
      const { parser, language } = found;
      const sliceMs = options.sliceMs ?? 15;
      return await inTurn(language.grammar, async () => {
        if (mine === 'anew') forget();
        const told = mine === 'anew' ? [] : mine;
        for (const edit of told) tree?.edit(edit);
        try {
          const next = await parseInSlices(parser, text, sliceMs, tree);
          const earlier = tree && { known, ...touchedRows(tree, next, told) };
          tree?.delete();
          tree = next;
          const walked = await walkInSlices(next, language, sliceMs, earlier);
          known = walked.known;
          if (disposed) forget();
          return walked.units;
        } catch (error) {
          forget();
          edits = 'anew';
          throw error;
        }
      });
    },
    dispose() {
      disposed = true;
      edits = 'anew';
      // A reading that is under way lets go of its tree at its end.
      if (tree !== undefined) forget();
    },
  };
}

/** Edits that follow each other, in lines of the last text; a declaration outside of them was neither edited nor read otherwise. */
function touchedRows(
  before: Tree,
  after: Tree,
  edits: readonly TreeEdit[],
): Omit<Earlier, 'known'> {
  let firstRow = Number.POSITIVE_INFINITY;
  let lastRow = Number.NEGATIVE_INFINITY;
  let addedRows = 0;
  for (const { startPosition, oldEndPosition, newEndPosition } of edits) {
    const added = newEndPosition.row - oldEndPosition.row;
    firstRow = Math.min(firstRow, startPosition.row);
    if (lastRow >= oldEndPosition.row) lastRow += added;
    lastRow = Math.max(lastRow, newEndPosition.row);
    addedRows += added;
  }
  for (const { startPosition, endPosition } of before.getChangedRanges(after)) {
    firstRow = Math.min(firstRow, startPosition.row);
    lastRow = Math.max(lastRow, endPosition.row);
  }
  return { firstRow, lastRow, addedRows };
}

function pointAt(document: TextDocument, offset: number): { row: number; column: number } {
  const { line, character } = document.positionAt(offset);
  return { row: line, column: character };
}
