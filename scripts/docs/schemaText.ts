// A JSON Schema as a table of its fields. Knows as much of JSON Schema as zod and the OpenAPI document write.
import { code, headingId, prose, table } from './markdown.ts';

export interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly title?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly additionalProperties?: Schema | boolean;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly minItems?: number;
  readonly pattern?: string;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
}

/** A field of a form that one value of another field chooses: `provider: local`. */
type Only = string | undefined;

interface Row {
  readonly path: string;
  readonly schema: Schema;
  readonly optional: boolean;
  readonly only: Only;
}

export function fieldTable(schema: Schema): string {
  const rows = rowsOf(schema, '').map(({ path, schema: field, optional, only }) => [
    code(path) + (optional ? '' : ' *'),
    typeOf(field) + limitsOf(field) + defaultOf(field),
    [prose(field.description ?? ''), only === undefined ? '' : `Only with ${code(only)}.`]
      .filter((text) => text !== '')
      .join(' '),
  ]);
  return table(['field (* required)', 'type', 'meaning'], rows);
}

function rowsOf(schema: Schema, path: string): readonly Row[] {
  const variants = [...(schema.oneOf ?? []), ...(schema.anyOf ?? [])].filter(
    ({ properties }) => properties !== undefined,
  );
  if (variants.length > 0) return variantRows(variants, path);
  const own = Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const at = path === '' ? name : `${path}.${name}`;
    const optional = !(schema.required ?? []).includes(name);
    return [{ path: at, schema: field, optional, only: undefined }, ...rowsOf(field, at)];
  });
  const { additionalProperties: more } = schema;
  return [
    ...own,
    ...(typeof more === 'object' ? rowsOf(more, `${path}.NAME`) : []),
    ...(schema.items === undefined ? [] : rowsOf(schema.items, `${path}[]`)),
    ...(schema.allOf ?? []).flatMap((part) => rowsOf(part, path)),
  ];
}

/** Fields that all forms have alike stand once; the rest say of which form they are. */
function variantRows(variants: readonly Schema[], path: string): readonly Row[] {
  const chosenBy = discriminatorOf(variants);
  const forms = variants.map((variant) => ({
    only: chosenBy && `${chosenBy}: ${String(variant.properties?.[chosenBy]?.const)}`,
    rows: rowsOf(
      chosenBy === undefined ? variant : withAllChoices(variant, chosenBy, variants),
      path,
    ),
  }));
  const merged = new Map<string, { readonly row: Row; readonly of: readonly Only[] }>();
  for (const { only, rows } of forms) {
    for (const row of rows) {
      const alike = JSON.stringify([row.path, row.optional, row.schema]);
      merged.set(alike, { row, of: [...(merged.get(alike)?.of ?? []), only] });
    }
  }
  return [...merged.values()].map(({ row, of }) => ({
    ...row,
    only: of.length === forms.length || of.includes(undefined) ? row.only : of.join(', '),
  }));
}

/** The field whose one value tells the forms apart. */
function discriminatorOf([first, ...others]: readonly Schema[]): string | undefined {
  return Object.keys(first?.properties ?? {}).find((name) =>
    [first, ...others].every((form) => form?.properties?.[name]?.const !== undefined),
  );
}

function withAllChoices(variant: Schema, name: string, variants: readonly Schema[]): Schema {
  const { const: _, ...field } = variant.properties?.[name] ?? {};
  const choices = variants.map((each) => each.properties?.[name]?.const);
  return { ...variant, properties: { ...variant.properties, [name]: { ...field, enum: choices } } };
}

/** A type in a few words; a named shape is a link to its heading. */
export function typeOf(schema: Schema | undefined): string {
  if (schema === undefined) return 'anything';
  if (schema.$ref !== undefined) {
    const name = schema.$ref.split('/').at(-1) ?? '';
    return `[${name}](#${headingId(name)})`;
  }
  if (schema.const !== undefined) return code(JSON.stringify(schema.const));
  if (schema.enum !== undefined) {
    return schema.enum.map((value) => code(JSON.stringify(value))).join(' or ');
  }
  const parts = schema.oneOf ?? schema.anyOf ?? schema.allOf;
  if (parts !== undefined) return [...new Set(parts.map(typeOf))].join(' or ');
  if (schema.items !== undefined) return `list of ${typeOf(schema.items)}`;
  const { type } = schema;
  return type === undefined ? 'anything' : [type].flat().join(' or ');
}

function defaultOf({ default: value }: Schema): string {
  return value === undefined ? '' : `, default ${code(JSON.stringify(value))}`;
}

function limitsOf(schema: Schema): string {
  const { minimum, maximum, exclusiveMinimum: above, exclusiveMaximum: below } = schema;
  // What zod writes for "any whole number" says nothing.
  const known = (limit: number | undefined) =>
    limit !== undefined && Math.abs(limit) !== Number.MAX_SAFE_INTEGER;
  const limits = [
    known(minimum) ? `at least ${minimum}` : '',
    above === undefined ? '' : `more than ${above}`,
    known(maximum) ? `at most ${maximum}` : '',
    below === undefined ? '' : `less than ${below}`,
  ].filter((text) => text !== '');
  return limits.length === 0 ? '' : `, ${limits.join(', ')}`;
}
