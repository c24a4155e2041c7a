/**
 * A second, tiny record of the money beside the ledger, so that a deleted, emptied, replaced or older ledger is noticed,
 * never starts again at zero unseen, and can be rebuilt. It is written after commits: before a call leaves, with what is
 * held for it, and after its end. So the ledger that it belongs to always knows of everything that it says. It is written
 * in place, because a rename makes some file systems write the whole file out first, which takes as long as a commit; its
 * hash tells a reader, who may come in between, whether it is whole.
 */
import { hash } from 'node:crypto';
import {
  closeSync,
  copyFileSync,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { basename, dirname } from 'node:path';
import { z } from 'zod';
import type { Balance } from '../core/budget.ts';
import { dollars, nanoUsd } from '../core/price.ts';
import type { NanoUsd } from '../core/types.ts';
import type { Book } from './ledgerBook.ts';
import { fileId, renameDatabase } from './sqliteFile.ts';

const amounts = z.record(z.string(), z.int().nonnegative().transform(nanoUsd));

/** Each month's spend, which is all that the first version of this program kept, and that is kept of a team's ledger. */
const firstSchema = z.strictObject({
  version: z.literal(1),
  ledgerId: z.string(),
  spentNanoUsd: amounts,
});

const mirrorSchema = z.strictObject({
  version: z.literal(2),
  ledgerId: z.string(),
  spentNanoUsd: amounts,
  /** The newest event; the ledger must have it. */
  last: z.object({ seq: z.int(), hash: z.string() }).nullable(),
  /** Spent and held together: all months, the latest day, and the workspaces of the latest month. */
  atMostNanoUsd: z.object({ month: amounts, day: amounts, workspace: amounts }),
});

export type Mirror = z.infer<typeof mirrorSchema>;

/** As it lies in the file: the second version with the hash of all its other fields. */
const hashedSchema = z.looseObject({ version: z.literal(3), sha256: z.string() });

export const NOTHING_MIRRORED = { month: {}, day: {}, workspace: {} };

export function mirrorOf(
  book: Pick<Book, 'ledgerId' | 'months' | 'workspaces' | 'lastEvent' | 'latest' | 'balance'>,
): Mirror {
  const months = book.months();
  const month = book.latest('month');
  const day = book.latest('day');
  const days = new Map(day === undefined ? [] : [[day, book.balance('day', day)] as const]);
  const workspaces = month === undefined ? new Map() : book.workspaces(month);
  const spent = [...months].map(([key, { spentNanoUsd }]) => [key, spentNanoUsd]);
  return {
    version: 2,
    ledgerId: book.ledgerId,
    spentNanoUsd: Object.fromEntries(spent),
    last: book.lastEvent() ?? null,
    atMostNanoUsd: { month: atMost(months), day: atMost(days), workspace: atMost(workspaces) },
  };
}

function atMost(balances: ReadonlyMap<string, Balance>): Record<string, NanoUsd> {
  return Object.fromEntries(
    [...balances].map(([key, { spentNanoUsd, heldNanoUsd }]) => [
      key,
      nanoUsd(spentNanoUsd + heldNanoUsd),
    ]),
  );
}

export type MirrorRead =
  | { readonly kind: 'none' }
  | { readonly kind: 'read'; readonly mirror: Mirror }
  | { readonly kind: 'unreadable' };

/** The command that begins a new ledger with all that is known of the old one. */
export const REBUILD = 'cost-aware-router ledger rebuild';

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

/** Another process may be writing it at this moment. */
const MOST_READS = 3;

export function readMirror(path: string): MirrorRead {
  for (let reads = 1; ; reads += 1) {
    const read = readOnce(path);
    if (read.kind !== 'unreadable' || reads === MOST_READS) return read;
  }
}

function readOnce(path: string): MirrorRead {
  let content: string;
  try {
    content = readFileSync(path, 'utf8');
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    return { kind: missing ? 'none' : 'unreadable' };
  }
  try {
    const read = z.union([mirrorSchema, firstSchema]).parse(withoutHash(JSON.parse(content)));
    if (read.version === 2) return { kind: 'read', mirror: read };
    const atMostNanoUsd = { ...NOTHING_MIRRORED, month: read.spentNanoUsd };
    return { kind: 'read', mirror: { ...read, version: 2, last: null, atMostNanoUsd } };
  } catch {
    return { kind: 'unreadable' };
  }
}

/** Throws where the hash is another one: the content is partly an older one's. */
function withoutHash(content: unknown): unknown {
  const hashed = hashedSchema.safeParse(content);
  if (!hashed.success) return content;
  const { version: _, sha256, ...fields } = hashed.data;
  if (hashOf(fields) !== sha256) throw new Error('expected the mirror to match its hash');
  return { version: 2, ...fields };
}

function hashOf(fields: object): string {
  return hash('sha256', JSON.stringify(fields));
}

/** A failure is not reported: the ledger itself holds the money. */
export function writeMirror(
  path: string,
  ownerId: string,
  mirror: Mirror | z.infer<typeof firstSchema>,
): void {
  const draft = `${path}.${ownerId}`;
  try {
    if (mirror.version === 2) {
      const { version: _, ...fields } = mirror;
      const text = JSON.stringify({ version: 3, sha256: hashOf(fields), ...fields });
      if (overwritten(path, text)) return;
      writeFileSync(draft, text, { mode: 0o600 });
    } else {
      writeFileSync(draft, JSON.stringify(mirror), { mode: 0o600 });
    }
    renameSync(draft, path);
  } catch {
    rmSync(draft, { force: true });
  }
}

/** One write that leaves nothing of a longer text behind. False where there is no file yet, or none that may be written. */
function overwritten(path: string, text: string): boolean {
  let file: number;
  try {
    file = openSync(path, 'r+');
  } catch {
    return false;
  }
  try {
    const room = Math.max(fstatSync(file).size, Buffer.byteLength(text));
    const bytes = Buffer.alloc(room, ' ');
    bytes.write(text);
    return writeSync(file, bytes, 0, room, 0) === room;
  } finally {
    closeSync(file);
  }
}

/** Why a missing or empty ledger may not be started anew, or `undefined` when nothing speaks of an earlier one. */
export function whyNotStartAnew(files: LedgerFiles): string | undefined {
  const [damaged] = damagedLedgers(files);
  if (damaged !== undefined) {
    return `expected the ledger ${files.ledger}, but it was damaged and set aside as ${damaged}; rebuild it (${REBUILD}), put a backup in its place, or move ${damaged} and ${basename(files.mirror)} away to start from zero`;
  }
  const read = readMirror(files.mirror);
  if (read.kind === 'none') return undefined;
  if (read.kind === 'unreadable') {
    return `expected the ledger ${files.ledger}, found none, and its mirror ${files.mirror} can't be read; put the ledger back, or move the mirror away to start from zero`;
  }
  const spent = Object.values(read.mirror.spentNanoUsd).reduce((sum, amount) => sum + amount, 0);
  if (spent === 0) return undefined;
  return `expected the ledger ${files.ledger} with $${dollars(spent)} of recorded spend, found it missing or empty; put it back, rebuild it (${REBUILD}), or move ${files.mirror} away to start from zero`;
}

/**
 * Why a ledger that is there is not the one whose spend was mirrored. Read the mirror first, then the ledger.
 * @param hashOf the hash of an event of the ledger; `undefined` where it has no such event
 */
export function whyNotMirrored(
  files: LedgerFiles,
  read: MirrorRead,
  ledger: Pick<Mirror, 'ledgerId' | 'spentNanoUsd'>,
  hashOf: (seq: number) => string | undefined,
): string | undefined {
  if (read.kind !== 'read') return undefined;
  const { ledgerId, spentNanoUsd, last } = read.mirror;
  const months = Object.entries(spentNanoUsd);
  const behind = months.find(([month, spent]) => spent > (ledger.spentNanoUsd[month] ?? 0));
  const other = ledgerId !== ledger.ledgerId && months.some(([, spent]) => spent > 0);
  const shorter = ledgerId === ledger.ledgerId && last !== null && hashOf(last.seq) !== last.hash;
  if (behind === undefined && !other && !shorter) return undefined;
  const what = other
    ? 'the mirror belongs to another ledger'
    : behind === undefined
      ? `the mirror knows its event ${last?.seq}, and the ledger lacks it`
      : `the mirror says $${dollars(behind[1])} for ${behind[0]}, the ledger less`;
  return `expected ${files.ledger} to contain all spend of its mirror, but ${what}; put the right ledger back, rebuild it (${REBUILD}), or move ${files.mirror} away to accept this one`;
}

/** Names of ledgers that were set aside in the same folder, the newest first. */
export function damagedLedgers(files: LedgerFiles): readonly string[] {
  const start = `${basename(stemOf(files.ledger))}.damaged-`;
  return readdirSync(dirname(files.ledger))
    .filter((name) => name.startsWith(start) && name.endsWith('.sqlite'))
    .toSorted()
    .reverse();
}

/** Moves a damaged ledger away whole, under a name that no other one has, and returns that name. */
export function setAside(files: LedgerFiles, atMs: number): string {
  const target = freeName(`${stemOf(files.ledger)}.damaged-${stampOf(atMs)}`, '.sqlite');
  renameDatabase(files.ledger, target);
  return target;
}

/** Keeps the mirror that a rebuild has read, beside what was set aside. */
export function keepMirror(files: LedgerFiles, atMs: number): void {
  if (fileId(files.mirror) === undefined) return;
  const stem = `${stemOf(files.ledger)}.damaged-${stampOf(atMs)}`;
  copyFileSync(files.mirror, freeName(stem, '.mirror.json'));
}

function freeName(stem: string, suffix: string): string {
  let name = stem + suffix;
  for (let n = 2; fileId(name) !== undefined; n += 1) name = `${stem}-${n}${suffix}`;
  return name;
}

function stampOf(atMs: number): string {
  return new Date(atMs).toISOString().replaceAll(/[:.]/g, '-');
}

function stemOf(path: string): string {
  return path.replace(/\.sqlite$/, '');
}
