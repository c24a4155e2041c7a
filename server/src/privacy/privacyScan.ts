/**
 * What must not leave the machine: secrets in the messages as they would be sent, and files that are kept here whatever is in
 * them. A finding names the rule and the place, never what was found.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { GenerationRequest, PrivacyScan } from '../core/ports.ts';
import type { ContextPart, PrivacyFinding } from '../core/types.ts';
import { fileFindings } from './fileRules.ts';
import { presetRules } from './secretlint.ts';
import { matchedRules } from './secretPatterns.ts';

export interface PrivacyScanOptions {
  /** Patterns as in `.gitignore` of files that a person keeps here; read at every scan. @default none */
  readonly excluded?: () => readonly string[];
}

/** A long text is scanned piece by piece, so that nothing else waits; pieces overlap by more than any secret is long. */
const PIECE_CHARS = 64_000;
const OVERLAP_CHARS = 8_000;
/** A scan that takes longer has found nothing out. */
const DEADLINE_MS = 20_000;

export function createPrivacyScan({ excluded }: PrivacyScanOptions = {}): PrivacyScan {
  return {
    async scan(request, context) {
      const patterns = excluded?.() ?? [];
      const findings: PrivacyFinding[] = [];
      for (const part of context) findings.push(...(await fileFindings(part, patterns)));
      const rules = await rulesIn(sentText(request));
      return rules.length === 0 ? findings : [...findings, ...(await placed(rules, context))];
    },
  };
}

/** Every text of a request that a provider would read: messages first, then tools with their calls and schemas, names included. */
function sentText(request: GenerationRequest): string {
  const texts = [request.system];
  for (const turn of request.turns) {
    texts.push(turn.text);
    if (hasMoreThan(turn, TURN_FIELDS)) {
      const { role: _role, text: _text, ...others } = turn;
      texts.push(...textsIn(others));
    }
  }
  if (hasMoreThan(request, REQUEST_FIELDS)) {
    const { system: _system, turns: _turns, ...others } = request;
    texts.push(...textsIn(others));
  }
  return texts.join('\n\n');
}

/** Most turns and requests have these alone, and taking objects apart is dear beside reading a short text. */
const TURN_FIELDS = new Set(['role', 'text']);
const REQUEST_FIELDS = new Set(['system', 'turns', 'maxOutputTokens']);

function hasMoreThan(value: object, fields: ReadonlySet<string>): boolean {
  for (const name in value) if (!fields.has(name)) return true;
  return false;
}

function textsIn(value: unknown): string[] {
  const texts: string[] = [];
  const left = [value];
  while (left.length > 0) {
    const next = left.pop();
    if (typeof next === 'string') texts.push(next);
    if (typeof next !== 'object' || next === null) continue;
    if (Array.isArray(next)) left.push(...next);
    else for (const [name, inner] of Object.entries(next)) left.push(name, inner);
  }
  return texts;
}

/** Says of each rule in which part of the context it found something, or that it was in what the person wrote. */
async function placed(
  rules: readonly string[],
  context: readonly ContextPart[],
): Promise<PrivacyFinding[]> {
  const findings: PrivacyFinding[] = [];
  for (const part of context) {
    const where = part.path ?? part.kind;
    for (const rule of await rulesIn(part.text)) findings.push({ rule, where });
  }
  const elsewhere = rules.filter((rule) => findings.every((finding) => finding.rule !== rule));
  return [...findings, ...elsewhere.map((rule) => ({ rule, where: 'prompt' }))];
}

async function rulesIn(text: string): Promise<readonly string[]> {
  const rules = new Set<string>();
  const startedMs = performance.now();
  for (let from = 0; from === 0 || from < text.length; from += PIECE_CHARS) {
    if (from > 0) await nextTurn();
    if (performance.now() - startedMs > DEADLINE_MS) throw new Error('the scan took too long');
    const piece = text.slice(from, from + PIECE_CHARS + OVERLAP_CHARS);
    for (const rule of [...matchedRules(piece), ...presetRules(piece)]) rules.add(rule);
  }
  return [...rules];
}
