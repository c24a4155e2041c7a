// What the marketplaces ask of a VSIX, read from the file itself.
import { readFileSync } from 'node:fs';
import { unzipSync } from 'fflate';

/** The Marketplace's own limit is 200 MB; this is ours. */
export const LIMIT_BYTES = 20_000_000;
const ICON_PIXELS = 128;

/** https://code.visualstudio.com/api/references/extension-manifest, November 2026. */
const CATEGORIES = new Set([
  'AI',
  'Azure',
  'Chat',
  'Data Science',
  'Debuggers',
  'Education',
  'Extension Packs',
  'Formatters',
  'Keymaps',
  'Language Packs',
  'Linters',
  'Machine Learning',
  'Notebooks',
  'Other',
  'Programming Languages',
  'SCM Providers',
  'Snippets',
  'Testing',
  'Themes',
  'Visualization',
]);

export interface Vsix {
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly manifest: Readonly<Record<string, unknown>>;
}

/** The files below `extension/`, by their path in it. */
export function readVsix(path: string): Vsix {
  const files = new Map<string, Uint8Array>();
  for (const [name, bytes] of Object.entries(unzipSync(readFileSync(path)))) {
    if (name.startsWith('extension/')) files.set(name.slice('extension/'.length), bytes);
  }
  const manifest: unknown = JSON.parse(textOf(files, 'package.json') ?? 'null');
  if (typeof manifest !== 'object' || manifest === null) {
    throw new Error(`expected a manifest in ${path}, found none`);
  }
  return { files, manifest: Object.fromEntries(Object.entries(manifest)) };
}

export function textOf(files: Vsix['files'], name: string): string | undefined {
  const bytes = files.get(name);
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
}

/** What a marketplace would refuse or show badly, one sentence each. */
export function manifestProblems({ manifest, files }: Vsix): readonly string[] {
  const wrong: string[] = [];
  const expect = (holds: boolean, sentence: string) => {
    if (!holds) wrong.push(sentence);
  };
  for (const field of ['name', 'displayName', 'description', 'publisher', 'license', 'main']) {
    const value = manifest[field];
    expect(typeof value === 'string' && value !== '', `expected ${field} in the manifest`);
  }
  const version = String(manifest['version']);
  // The Marketplace has no pre-release suffixes.
  expect(/^\d+\.\d+\.\d+$/.test(version), `expected a version of three numbers, got ${version}`);
  const main = String(manifest['main']).replace(/^\.\//, '');
  expect(files.has(main), `expected ${main}, which the manifest names as main, in the package`);
  const categories = Array.isArray(manifest['categories']) ? manifest['categories'] : [];
  expect(categories.length > 0, 'expected a category');
  for (const one of categories) {
    expect(CATEGORIES.has(one), `expected a category of the Marketplace, got ${String(one)}`);
  }
  const icon = files.get(String(manifest['icon']));
  const size = icon === undefined ? undefined : pngSize(icon);
  expect(
    size !== undefined && size.width >= ICON_PIXELS && size.height >= ICON_PIXELS,
    `expected a PNG of at least ${ICON_PIXELS} x ${ICON_PIXELS} as icon, got ${size === undefined ? 'none' : `${size.width} x ${size.height}`}`,
  );
  for (const file of ['readme.md', 'changelog.md', 'LICENSE.txt', 'dist/ThirdPartyNotices.txt']) {
    const found = [...files.keys()].some((name) => name.toLowerCase() === file.toLowerCase());
    expect(found, `expected ${file} in the package`);
  }
  for (const name of files.keys()) {
    expect(
      !/(^|\/)\.env|\.gguf$|\.map$|^(test|server|client)\//.test(name),
      `expected no ${name} in the package`,
    );
  }
  return wrong;
}

function pngSize(bytes: Uint8Array): { width: number; height: number } | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 24 || view.getUint32(0) !== 0x89504e47) return undefined;
  return { width: view.getUint32(16), height: view.getUint32(20) };
}

/** Pictures of a README by where they come from: a marketplace shows those of an https address alone, and no SVG. */
export function picturesOf(readme: string): readonly string[] {
  const html = readme.matchAll(/<(?:img|source)[^>]*?\s(?:src|srcset)="([^"]+)"/g);
  const markdown = readme.matchAll(/!\[[^\]]*\]\(([^)\s]+)/g);
  return [...html, ...markdown].map(([, source = '']) => source);
}
