// The calls of REST from the OpenAPI document that `GET /openapi.json` gives.
import { code, type Page, page, prose, table } from './markdown.ts';
import { fieldTable, type Schema, typeOf } from './schemaText.ts';

interface Content {
  readonly content?: Readonly<Record<string, { readonly schema?: Schema }>>;
}

interface Operation {
  readonly summary?: string;
  readonly description?: string;
  readonly security?: readonly object[];
  readonly requestBody?: Content;
  readonly responses: Readonly<Record<string, Content & { readonly description: string }>>;
}

export interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

export function restPage({ paths, components }: OpenApi): Page {
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) =>
      operationText(`${method.toUpperCase()} ${path}`, operation),
    ),
  );
  const shapes = Object.entries(components.schemas).map(([name, schema]) =>
    [`### ${name}`, prose(schema.description ?? ''), shapeText(schema)]
      .filter((part) => part !== '')
      .join('\n\n'),
  );
  return page('reference/rest.md', 'REST: calls and shapes', '`/openapi.json`', [
    '[REST](../REST.md) leads through a first call, errors and limits. A running server has this page at `/docs`, too.',
    ...operations,
    '## Shapes',
    ...shapes,
  ]);
}

function operationText(name: string, operation: Operation): string {
  const { summary = '', description = '', security = [], requestBody, responses } = operation;
  const rows = Object.entries(responses).map(([status, response]) => [
    status,
    typesOf(response),
    prose(response.description),
  ]);
  return [
    `## ${name}`,
    [summary, description, security.length === 0 ? 'No token is asked for.' : '']
      .map(prose)
      .join(' '),
    ...(requestBody === undefined ? [] : [`Takes ${typesOf(requestBody)}.`]),
    table(['status', 'reply', ''], rows),
  ].join('\n\n');
}

function typesOf({ content = {} }: Content): string {
  return Object.entries(content)
    .map(([type, { schema }]) => `${code(type)}: ${typeOf(schema)}`)
    .join(', ');
}

function shapeText(schema: Schema): string {
  const table_ = fieldTable(schema);
  return table_.split('\n').length > 2 ? table_ : typeOf(schema);
}
