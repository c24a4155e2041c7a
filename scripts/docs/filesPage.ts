// The files that a person writes, from the schemas that read them.
import { fenced, type Page, page } from './markdown.ts';
import { fieldTable, type Schema } from './schemaText.ts';

export interface DescribedFile {
  /** Of its JSON Schema: `registry`. */
  readonly id: string;
  readonly title: string;
  readonly about: string;
  readonly schema: Schema;
}

export function filesPage(files: readonly DescribedFile[]): Page {
  const parts = files.map(({ id, title, about, schema }) =>
    [
      `## ${title}`,
      about,
      fieldTable(schema),
      `JSON Schema for editors: [schemas/${id}.json](/schemas/${id}.json){target="_self"}.`,
    ].join('\n\n'),
  );
  return page('reference/files.md', 'Files', 'the schemas that read these files', [
    'A field that is not listed is a mistake and is told with its line. An editor that knows YAML checks such a file while you write, with this as its first line:',
    fenced('# yaml-language-server: $schema=<address of this site>/schemas/registry.json', 'yaml'),
    ...parts,
  ]);
}

export function schemaFiles(files: readonly DescribedFile[]): readonly Page[] {
  return files.map(({ id, title, schema }) => ({
    path: `public/schemas/${id}.json`,
    text: `${JSON.stringify({ ...schema, title }, null, 2)}\n`,
  }));
}
