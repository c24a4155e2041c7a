/** The documents that are open in the editor, kept by its edits, and their structure, made when asked for. */
import type { Connection, Range } from 'vscode-languageserver/node';
import { TextDocument } from 'vscode-languageserver-textdocument';
import { type CodeUnit, codeUnits } from './codeStructure.ts';

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
  const structures = new Map<string, { version: number; units: Promise<readonly CodeUnit[]> }>();

  connection.onDidOpenTextDocument(({ textDocument }) => {
    const { uri, languageId, version, text } = textDocument;
    const document = TextDocument.create(uri, languageId, version, text);
    documents.set(uri, document);
    events.opened(document);
  });
  connection.onDidChangeTextDocument(({ textDocument, contentChanges }) => {
    const { uri, version } = textDocument;
    let document = documents.get(uri);
    if (document === undefined) return;
    for (const change of contentChanges) {
      document = TextDocument.update(document, [change], version);
      if ('range' in change) events.edited(uri, change.range, change.text);
      else events.replaced(document);
    }
    documents.set(uri, document);
  });
  connection.onDidSaveTextDocument(async ({ textDocument: { uri } }) => {
    const document = documents.get(uri);
    if (document !== undefined) await events.saved(document);
  });
  connection.onDidCloseTextDocument(({ textDocument: { uri } }) => {
    documents.delete(uri);
    structures.delete(uri);
    events.closed(uri);
  });

  return {
    get: (uri) => documents.get(uri),
    async units(document) {
      const { uri, version, languageId } = document;
      const known = structures.get(uri);
      if (known?.version === version) return await known.units;
      const units = codeUnits(languageId, document.getText(), events).then((found) => found ?? []);
      if (documents.has(uri)) structures.set(uri, { version, units });
      return await units;
    },
  };
}
