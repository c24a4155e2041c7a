/** The OpenAPI document is whole and true: every call is in it, every field that a reply holds is described, the page shows it. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import type { Schema } from '../../scripts/docs/schemaText.ts';
import { failure } from '../../server/src/core/errors.ts';
import { ownEvents } from '../../server/src/http/answerEvents.ts';
import { problemStatus } from '../../server/src/http/problems.ts';
import { BIG, fails, LOCAL, MINI, prices, says } from '../support/scriptedPorts.ts';
import { allEvents, scriptedApi } from './httpApi.ts';

interface Operation {
  readonly security: readonly object[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { schema: Schema }>> };
  readonly responses: Readonly<
    Record<string, { description: string; content?: Record<string, { schema: Schema }> }>
  >;
}

interface Document {
  readonly openapi: string;
  readonly info: { readonly version: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

async function documentOf(): Promise<Document> {
  const reply = await scriptedApi().get('/openapi.json');
  assert.equal(reply.headers.get('content-type'), 'application/json');
  return (await reply.json()) as Document;
}

function resolved(document: Document, schema: Schema): Schema {
  if (schema.$ref === undefined) return schema;
  const found = document.components.schemas[schema.$ref.replace('#/components/schemas/', '')];
  assert.ok(found, `${schema.$ref} leads somewhere`);
  return found;
}

/** What in a value the document does not allow, as paths. Knows as much of JSON Schema as the document uses. */
function strangers(document: Document, value: unknown, given: Schema, path: string): string[] {
  const schema = resolved(document, given);
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices !== undefined) {
    const tried = choices.map((one) => strangers(document, value, one, path));
    return tried.find((found) => found.length === 0) ?? tried.flat();
  }
  if (schema.allOf !== undefined) {
    return schema.allOf.flatMap((one) => strangers(document, value, one, path));
  }
  const kind = value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;
  const types = [schema.type ?? []].flat();
  const fits = types.some(
    (type) => type === kind || (type === 'integer' && Number.isInteger(value)),
  );
  if (types.length > 0 && !fits) return [`${path}: ${kind}`];
  if (schema.enum !== undefined && !schema.enum.includes(value)) return [`${path}: ${value}`];
  if (Array.isArray(value)) {
    return value.flatMap((item, at) =>
      strangers(document, item, schema.items ?? {}, `${path}[${at}]`),
    );
  }
  if (typeof value !== 'object' || value === null) return [];
  const missing = (schema.required ?? []).filter((name) => !(name in value));
  return [
    ...missing.map((name) => `${path}.${name}: missing`),
    ...Object.entries(value).flatMap(([name, part]) => {
      const rest = schema.additionalProperties;
      const field = schema.properties?.[name] ?? (typeof rest === 'object' ? rest : undefined);
      return field === undefined
        ? [`${path}.${name}: undescribed`]
        : strangers(document, part, field, `${path}.${name}`);
    }),
  ];
}

function jsonSchema(document: Document, path: string, method: string, status: number): Schema {
  const reply = document.paths[path]?.[method]?.responses[status];
  const schema = reply?.content?.['application/json']?.schema;
  assert.ok(schema, `${method} ${path} ${status} is described`);
  return schema;
}

test('every call is in the document, each with its replies, and only /health without a token', async () => {
  const document = await documentOf();
  assert.deepEqual([document.openapi, document.info.version], ['3.1.0', '1.2.3']);
  const calls = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ path, method, operation })),
  );
  assert.deepEqual(calls.map(({ method, path }) => `${method} ${path}`).sort(), [
    'get /docs',
    'get /health',
    'get /models',
    'get /openapi.json',
    'get /spend',
    'get /v1/models',
    'get /v1/models/{model}',
    'post /generate',
    'post /route',
    'post /v1/chat/completions',
    'post /v1/responses',
  ]);
  for (const { path, operation } of calls) {
    assert.equal(operation.security.length > 0, path !== '/health');
    assert.ok(
      operation.responses['200'] && operation.responses['403'] && operation.responses['500'],
    );
    assert.equal('401' in operation.responses, path !== '/health');
  }
  const statuses = Object.keys(document.paths['/generate']?.['post']?.responses ?? {}).map(Number);
  const others = ['not_found', 'method_not_allowed'];
  for (const [code, status] of Object.entries(problemStatus)) {
    assert.ok(statuses.includes(status) || others.includes(code), `${code} ${status} is described`);
  }
});

