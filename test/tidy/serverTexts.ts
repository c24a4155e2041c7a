/** Every text that the language server says, read from its sources. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { knownForms } from '../../server/src/lsp/wire/retold.ts';

const root = resolve(import.meta.dirname, '../..');

/** Literal first arguments of `t(…)` and `l10n.t(…)` below a folder. */
export function visibleTexts(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) => {
      const code = readFileSync(join(root, folder, file), 'utf8');
      return [...code.matchAll(/\bt\(\s*('(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")/g)];
    })
    .map(([, literal = '']) => literal.slice(1, -1).replaceAll(/\\(.)/g, '$1'));
}

interface FittedTasks {
  readonly tasks: readonly { readonly name: string; readonly label: string }[];
}

/** The names of tasks are told in reasons and reports, their labels in the parts of a score. */
export function serverTexts(): string[] {
  const { tasks } = JSON.parse(
    readFileSync(join(root, 'models/score.json'), 'utf8'),
  ) as FittedTasks;
  return [
    ...visibleTexts('server/src/core'),
    ...visibleTexts('server/src/lsp'),
    ...knownForms,
    ...tasks.flatMap(({ name, label }) => [name, label]),
  ];
}
