/**
 * The language of what the server says: the editor's, from the bundle of translations that the extension ships, or English.
 * The client and its pages read the same bundle, so a text is the same wherever it comes from.
 */
import { readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { english, filled, type Translate } from '../core/translate.ts';

export interface Language {
  /** For dates, as `Intl` takes it. */
  readonly tag: string;
  readonly t: Translate;
}

export const englishLanguage: Language = { tag: 'en-GB', t: english };

const bundleSchema = z.record(z.string(), z.string());

/** @param locale `de`, `de-AT` or `de_DE.UTF-8`; one without a bundle is English */
export function languageOf(locale: string | undefined): Language {
  const tag = (locale ?? '')
    .toLowerCase()
    .replace(/[.@].*$/, '')
    .replaceAll('_', '-');
  // It becomes part of a file name.
  if (!/^[a-z]{2,3}(-[a-z0-9]{2,8})*$/.test(tag)) return englishLanguage;
  for (const wanted of new Set([tag, tag.split('-')[0] ?? tag])) {
    const bundle = readBundle(wanted);
    if (bundle === undefined) continue;
    return { tag: wanted, t: (message, facts) => filled(bundle.get(message) ?? message, facts) };
  }
  return englishLanguage;
}

function readBundle(tag: string): ReadonlyMap<string, string> | undefined {
  const manifest = findPackageJSON('..', import.meta.url);
  if (manifest === undefined) return undefined;
  try {
    const path = join(dirname(manifest), 'l10n', `bundle.l10n.${tag}.json`);
    return new Map(Object.entries(bundleSchema.parse(JSON.parse(readFileSync(path, 'utf8')))));
  } catch {
    // A language without a bundle is the usual case, and a broken one must not keep the server from starting.
    return undefined;
  }
}
