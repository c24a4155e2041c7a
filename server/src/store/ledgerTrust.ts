/** Whether a ledger that is there can be trusted: its schema, its content against itself, its content against the mirror. */
import type { DatabaseSync } from 'node:sqlite';
import type { NewId } from '../core/ports.ts';
import { openBook } from './ledgerBook.ts';
import { checkAtOpening } from './ledgerCheck.ts';
import type { LedgerDeps } from './ledgerFile.ts';
import {
  type LedgerFiles,
  mirrorOf,
  readMirror,
  whyNotMirrored,
  whyNotStartAnew,
} from './ledgerMirror.ts';
import { migrate, SCHEMA_VERSION, schemaState } from './ledgerSchema.ts';
import { inSnapshot } from './sqliteFile.ts';

/** A reason not to trust the ledger, found while opening it. */
export interface Distrust {
  readonly why: string;
  /** Its own content is wrong; otherwise it is sound but not the one that is wanted. */
  readonly damaged: boolean;
  /** A newer program's, or another one's. */
  readonly notOurs?: boolean;
}

/** Migrates and checks. The mirror is read first: the ledger, read later, can then only say more. */
export function examine(
  db: DatabaseSync,
  { files, sha256 }: Pick<LedgerDeps, 'files' | 'sha256'>,
  newId: NewId,
): Distrust | undefined {
  const before = readMirror(files.mirror);
  if (schemaState(db).kind === 'empty') {
    const why = whyNotStartAnew(files);
    if (why !== undefined) return { why, damaged: false };
  }
  const schema = migrate(db, newId);
  if (schema.kind === 'newer' || schema.kind === 'foreign') {
    return { why: whyNotReadable(files, schema), damaged: false, notOurs: true };
  }
  return inSnapshot(db, () => {
    const [finding] = checkAtOpening(db, sha256);
    if (finding !== undefined) return { why: finding, damaged: true };
    const book = openBook(db, sha256, () => false);
    const why = whyNotMirrored(files, before, mirrorOf(book), book.hashOf);
    return why === undefined ? undefined : { why, damaged: false };
  });
}

function whyNotReadable(
  files: LedgerFiles,
  schema: { readonly kind: 'newer'; readonly version: number } | { readonly kind: 'foreign' },
): string {
  return schema.kind === 'newer'
    ? `expected the ledger ${files.ledger} to have schema version ${SCHEMA_VERSION} or older, got ${schema.version}; update this program`
    : `expected a ledger in ${files.ledger}, got another program's database; move it away`;
}
