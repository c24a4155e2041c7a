/**
 * Kept explanations at their code: where each lies in the document as it stands now, and whether the code under it has
 * changed since. They are known by the hash of the code, so they find it again after it moved.
 */
import type { Range } from 'vscode-languageserver/node';
import type { TextDocument } from 'vscode-languageserver-textdocument';
import type { App } from '../../compose.ts';
import type { ExplanationWire, KeepExplanationParams, KeptTask } from '../../protocol.ts';
import type { CodeUnit } from './codeStructure.ts';
import { hashOfCode, rangeIn } from './codeTasks.ts';
import { afterEdit, contains, isSame, type Span, textAt } from './ranges.ts';

export interface PlacedExplanations {
  /** What is kept about a document, in its order. */
  of(app: App, document: TextDocument): Promise<readonly ExplanationWire[]>;
  /** Those of the innermost code around a place, one for each task that was asked of it. */
  at(app: App, document: TextDocument, place: Span): Promise<readonly ExplanationWire[]>;
  /** False when it could not be kept. */
  keep(app: App, params: KeepExplanationParams): Promise<boolean>;
  drop(app: App, codeHash: string, task: KeptTask): Promise<boolean>;
  /** Notes where the code has moved to, so that a file that is opened again finds it there. */
  saved(app: App, document: TextDocument): Promise<void>;
  edited(uri: string, edited: Range, text: string): void;
  /** Forgets the places of a document that is closed or was replaced whole; they are found anew. */
  forget(uri: string): void;
}

export interface PlacedExplanationsOptions {
  readonly units: (document: TextDocument) => Promise<readonly CodeUnit[]>;
  readonly onChanged: (uri: string) => void;
}

type Stored = ReturnType<App['explanations']['inFile']>[number];

export function placeExplanations(options: PlacedExplanationsOptions): PlacedExplanations {
  /** Places by document, then by hash; only of documents that were asked about since they were opened. */
  const places = new Map<string, Map<string, Span>>();

  async function of(app: App, document: TextDocument): Promise<readonly ExplanationWire[]> {
    const { uri } = document;
    const stored = app.explanations.inFile(uri);
    if (stored.length === 0) return [];
    // Before the places are read, so that an edit during the wait finds nothing to move yet.
    const units = places.has(uri) ? [] : await options.units(document);
    const known = places.get(uri) ?? new Map<string, Span>();
    places.set(uri, known);
    const hash = (span: Span) => hashOfCode(textAt(document, span), app.ports.sha256);
    return stored
      .map((one): ExplanationWire => {
        const { codeHash, promptId, text, line } = one;
        const span = known.get(codeHash) ?? find(one, units, hash);
        known.set(codeHash, span);
        const stale = hash(span) !== codeHash;
        const task = taskOf(one);
        return { codeHash, task, promptId, text, line, stale, range: rangeIn(uri, span) };
      })
      .toSorted((one, other) => one.range.startLine - other.range.startLine);
  }

  return {
    of,
    async at(app, document, place) {
      const around = (await of(app, document)).filter(({ range }) => contains(range, place));
      return around.filter(({ range }) => around.every((other) => contains(other.range, range)));
    },
    async keep(app, params) {
      const { range, ...rest } = params;
      const { uri, ...span } = range;
      const kept = await app.explanations.keep({ ...rest, uri, range: span });
      places.get(uri)?.set(params.codeHash, span);
      options.onChanged(uri);
      return kept;
    },
    async drop(app, codeHash, task) {
      const uris = new Set(app.explanations.ofCode(codeHash).map(({ uri }) => uri));
      const dropped = await app.explanations.drop(codeHash, task);
      const left = new Set(app.explanations.ofCode(codeHash).map(({ uri }) => uri));
      for (const uri of uris) {
        if (!left.has(uri)) places.get(uri)?.delete(codeHash);
        options.onChanged(uri);
      }
      return dropped;
    },
    async saved(app, document) {
      const known = places.get(document.uri);
      if (known === undefined) return;
      for (const stored of app.explanations.inFile(document.uri)) {
        const span = known.get(stored.codeHash);
        if (span === undefined || isSame(span, stored.range)) continue;
        await app.explanations.keep({ ...stored, range: span });
      }
    },
    edited(uri, range, text) {
      const known = places.get(uri);
      if (known === undefined) return;
      for (const [codeHash, span] of known) known.set(codeHash, afterEdit(span, range, text));
    },
    forget: (uri) => void places.delete(uri),
  };
}

const tasks: readonly KeptTask[] = ['explain', 'find_problems', 'write_test', 'document'];

function taskOf({ task }: Stored): KeptTask {
  return tasks.find((known) => known === task) ?? 'question';
}

/** Where the code was when it was kept; if something else is there now, the unit that has it, wherever that moved. */
function find(stored: Stored, units: readonly CodeUnit[], hash: (span: Span) => string): Span {
  if (hash(stored.range) === stored.codeHash) return stored.range;
  return units.find(({ span }) => hash(span) === stored.codeHash)?.span ?? stored.range;
}
