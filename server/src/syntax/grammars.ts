/**
 * Loads the syntax parser and its grammars, each when first needed: from `grammars/` beside the bundled program, or from the
 * package they come from. A grammar that can't be loaded is no error; its language has no structure then.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Language, Parser } from '@vscode/tree-sitter-wasm';

interface Runtime {
  readonly Parser: typeof Parser;
  readonly Language: typeof Language;
  readonly folder: string;
}

const require = createRequire(import.meta.url);

let runtime: Promise<Runtime> | undefined;
const parsers = new Map<string, Promise<Parser | undefined>>();

/** One parser per grammar and use; parsing with it is for one caller at a time. */
export function parserFor(
  grammar: string,
  onProblem: (message: string) => void,
  use: 'structure' | 'check' = 'structure',
): Promise<Parser | undefined> {
  const key = `${use} ${grammar}`;
  const known = parsers.get(key);
  if (known !== undefined) return known;
  const loading = loadParser(grammar).catch((error: unknown) => {
    const why = error instanceof Error ? error.message : String(error);
    onProblem(`expected the grammar of ${grammar}, got: ${why}; its code has no structure here`);
    return undefined;
  });
  parsers.set(key, loading);
  return loading;
}

async function loadParser(grammar: string): Promise<Parser> {
  runtime ??= loadRuntime();
  const { Parser: ParserClass, Language: LanguageClass, folder } = await runtime;
  const wasm = await readFile(join(folder, `tree-sitter-${grammar}.wasm`));
  const parser = new ParserClass();
  parser.setLanguage(await LanguageClass.load(wasm));
  return parser;
}

async function loadRuntime(): Promise<Runtime> {
  const bundled = join(import.meta.dirname, 'grammars');
  // The package is CommonJS, so in the bundle's folder, where `.js` is a module, its script is named `.cjs`.
  const script = existsSync(join(bundled, 'tree-sitter.cjs'))
    ? join(bundled, 'tree-sitter.cjs')
    : require.resolve('@vscode/tree-sitter-wasm');
  const loaded = require(script) as Omit<Runtime, 'folder'>;
  const folder = dirname(script);
  await loaded.Parser.init({ locateFile: (file) => join(folder, file) });
  return { Parser: loaded.Parser, Language: loaded.Language, folder };
}
