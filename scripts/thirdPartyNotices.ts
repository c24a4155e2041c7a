// Which packages a build put into its bundles, and the notices that their licences ask for.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';

export interface BundledPackage {
  readonly name: string;
  readonly version: string;
  /** As its manifest names it: `MIT`. */
  readonly licence: string;
  /** The text of its licence file; `undefined` where it has none. */
  readonly text: string | undefined;
}

/** @param inputs paths of bundled files, as esbuild's metafile names them */
export function packagesOf(inputs: readonly string[], root: string): readonly BundledPackage[] {
  const folders = new Set(inputs.flatMap((input) => packageFolder(input) ?? []));
  const found = new Map<string, BundledPackage>();
  for (const folder of folders) {
    const one = packageIn(join(root, folder));
    if (one !== undefined) found.set(`${one.name}@${one.version}`, one);
  }
  return [...found.values()].sort((a, b) => (titleOf(a) < titleOf(b) ? -1 : 1));
}

/** `a/node_modules/@x/y/z.js` lies in `a/node_modules/@x/y`; what lies in no package has none. */
function packageFolder(input: string): string | undefined {
  const parts = input.split(/[\\/]/);
  const at = parts.lastIndexOf('node_modules');
  if (at === -1) return undefined;
  const length = parts[at + 1]?.startsWith('@') ? 3 : 2;
  return parts.slice(0, at + length).join(sep);
}

function packageIn(folder: string): BundledPackage | undefined {
  const path = join(folder, 'package.json');
  if (!existsSync(path)) return undefined;
  const manifest: unknown = JSON.parse(readFileSync(path, 'utf8'));
  if (typeof manifest !== 'object' || manifest === null) return undefined;
  const field = (key: string) => {
    const value: unknown = Reflect.get(manifest, key);
    return typeof value === 'string' ? value : '';
  };
  const file = readdirSync(folder).find((name) => /^(licen[cs]e|copying)(\W|$)/i.test(name));
  return {
    name: field('name'),
    version: field('version'),
    licence: field('license'),
    text: file === undefined ? undefined : readFileSync(join(folder, file), 'utf8').trim(),
  };
}

const RULE = '-'.repeat(80);

export function noticesText(packages: readonly BundledPackage[]): string {
  const sections = packages.map(
    (one) =>
      `${RULE}\n${titleOf(one)}\n${RULE}\n${one.text ?? `This package has no licence file; its manifest says ${one.licence}.`}`,
  );
  return `These packages are part of Cost-Aware Router, each under its own licence.\n\n${sections.join('\n\n')}\n`;
}

function titleOf({ name, version, licence }: BundledPackage): string {
  return `${name}@${version} (${licence})`;
}

/** The reverse of `noticesText`, without the texts. */
export function titlesIn(notices: string): readonly Omit<BundledPackage, 'text'>[] {
  const titles = notices.matchAll(/^-{80}\n(\S+)@([^@\s]+) \((.*)\)\n-{80}$/gm);
  return [...titles].map(([, name = '', version = '', licence = '']) => ({
    name,
    version,
    licence,
  }));
}
