/** The documents that are open in the editor, kept by its edits, and their structure, made when asked for. */
import type { Connection, Range } from 'vscode-languageserver/node';
import { TextDocument } from 'vscode-languageserver-textdocument';
import type { CodeUnit } from './codeStructure.ts';
import { createDocumentStructure, type DocumentStructure } from './documentStructure.ts';

export interface OpenDocuments {
  get(uri: string): TextDocument | undefined;
  /** Empty where the language has no grammar here. */
  units(document: TextDocument): Promise<readonly CodeUnit[]>;
}

export interface DocumentEvents {
  readonly opened: (document: TextDocument) => void;
  readonly edited: (uri: string, edited: Range, text: string) => void;
  /** The whole text was replaced, so no range can be followed. */
  readonly replaced: (document: TextDocument) => void;
  readonly saved: (document: TextDocument) => Promise<void>;
  readonly closed: (uri: string) => void;
  readonly onProblem: (message: string) => void;
}

export function listenToDocuments(connection: Connection, events: DocumentEvents): OpenDocuments {
  const documents = new Map<string, TextDocument>();
  const structures = new Map<string, DocumentStructure>();
  const readings = new Map<string, { version: number; units: Promise<readonly CodeUnit[]> }>();

  function forget(uri: string): void {
    structures.get(uri)?.dispose();
    structures.delete(uri);
    readings.delete(uri);
  }

  connection.onDidOpenTextDocument(({ textDocument }) => {
    const { uri, languageId, version, text } = textDocument;
    const document = TextDocument.create(uri, languageId, version, text);
    documents.set(uri, document);
    forget(uri);
    events.opened(document);
  });
  connection.onDidChangeTextDocument(({ textDocument, contentChanges }) => {
    const { uri, version } = textDocument;
    let document = documents.get(uri);
    if (document === undefined) return;
    const structure = structures.get(uri);
    for (const change of contentChanges) {
      // `update` changes the document itself, so what the edit names is looked up before.
      const before =
        structure && TextDocument.create(uri, document.languageId, 0, document.getText());
      document = TextDocument.update(document, [change], version);
      if ('range' in change) {
        if (before !== undefined) {
          const { start, end } = change.range;
          structure?.edited(before, document, before.offsetAt(start), before.offsetAt(end));
        }
        events.edited(uri, change.range, change.text);
      } else {
        structure?.replaced();
        events.replaced(document);
      }
    }
    documents.set(uri, document);
  });
  connection.onDidSaveTextDocument(async ({ textDocument: { uri } }) => {
    const document = documents.get(uri);
    if (document !== undefined) await events.saved(document);
  });
  connection.onDidCloseTextDocument(({ textDocument: { uri } }) => {
    documents.delete(uri);
    forget(uri);
    events.closed(uri);
  });

  return {
    get: (uri) => documents.get(uri),
    async units(document) {
      const { uri, version } = document;
      const known = readings.get(uri);
      if (known?.version === version) return await known.units;
      const isOpen = documents.has(uri);
      const structure = structures.get(uri) ?? createDocumentStructure(events);
      const units = structure.units(document).then((found) => found ?? []);
      if (isOpen) {
        structures.set(uri, structure);
        readings.set(uri, { version, units });
      }
      try {
        return await units;
      } finally {
        if (!isOpen) structure.dispose();
      }
    },
  };
}
