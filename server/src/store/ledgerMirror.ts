/**
 * A second, tiny record of each month's spend beside the ledger, so that a deleted, emptied or replaced ledger is noticed
 * and never starts again at zero unseen. It is written after settlements are durable, so it never says more than the
 * ledger that it belongs to.
 */
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { dollars, nanoUsd } from '../core/price.ts';
import { fileId, renameDatabase } from './sqliteFile.ts';

const mirrorSchema = z.strictObject({
  version: z.literal(1),
  ledgerId: z.string(),
  spentNanoUsd: z.record(z.string(), z.int().nonnegative().transform(nanoUsd)),
});

export type Mirror = z.infer<typeof mirrorSchema>;

export type MirrorRead =
  | { readonly kind: 'none' }
  | { readonly kind: 'read'; readonly mirror: Mirror }
  | { readonly kind: 'unreadable' };

export interface LedgerFiles {
  readonly ledger: string;
  readonly mirror: string;
  readonly owners: string;
}

/** All files of a ledger, beside the database itself: `ledger.sqlite`, `ledger.mirror.json`, `ledger.owners/`. */
export function ledgerFiles(path: string): LedgerFiles {
  const stem = stemOf(path);
  return { ledger: path, mirror: `${stem}.mirror.json`, owners: `${stem}.owners` };
}

export function readMirror(path: string): MirrorRead {
  let content: string;
  try {
    content = readFileSync(path, 'utf8');
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    return { kind: missing ? 'none' : 'unreadable' };
  }
  try {
    return { kind: 'read', mirror: mirrorSchema.parse(JSON.parse(content)) };
  } catch {
    return { kind: 'unreadable' };
  }
}

/**
 * Writes what `read` says, until that is still the newest when it is in place: of several processes that write at once,
 * the last one leaves the newest totals. A failure is not reported: the ledger itself holds the money.
 */
export function writeMirror(path: string, ownerId: string, read: () => Mirror): void {
  const draft = `${path}.${ownerId}`;
  try {
    let written: string;
    do {
      written = JSON.stringify(read());
      writeFileSync(draft, written, { mode: 0o600 });
      renameSync(draft, path);
    } while (JSON.stringify(read()) !== written);
  } catch {
    rmSync(draft, { force: true });
  }
}

/** Why a missing or empty ledger may not be started anew, or `undefined` when nothing speaks of an earlier one. */
export function whyNotStartAnew(files: LedgerFiles): string | undefined {
  const stem = basename(stemOf(files.ledger));
  const damaged = readdirSync(dirname(files.ledger)).find((name) =>
    name.startsWith(`${stem}.damaged-`),
  );
  if (damaged !== undefined) {
    return `expected the ledger ${files.ledger}, but it was damaged and set aside as ${damaged}; put a backup in its place, or move ${damaged} and ${basename(files.mirror)} away to start from zero`;
  }
  const read = readMirror(files.mirror);
  if (read.kind === 'none') return undefined;
  if (read.kind === 'unreadable') {
    return `expected the ledger ${files.ledger}, found none, and its mirror ${files.mirror} can't be read; put the ledger back, or move the mirror away to start from zero`;
  }
  const spent = Object.values(read.mirror.spentNanoUsd).reduce((sum, amount) => sum + amount, 0);
  if (spent === 0) return undefined;
  return `expected the ledger ${files.ledger} with $${dollars(spent)} of recorded spend, found it missing or empty; put it back, or move ${files.mirror} away to start from zero`;
}

/** Why a ledger that is there is not the one whose spend was mirrored. Read the mirror first, then the ledger. */
export function whyNotMirrored(
  files: LedgerFiles,
  read: MirrorRead,
  ledger: Pick<Mirror, 'ledgerId' | 'spentNanoUsd'>,
): string | undefined {
  if (read.kind !== 'read') return undefined;
  const { ledgerId, spentNanoUsd } = read.mirror;
  const months = Object.entries(spentNanoUsd);
  const behind = months.find(([month, spent]) => spent > (ledger.spentNanoUsd[month] ?? 0));
  const other = ledgerId !== ledger.ledgerId && months.some(([, spent]) => spent > 0);
  if (behind === undefined && !other) return undefined;
  const what = other
    ? 'the mirror belongs to another ledger'
    : `the mirror says $${dollars(behind?.[1] ?? 0)} for ${behind?.[0]}, the ledger less`;
  return `expected ${files.ledger} to contain all spend of its mirror, but ${what}; put the right ledger back, or move ${files.mirror} away to accept this one`;
}

/** Moves a damaged ledger away whole, under a name that no other one has, and returns that name. */
export function setAside(files: LedgerFiles, atMs: number): string {
  const stamp = new Date(atMs).toISOString().replaceAll(/[:.]/g, '-');
  const stem = join(dirname(files.ledger), `${basename(stemOf(files.ledger))}.damaged-${stamp}`);
  let target = `${stem}.sqlite`;
  for (let n = 2; fileId(target) !== undefined; n += 1) target = `${stem}-${n}.sqlite`;
  renameDatabase(files.ledger, target);
  return target;
}

function stemOf(path: string): string {
  return path.replace(/\.sqlite$/, '');
}
