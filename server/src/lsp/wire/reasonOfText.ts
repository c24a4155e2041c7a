/** Reads a reason back from the form that the ledger keeps, so that old routes are explained in the same sentences as new ones. */
import { nanoUsdFromDollars } from '../../core/price.ts';
import { type Reason, reasonCodes, reasonSentence } from '../../core/reason.ts';
import { formatUsd } from '../../core/report.ts';
import { english, type Translate } from '../../core/translate.ts';

/** The sentence of a stored reason. One that is no reason (the code of a failure) stays as it is, in words. */
export function sentenceOfText(
  text: string,
  names: (modelId: string) => string,
  t: Translate = english,
): string {
  const reason = reasonOfText(text);
  const words = t(`${text.replaceAll('_', ' ')}.`);
  if (reason === undefined) return words;
  try {
    return reasonSentence(reason, names, formatUsd, t);
  } catch {
    // A row that another version wrote with other facts must not cost the whole page.
    return words;
  }
}

function reasonOfText(text: string): Reason | undefined {
  const [, code = '', inner = ''] = /^(\w+)\((.*)\)$/s.exec(text) ?? [];
  if (!(reasonCodes as readonly string[]).includes(code)) return undefined;
  const facts = Object.fromEntries(
    // A fact's value may hold a comma, a next fact's name may not.
    inner.split(/, (?=\w+=)/).map((fact) => factOf(fact)),
  );
  // `reasonText` wrote it from a Reason of this very code, with all its facts.
  return { code, facts } as unknown as Reason;
}

/** Facts that are text even where they look like numbers. `wanted` is a model's id or a wanted quality. */
const TEXTS = new Set(['model', 'draft', 'rule', 'task', 'because', 'failure', 'period', 'needs']);

function factOf(fact: string): [string, string | number] {
  const at = fact.indexOf('=');
  const name = fact.slice(0, at);
  const value = fact.slice(at + 1);
  if (TEXTS.has(name)) return [name, value];
  if (name.endsWith('_usd')) {
    return [
      camelCase(`${name.slice(0, -'_usd'.length)}_nano_usd`),
      nanoUsdFromDollars(Number(value)),
    ];
  }
  const isNumber = /^-?\d+(\.\d+)?$/.test(value);
  return [camelCase(name), isNumber ? Number(value) : value];
}

function camelCase(name: string): string {
  return name.replace(/_(\w)/g, (_all, letter: string) => letter.toUpperCase());
}
