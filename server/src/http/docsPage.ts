/**
 * The OpenAPI document as a page of plain HTML: no script, nothing from elsewhere, one style sheet under a nonce.
 * All text goes through one escape, although all of it is the program's own.
 */
import { randomBytes } from 'node:crypto';
import type { OpenAPIHono } from '@hono/zod-openapi';

type Document = ReturnType<OpenAPIHono['getOpenAPI31Document']>;
type Schemas = NonNullable<NonNullable<Document['components']>['schemas']>;
type Schema = Schemas[string];
type PathItem = NonNullable<Document['paths']>[string];
type Operation = NonNullable<PathItem['get']>;
type Responses = NonNullable<Operation['responses']>;

const style = `
  :root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
  body { max-width: 60rem; margin: 0 auto; padding: 1rem; }
  h2 { margin-top: 2.5rem; border-top: 1px solid; padding-top: 1rem; }
  code, h2, h3 { font-family: ui-monospace, monospace; }
  table { border-collapse: collapse; width: 100%; }
  th, td { text-align: left; vertical-align: top; padding: 0.25rem 0.75rem 0.25rem 0; }
  td:last-child { width: 55%; }
`;

export function docsPage(document: Document): Response {
  const nonce = randomBytes(16).toString('base64');
  const headers = {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': `default-src 'none'; style-src 'nonce-${nonce}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  };
  const { title, version, description = '' } = document.info;
  const operations = Object.entries(document.paths ?? {}).flatMap(([path, item]) =>
    operationsOf(path, item),
  );
  const shapes = Object.entries(document.components?.schemas ?? {}).map(
    ([name, schema]) => `<h3 id="${escaped(name)}">${escaped(name)}</h3>${fields(schema)}`,
  );
  const html = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>${escaped(title)}</title><style nonce="${nonce}">${style}</style></head>
<body>
<h1>${escaped(title)} ${escaped(version)}</h1>
<p>${prose(description)} The same as <a href="/openapi.json">OpenAPI</a>.</p>
${operations.join('\n')}
<h2>Shapes</h2>
${shapes.join('\n')}
</body>
</html>
`;
  return new Response(html, { headers });
}

function operationsOf(path: string, item: PathItem): string[] {
  return (['get', 'post'] as const).flatMap((method) => {
    const operation = item[method];
    return operation === undefined
      ? []
      : [operationHtml(`${method.toUpperCase()} ${path}`, operation)];
  });
}

function operationHtml(name: string, operation: Operation): string {
  const { summary = '', description = '', requestBody, responses = {} } = operation;
  const body = requestBody !== undefined && 'content' in requestBody ? requestBody.content : {};
  const takes = Object.entries(body).map(
    ([type, { schema }]) => `<p>Takes <code>${escaped(type)}</code>: ${typeHtml(schema)}</p>`,
  );
  return `<h2>${escaped(name)}</h2>
<p>${prose(summary)} ${prose(description)}</p>
${takes.join('\n')}
<table><tr><th>Status</th><th>Reply</th><th></th></tr>${responseRows(responses)}</table>`;
}

function responseRows(responses: Responses): string {
  const rows = Object.entries(responses).map(([status, response]) => {
    const content: Record<string, { schema?: Schema }> = response.content ?? {};
    const types = Object.entries(content).map(
      ([type, { schema }]) => `<code>${escaped(type)}</code>: ${typeHtml(schema)}`,
    );
    return `<tr><td>${escaped(status)}</td><td>${types.join('<br>')}</td><td>${prose(response.description ?? '')}</td></tr>`;
  });
  return rows.join('');
}

function fields(schema: Schema): string {
  if ('$ref' in schema || schema.properties === undefined) return `<p>${typeHtml(schema)}</p>`;
  const required = new Set(schema.required ?? []);
  const rows = Object.entries(schema.properties).map(([name, field]) => {
    const optional = required.has(name) ? '' : ' (optional)';
    return `<tr><td><code>${escaped(name)}</code>${optional}</td><td>${typeHtml(field)}</td><td>${prose(field.description ?? '')}</td></tr>`;
  });
  return `<table>${rows.join('')}</table>`;
}

/** A type in a few words; a named shape is a link to its table. */
function typeHtml(schema: Schema | undefined): string {
  if (schema === undefined) return 'anything';
  if ('$ref' in schema) {
    const name = schema.$ref?.split('/').at(-1) ?? '';
    return `<a href="#${escaped(name)}">${escaped(name)}</a>`;
  }
  const parts = schema.allOf ?? schema.anyOf ?? schema.oneOf;
  if (parts !== undefined) {
    return parts
      .map(typeHtml)
      .filter((text) => text !== '')
      .join(' or ');
  }
  if (schema.enum !== undefined) {
    return schema.enum
      .map((value) => `<code>${escaped(JSON.stringify(value))}</code>`)
      .join(' or ');
  }
  if (schema.items !== undefined) return `list of ${typeHtml(schema.items)}`;
  if (schema.properties !== undefined) return fields(schema);
  return escaped([schema.type ?? []].flat().join(' or '));
}

/** Descriptions hold `code` between backticks and nothing else of Markdown. */
function prose(text: string): string {
  return escaped(text).replace(/`([^`]+)`/g, '<code>$1</code>');
}

function escaped(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  };
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? '');
}
