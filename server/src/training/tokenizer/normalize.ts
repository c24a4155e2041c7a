/** What SentencePiece does to a text before it cuts it into pieces, rule by rule as its `normalizer.cc` has it. */
import { type Normalizer, SPACE } from './pieces.ts';

export interface NormalizeOptions {
  /** Longest first; they pass as they are. */
  readonly userDefined: readonly string[];
  readonly treatWhitespaceAsSuffix: boolean;
}

/** @param begins whether the text stands at the beginning, where the dummy prefix goes */
export function normalize(
  text: string,
  rules: Normalizer,
  options: NormalizeOptions,
  begins: boolean,
): string {
  const wellFormed = text.toWellFormed();
  const replaced =
    rules.charsmap.length === 0 ? wellFormed : replaceCharacters(wellFormed, rules, options);
  const trimmed = rules.removeExtraWhitespaces
    ? replaced.replaceAll(/ {2,}/g, ' ').replaceAll(/^ | $/g, '')
    : replaced;
  if (trimmed === '') return '';
  const prefix = rules.addDummyPrefix && begins && !options.treatWhitespaceAsSuffix ? ' ' : '';
  const suffix = rules.addDummyPrefix && options.treatWhitespaceAsSuffix ? ' ' : '';
  const whole = prefix + trimmed + suffix;
  return rules.escapeWhitespaces ? whole.replaceAll(' ', SPACE) : whole;
}

function replaceCharacters(text: string, rules: Normalizer, options: NormalizeOptions): string {
  const bytes = Buffer.from(text);
  const table = charsmapOf(rules.charsmap);
  const out: Buffer[] = [];
  const kept = options.userDefined.map((symbol) => Buffer.from(symbol));
  let at = 0;
  while (at < bytes.length) {
    const whole = kept.find((symbol) => symbol.equals(bytes.subarray(at, at + symbol.length)));
    const found = whole === undefined ? longestMatch(table, bytes, at) : undefined;
    const length = whole?.length ?? found?.length ?? characterBytes(bytes[at] ?? 0);
    out.push(found?.replacement ?? bytes.subarray(at, at + length));
    at += length;
  }
  return Buffer.concat(out).toString('utf8');
}

interface Charsmap {
  /** Units of a double-array trie as darts-clone lays them out. */
  readonly units: Uint32Array;
  readonly replacements: Buffer;
}

const charsmaps = new WeakMap<Uint8Array, Charsmap>();

function charsmapOf(blob: Uint8Array): Charsmap {
  const known = charsmaps.get(blob);
  if (known !== undefined) return known;
  const view = Buffer.from(blob.buffer, blob.byteOffset, blob.byteLength);
  const trieBytes = view.readUInt32LE(0);
  const units = Uint32Array.from({ length: trieBytes / 4 }, (_, index) =>
    view.readUInt32LE(4 + index * 4),
  );
  const table = { units, replacements: view.subarray(4 + trieBytes) };
  charsmaps.set(blob, table);
  return table;
}

function longestMatch(
  { units, replacements }: Charsmap,
  bytes: Buffer,
  start: number,
): { readonly length: number; readonly replacement: Buffer } | undefined {
  let best: { length: number; value: number } | undefined;
  let node = offsetOf(units[0] ?? 0);
  for (let at = start; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0;
    node ^= byte;
    const unit = units[node] ?? 0;
    if ((unit & 0x8000_00ff) !== byte) break;
    node ^= offsetOf(unit);
    if ((unit >>> 8) & 1) {
      best = { length: at - start + 1, value: (units[node] ?? 0) & 0x7fff_ffff };
    }
  }
  if (best === undefined) return undefined;
  const end = replacements.indexOf(0, best.value);
  return { length: best.length, replacement: replacements.subarray(best.value, end) };
}

function offsetOf(unit: number): number {
  return (unit >>> 10) << ((unit & (1 << 9)) >>> 6);
}

function characterBytes(first: number): number {
  if (first < 0x80) return 1;
  if (first < 0xe0) return 2;
  return first < 0xf0 ? 3 : 4;
}