test('every field of the document is described, and every reference leads somewhere', async () => {
  const document = await documentOf();
  let fields = 0;
  const walk = (given: Schema, path: string) => {
    const schema = resolved(document, given);
    for (const [name, field] of Object.entries(schema.properties ?? {})) {
      fields += 1;
      const description = field.description ?? resolved(document, field).description;
      const named = field.$ref ?? field.anyOf ?? field.allOf;
      assert.ok(description ?? named, `${path}.${name} is described`);
      walk(field, `${path}.${name}`);
    }
    for (const part of [schema.items, ...(schema.anyOf ?? []), ...(schema.allOf ?? [])]) {
      if (part !== undefined) walk(part, path);
    }
  };
  for (const [name, schema] of Object.entries(document.components.schemas)) walk(schema, name);
  assert.ok(fields > 100, `${fields} fields were seen`);
});

test('real replies hold what the document says, and nothing else', async () => {
  const document = await documentOf();
  const speed = {
    promptTokensPerSecond: 90.5,
    outputTokensPerSecond: 30.25,
    timeToFirstTokenMs: 120,
    samples: 3,
  };
  const big = prices[BIG];
  assert.ok(big);
  const { get, post } = scriptedApi({
    scores: { [LOCAL]: 0.8 },
    answers: {
      [BIG]: [says('first'), fails(failure('bad_key', 'wrong key'))],
      [MINI]: [fails(failure('timeout', 'late'))],
    },
    speeds: { [LOCAL]: speed },
    findings: [],
    prices: { [BIG]: { ...big, tiers: [{ aboveInputTokens: 1000, rates: big.base }] } },
  });
  const ask = (path: string, body: object) => ({ path, method: 'post', reply: post(path, body) });
  const rows = [
    ask('/generate', { prompt: 'Plan it.' }),
    ask('/generate', { prompt: 'Plan it.', dry_run: true }),
    ask('/generate', { prompt: 'Plan something else.', force_model: 'openai' }),
    ask('/generate', { prompt: 'Why?', force_model: 'cheap' }),
    ask('/generate', { prompt: '' }),
    ask('/generate', { prompt: 'Why?', force_model: 'openai', max_cost_usd: 0 }),
    ask('/route', { prompt: 'Why?', max_latency: 60 }),
    { path: '/spend', method: 'get', reply: get('/spend') },
    { path: '/models', method: 'get', reply: get('/models') },
    { path: '/health', method: 'get', reply: get('/health') },
  ];
  for (const { path, method, reply } of rows) {
    const response = await reply;
    const schema = jsonSchema(document, path, method, response.status);
    assert.deepEqual(strangers(document, await response.json(), schema, path), []);
  }
});

test('real events hold what the document says', async () => {
  const document = await documentOf();
  const unsure = says('um', { sure: false });
  const { post } = scriptedApi({
    answers: {
      [LOCAL]: [
        async function* (request, signal) {
          yield { type: 'progress', stage: 'reading', share: 0.5 };
          yield* unsure(request, signal);
        },
      ],
      [BIG]: [fails(failure('timeout', 'late'))],
    },
  });
  const seen = new Set<string>();
  for (const body of [{ prompt: 'Why?' }, { prompt: 'Why?', force_model: 'openai' }]) {
    for (const { event, data } of await allEvents(
      await post('/generate', { ...body, stream: true }),
    )) {
      seen.add(event);
      const name = event === 'end' ? 'Answer' : event === 'error' ? 'Problem' : `event_${event}`;
      const schema = document.components.schemas[name];
      assert.ok(schema, name);
      assert.deepEqual(strangers(document, data, schema, name), []);
    }
  }
  assert.deepEqual([...seen].sort(), [...Object.keys(ownEvents), 'end', 'error'].sort());
});

test('/models and /spend tell prices, speeds and money in dollars, and null where unknown', async () => {
  const { get } = scriptedApi({
    availability: {
      [MINI]: { kind: 'no_api_key' },
      [BIG]: { kind: 'unavailable', why: 'offline' },
    },
    prices: { [MINI]: { ...prices[MINI]!, base: { inputPicoUsd: 250_000, outputPicoUsd: 2e6 } } },
    spentNanoUsd: 3_120_000_000,
  });
  // biome-ignore lint/suspicious/noExplicitAny: compared with literals
  const models: any = await (await get('/models')).json();
  assert.deepEqual(
    // biome-ignore lint/suspicious/noExplicitAny: compared with literals
    models.models.map((model: any) => [model.id, model.availability, model.unavailable_because]),
    [
      [LOCAL, 'ready', undefined],
      [MINI, 'no_api_key', undefined],
      [BIG, 'unavailable', 'offline'],
    ],
  );
  assert.deepEqual([models.models[0].price, models.models[0].speed], [null, null]);
  assert.deepEqual(models.models[1].price.base, {
    input_usd_per_million: 0.25,
    cached_input_usd_per_million: null,
    cache_write_usd_per_million: null,
    output_usd_per_million: 2,
  });
  assert.deepEqual(models.roles, { cheap: LOCAL, escalation: BIG, baseline: BIG });
  // biome-ignore lint/suspicious/noExplicitAny: compared with literals
  const spend: any = await (await get('/spend')).json();
  const { month, resets_on, budget_usd, spent_usd, held_usd, remaining_usd } = spend;
  assert.deepEqual(
    { month, resets_on, budget_usd, spent_usd, held_usd, remaining_usd },
    {
      month: '2026-11',
      resets_on: '2026-12-01',
      budget_usd: 20,
      spent_usd: 3.12,
      held_usd: 0,
      remaining_usd: 16.88,
    },
  );
});

test('the page shows every call, and its policy allows no script and nothing from elsewhere', async () => {
  const { get } = scriptedApi();
  const [first, second] = [await get('/docs'), await get('/docs')];
  const page = await first.text();
  const policy = first.headers.get('content-security-policy') ?? '';
  const nonce = /^default-src 'none'; style-src 'nonce-([^']+)'/.exec(policy)?.[1];
  assert.ok(nonce && page.includes(`<style nonce="${nonce}">`));
  assert.notEqual(second.headers.get('content-security-policy'), policy, 'a nonce is used once');
  assert.doesNotMatch(page, /<script|<link|<img|<iframe|\son\w+=|style="|https?:|url\(|@import/);
  for (const call of [
    'POST /generate',
    'POST /route',
    'GET /spend',
    'GET /models',
    'GET /health',
  ]) {
    assert.ok(page.includes(`<h2>${call}</h2>`), call);
  }
  for (const shape of ['GenerateRequest', 'Answer', 'Trace', 'Problem', 'event_delta']) {
    assert.ok(page.includes(`id="${shape}"`), shape);
  }
  for (const [, anchor] of page.matchAll(/href="#([^"]+)"/g)) {
    assert.ok(page.includes(`id="${anchor}"`), `${anchor} leads somewhere`);
  }
});

test('docs/REST.md has the table of codes and statuses that the program has', async () => {
  const text = await readFile(new URL('../../docs/REST.md', import.meta.url), 'utf8');
  const rows = [...text.matchAll(/^\| `(\w+)` \| (\d{3}) \|/gm)].map(([, code, status]) => [
    code,
    Number(status),
  ]);
  assert.deepEqual(Object.fromEntries(rows), problemStatus);
});
