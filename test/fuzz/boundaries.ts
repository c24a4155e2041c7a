/**
 * Every parser at a boundary, as a property that must hold for whatever comes in: it refuses in its own words, and never
 * throws, hangs or lets through what is not of its contract. fuzz.ts runs them for as long as it is told, fuzz.test.ts shortly.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Readable, Writable } from 'node:stream';
import fc from 'fast-check';
import { readJsonLines } from '../../server/src/cli/jsonLines.ts';
import { ggufHeaderProblem } from '../../server/src/core/ggufHeader.ts';
import type { ModelEvent } from '../../server/src/core/ports.ts';
import { parseUsageExport } from '../../server/src/core/usageExport.ts';
import { readFromHost } from '../../server/src/models/hostMessages.ts';
import { createCloudModels } from '../../server/src/models/openai.ts';
import { parsePricing } from '../../server/src/models/pricing.ts';
import { parseOverlay, parseRegistry } from '../../server/src/models/registry.ts';
import type { Parsed } from '../../server/src/models/yamlFile.ts';
import { routeFrom, traceFrom } from '../../server/src/store/ledgerRoutes.ts';
import { balanceFrom, eventFrom, reservationFrom } from '../../server/src/store/ledgerRows.ts';
import type { Row } from '../../server/src/store/sqliteRows.ts';
import { scriptedApi } from '../edges/httpApi.ts';
import { askOf, openLsp } from '../edges/lspHarness.ts';
import { cloudModel } from '../support/cloudModel.ts';
import { registry } from '../support/scriptedPorts.ts';

export interface Boundary {
  readonly name: string;
  /** How many inputs the short form tries; about a second of work. */
  readonly runs: number;
  readonly open: () => Promise<Opened> | Opened;
}

export interface Opened {
  readonly property: fc.IRawProperty<unknown>;
  readonly close?: () => Promise<void>;
}

/** Any JSON, with the keys that have hurt others. */
const json = fc.jsonValue({ maxDepth: 6, noUnicodeString: false });
const odd = fc.constantFrom<unknown>(
  null,
  -1,
  0,
  1.5,
  1e308,
  -0,
  2 ** 53,
  '',
  '\u0000',
  '__proto__',
  'constructor',
  '\ud800',
  [],
  {},
  true,
);

/** A good value with some of its parts replaced by others, deep inside too. */
function mutated<T>(good: T): fc.Arbitrary<unknown> {
  const change = fc.record({ at: fc.nat(), by: fc.oneof(odd, json), remove: fc.boolean() });
  return fc.array(change, { minLength: 1, maxLength: 3 }).map((changes) => {
    const value = structuredClone({ root: good as unknown });
    for (const { at, by, remove } of changes) {
      const places = placesOf(value);
      const place = places[at % places.length];
      if (place === undefined) continue;
      if (remove && place.key !== 'root') delete place.of[place.key];
      else place.of[place.key] = structuredClone(by);
    }
    return value.root;
  });
}

function placesOf(of: object): { of: Record<string, unknown>; key: string }[] {
  return Object.entries(of).flatMap(([key, value]) => [
    { of: of as Record<string, unknown>, key },
    ...(typeof value === 'object' && value !== null ? placesOf(value) : []),
  ]);
}

/** A good text with pieces cut out, doubled, and put in. */
function mutatedText(good: string, pieces: readonly string[]): fc.Arbitrary<string> {
  const change = fc.record({
    at: fc.nat(good.length),
    cut: fc.nat(40),
    put: fc.oneof(fc.constantFrom(...pieces), fc.string({ unit: 'binary', maxLength: 8 })),
    times: fc.integer({ min: 0, max: 3 }),
  });
  return fc
    .array(change, { minLength: 1, maxLength: 4 })
    .map((changes) =>
      changes.reduce(
        (text, { at, cut, put, times }) =>
          text.slice(0, at) + put.repeat(times) + text.slice(at + cut),
        good,
      ),
    );
}

const YAML_PIECES = [
  '- ',
  ': ',
  '&a ',
  '*a',
  '<<: *a\n',
  '!!binary ',
  '!!js/function ',
  '[',
  '{',
  '"',
  "'",
  '|\n',
  '>\n',
  '\n',
  '\t',
  '#',
  '---\n',
  '...\n',
  '? ',
  '%TAG ! x\n',
  '__proto__: ',
  '\ufeff',
  '1e999',
  '0x',
  '.inf',
  '../',
  '~',
];

const shipped = (name: string) =>
  readFileSync(new URL(`../../models/${name}`, import.meta.url), 'utf8');

function yaml(text: string, parse: (text: string) => Parsed<unknown>): Opened {
  const input = fc.oneof(
    mutatedText(text, YAML_PIECES),
    fc.string({ unit: 'binary', maxLength: 300 }),
    json.map((value) => JSON.stringify(value)),
    fc
      .array(fc.constantFrom(...YAML_PIECES, 'version: 1\n', 'models:\n'), { maxLength: 60 })
      .map((parts) => parts.join('')),
  );
  return {
    property: fc.property(input, (given) => {
      const parsed = parse(given);
      if (parsed.kind === 'ok') return;
      assert.ok(parsed.problems.length > 0 && parsed.problems.length <= 100);
      for (const { line, column, message } of parsed.problems) {
        assert.ok(line >= 1 && column >= 1, message);
        assert.match(message, /expected/);
      }
    }),
  };
}

const responsesEvents = [
  { type: 'response.created', response: { id: 'r' } },
  { type: 'response.output_text.delta', delta: 'Hello' },
  { type: 'response.refusal.delta', delta: 'No' },
  {
    type: 'response.completed',
    response: {
      status: 'completed',
      service_tier: 'default',
      usage: {
        input_tokens: 5,
        output_tokens: 2,
        total_tokens: 7,
        input_tokens_details: { cached_tokens: 1 },
        output_tokens_details: { reasoning_tokens: 1 },
      },
    },
  },
  { type: 'response.failed', response: { error: { code: 'server_error' } } },
  { type: 'error', code: 'x', message: 'y' },
];
const chatEvents = [
  { choices: [{ index: 0, delta: { role: 'assistant', content: 'Hello' } }] },
  { choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] },
  { choices: [], usage: { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7 } },
  { error: { message: 'x', code: 'y' } },
];

/** Bytes of a stream of events, cut into pieces anywhere. */
function eventStream(events: readonly object[]): fc.Arbitrary<readonly Uint8Array[]> {
  const event = fc.oneof(
    fc.constantFrom(...events).map((one) => JSON.stringify(one)),
    fc
      .constantFrom(...events)
      .chain((one) => mutated(one))
      .map((one) => JSON.stringify(one)),
    fc.string({ unit: 'binary', maxLength: 20 }),
    fc.constant('[DONE]'),
  );
  const line = fc.tuple(
    fc.constantFrom('data: ', 'data:', 'event: x\ndata: ', 'id: 1\ndata: ', ': ', ''),
    event,
    fc.constantFrom('\n\n', '\r\n\r\n', '\n', '\r\r', ''),
  );
  return fc.tuple(fc.array(line, { maxLength: 8 }), fc.nat(200)).map(([lines, cut]) => {
    const bytes = Buffer.from(lines.map((parts) => parts.join('')).join(''));
    return [bytes.subarray(0, cut), bytes.subarray(cut)];
  });
}

function cloudStream(provider: 'openai' | 'openai-compatible', events: readonly object[]): Opened {
  return {
    property: fc.asyncProperty(
      eventStream(events),
      fc.constantFrom(200, 200, 200, 400, 429, 500),
      async (pieces, status) => {
        const models = createCloudModels({
          key: () => undefined,
          fetch: async () => {
            const body = new ReadableStream({
              start(controller) {
                for (const piece of pieces) if (piece.length > 0) controller.enqueue(piece);
                controller.close();
              },
            });
            return new Response(body, { status, headers: { 'content-type': 'text/event-stream' } });
          },
        });
        const told: ModelEvent[] = [];
        const request = {
          system: '',
          turns: [{ role: 'user', text: 'a' }],
          maxOutputTokens: 10,
        } as const;
        for await (const one of models.generate(
          cloudModel(provider),
          request,
          new AbortController().signal,
        ))
          told.push(one);
        const last = told.at(-1);
        assert.ok(last?.type === 'end' || last?.type === 'failed', 'the last event is an end');
        assert.equal(told.filter(({ type }) => type === 'end' || type === 'failed').length, 1);
        for (const one of told)
          if (one.type === 'text-delta') assert.equal(typeof one.text, 'string');
        if (last.type === 'end') {
          for (const tokens of Object.values(last.usage)) {
            assert.ok(
              tokens === undefined ||
                typeof tokens === 'string' ||
                (Number.isSafeInteger(tokens) && tokens >= 0),
            );
          }
        }
      },
    ),
  };
}

const hostMessages = [
  { type: 'progress', requestId: 1, stage: 'queued', share: 0 },
  { type: 'delta', requestId: 1, text: 'a', logProbs: [{ text: 'a', logProb: -0.1 }] },
  {
    type: 'end',
    requestId: 1,
    finish: 'stop',
    usage: {
      inputTokens: 1,
      cachedInputTokens: 0,
      cacheWriteTokens: undefined,
      outputTokens: 1,
      reasoningTokens: 0,
    },
    logProbs: [{ text: 'a', logProb: -0.1 }],
    stats: { promptTokens: 1, reusedTokens: 0, outputTokens: 1, readingMs: 1, writingMs: 1 },
  },
  {
    type: 'failed',
    requestId: 1,
    failure: { code: 'internal', message: 'x', retryable: true, billing: 'nothing' },
  },
  { type: 'unloaded', modelId: 'm', remaining: 0 },
];

const ledgerRow = {
  seq: 1,
  kind: 'settled',
  reservation_id: 'r',
  at_ms: 1,
  owner: 'o',
  amount_nano_usd: 5,
  details: '{}',
  hash: 'h',
  id: 'r',
  prompt_id: 'p',
  model_id: 'm',
  price_row_id: 'm@1',
  fingerprint: 'f',
  bound_nano_usd: 9,
  booked_nano_usd: 5,
  month: '2026-11',
  day: '2026-11-01',
  session_id: null,
  workspace_id: null,
  state: 'settled',
  spent_nano_usd: 1,
  held_nano_usd: 0,
};

/** How JavaScript complains about a value of another kind than its code expected. */
const DEFECT =
  /undefined|is not a function|is not iterable|Cannot |must be of type|Unexpected token/;

/** Methods of the wire contract, as protocol.ts lists them, so that a new one is tried as soon as it is there. */
const methods = [
  ...readFileSync(new URL('../../server/src/protocol.ts', import.meta.url), 'utf8').matchAll(
    /readonly '(costAwareRouter\/\w+)': \[/g,
  ),
].map(([, method = '']) => method);

async function httpBodies(): Promise<Opened> {
  const UNLIMITED = { perSecond: 1e9, burst: 1e9 };
  const scripted = scriptedApi({}, { limits: { rate: UNLIMITED, strangerRate: UNLIMITED } });
  const document = (await (await scripted.get('/openapi.json')).json()) as {
    paths: Record<string, Record<string, unknown>>;
  };
  const posts = Object.entries(document.paths).flatMap(([path, calls]) =>
    'post' in calls ? [path] : [],
  );
  assert.ok(posts.length > 1, 'the document has calls with bodies');
  const good = {
    prompt: 'a',
    max_cost_usd: 1,
    force_model: 'cheap',
    context: [{ kind: 'file', text: 'x', path: 'p' }],
    history: [{ role: 'user', text: 'x' }],
    model: 'auto',
    messages: [{ role: 'user', content: 'x' }],
    input: 'x',
    stream: false,
    dry_run: true,
  };
  const body = fc.oneof(
    mutated(good).map((value) => JSON.stringify(value) ?? ''),
    json.map((value) => JSON.stringify(value)),
    fc.string({ unit: 'binary', maxLength: 100 }),
    mutatedText(JSON.stringify(good), [
      '{',
      '}',
      '[',
      ']',
      '"',
      ',',
      ':',
      '\\u0000',
      '\\ud800',
      '1e999',
      '-',
      'null',
    ]),
  );
  return {
    property: fc.asyncProperty(fc.constantFrom(...posts), body, async (path, text) => {
      const reply = await scripted.post(path, text);
      const said = await reply.text();
      assert.ok(reply.status < 500, `${path}: ${reply.status} ${said}`);
      if (reply.status >= 400) assert.equal(typeof JSON.parse(said).error.message, 'string');
      assert.deepEqual(scripted.defects, []);
    }),
  };
}

async function lspParams(): Promise<Opened> {
  const lsp = await openLsp();
  const { client } = lsp;
  const good = {
    ...askOf('Why?'),
    promptId: 'p',
    verdict: 'up',
    month: '2026-11',
    format: 'csv',
    modelId: 'm',
    uri: 'file:///a.ts',
    codeHash: 'h',
    task: 'explain',
    range: { uri: 'file:///a.ts', startLine: 0, endLine: 1 },
    key: 'sk-x',
    baseUrl: 'https://x.example',
  };
  const params = fc.oneof(mutated(good), json, fc.constant(undefined));
  return {
    property: fc.asyncProperty(fc.constantFrom(...methods), params, async (method, given) => {
      // Refused or answered, but in any case something comes back, and the server goes on.
      const value = typeof given === 'object' && given !== null ? given : {};
      await client
        .sendRequest(method, value)
        .catch((error: Error) => assert.doesNotMatch(error.message, DEFECT));
      assert.equal(typeof (await lsp.request('costAwareRouter/status', null)), 'object');
    }),
    close: () => lsp.close(),
  };
}

async function jsonLines(bytes: Uint8Array): Promise<void> {
  const io = {
    stdin: Object.assign(Readable.from([bytes]), { isTTY: false }),
    cwd: import.meta.dirname,
    stdout: new Writable(),
    stderr: new Writable(),
    env: {},
    version: '',
    signal: new AbortController().signal,
    createApp: () => Promise.reject(new Error('unused')),
  };
  let before = 0;
  for await (const line of readJsonLines(
    '-',
    io as unknown as Parameters<typeof readJsonLines>[1],
  )) {
    assert.ok(line.line > before);
    before = line.line;
    if (line.kind === 'object') assert.equal(Object.getPrototypeOf(line.value), Object.prototype);
    else assert.match(line.message, /^expected /);
  }
}

/** The start of a sound file: one text, one list of texts, one number, one tensor. */
const ggufHeader: Buffer = (() => {
  const u32 = (value: number) => Buffer.from(Uint32Array.of(value).buffer);
  const u64 = (value: number) => Buffer.from(BigUint64Array.of(BigInt(value)).buffer);
  const text = (value: string) => [u64(value.length), Buffer.from(value)];
  return Buffer.concat([
    ...[Buffer.from('GGUF'), u32(3), u64(1), u64(3)],
    ...[...text('general.architecture'), u32(8), ...text('llama')],
    ...[...text('tokens'), u32(9), u32(8), u64(2), ...text('a'), ...text('b')],
    ...[...text('llama.block_count'), u32(4), u32(1)],
    ...[...text('w'), u32(2), u64(2), u64(2), u32(0), u64(0)],
    Buffer.alloc(64),
  ]);
})();

function ggufHeaders(): Opened {
  const change = fc.record({
    at: fc.nat(ggufHeader.length),
    put: fc.uint8Array({ maxLength: 9 }),
    cut: fc.nat(3),
  });
  const changed = fc
    .array(change, { maxLength: 4 })
    .map((changes) =>
      changes.reduce(
        (bytes, { at, put, cut }) =>
          Buffer.concat([
            bytes.subarray(0, at),
            put,
            bytes.subarray(at + (cut === 0 ? put.length : cut)),
          ]),
        ggufHeader,
      ),
    );
  return {
    property: fc.property(fc.oneof(changed, fc.uint8Array({ maxLength: 200 })), (bytes) => {
      let reads = 0;
      const problem = ggufHeaderProblem({
        sizeBytes: bytes.length,
        read(window, at) {
          reads += 1;
          const part = bytes.subarray(at, at + window.length);
          window.set(part);
          return part.length;
        },
      });
      // A window holds the whole of it, so whatever its counts say, it is read once.
      assert.ok(reads <= 1, `${reads} reads`);
      if (problem === undefined) assert.equal(Buffer.from(bytes).toString('latin1', 0, 4), 'GGUF');
      else assert.match(problem, /^(it|its|a tensor) /);
    }),
  };
}

/** SQLite hands out numbers, texts, bytes and NULL, whatever its file holds. */
function sqlRow(value: unknown): Row {
  const entries = Object.entries(typeof value === 'object' && value !== null ? value : {});
  return Object.fromEntries(
    entries.map(([key, held]) => [
      key,
      typeof held === 'object' && held !== null
        ? new Uint8Array(1)
        : typeof held === 'boolean'
          ? 1
          : held,
    ]),
  );
}

/** A reader of rows may throw, but only its own error, which the ledger takes for damage. */
function rowOrDamage(read: () => unknown): void {
  try {
    read();
  } catch (error) {
    assert.ok(error instanceof Error);
    assert.match(error.message, /expected|JSON|safe integer|whole number/i);
  }
}

export const boundaries: readonly Boundary[] = [
  {
    name: 'registry.yaml',
    runs: 150,
    open: () => yaml(shipped('registry.yaml'), (text) => parseRegistry('registry.yaml', text)),
  },
  {
    name: 'registry.yaml of a user',
    runs: 150,
    open: () =>
      yaml(shipped('registry.yaml'), (text) => parseOverlay('registry.yaml', text, registry)),
  },
  {
    name: 'pricing.yaml',
    runs: 150,
    open: () => yaml(shipped('pricing.yaml'), (text) => parsePricing('pricing.yaml', text)),
  },
  { name: 'HTTP bodies', runs: 200, open: httpBodies },
  { name: 'LSP params', runs: 150, open: lspParams },
  { name: 'GGUF headers', runs: 2000, open: ggufHeaders },
  {
    name: 'events of the Responses API',
    runs: 150,
    open: () => cloudStream('openai', responsesEvents),
  },
  {
    name: 'events of Chat Completions',
    runs: 150,
    open: () => cloudStream('openai-compatible', chatEvents),
  },
  {
    name: 'messages of the model host',
    runs: 1000,
    open: () => ({
      property: fc.property(
        fc.oneof(fc.constantFrom(...hostMessages).chain(mutated), json, odd),
        (value) => {
          const read = readFromHost(value);
          if (read === undefined) return;
          assert.ok(hostMessages.some(({ type }) => type === read.type) || read.type === 'loaded');
          if (read.type === 'delta') assert.equal(typeof read.text, 'string');
          if (read.type === 'progress') assert.ok(read.share >= 0 && read.share <= 1);
          if (read.type === 'failed') assert.equal(read.failure.billing, 'nothing');
        },
      ),
    }),
  },
  {
    name: 'rows of the ledger',
    runs: 1000,
    open: () => ({
      property: fc.property(fc.oneof(mutated(ledgerRow), json), (value) => {
        const row = sqlRow(value);
        rowOrDamage(() => assert.ok(Number.isSafeInteger(eventFrom(row).amountNanoUsd)));
        rowOrDamage(() => assert.ok(Number.isSafeInteger(reservationFrom(row).boundNanoUsd)));
        rowOrDamage(() => assert.ok(Number.isSafeInteger(balanceFrom(row).spentNanoUsd)));
        rowOrDamage(() => routeFrom(row));
        rowOrDamage(() => traceFrom(JSON.stringify(value) ?? ''));
      }),
    }),
  },
  {
    name: 'lines of JSON',
    runs: 300,
    open: () => ({
      property: fc.asyncProperty(
        fc.oneof(
          fc.uint8Array({ maxLength: 200 }),
          fc
            .array(
              fc.oneof(
                json.map((value) => JSON.stringify(value)),
                fc.string({ unit: 'binary' }),
              ),
              { maxLength: 6 },
            )
            .map((lines) => Buffer.from(lines.join('\n'))),
        ),
        jsonLines,
      ),
    }),
  },
  {
    name: 'usage exports of the provider',
    runs: 300,
    open: () => {
      const good = readFileSync(
        new URL('../fixtures/openaiUsage/usage.json', import.meta.url),
        'utf8',
      );
      const csv = readFileSync(
        new URL('../fixtures/openaiUsage/costs.csv', import.meta.url),
        'utf8',
      );
      return {
        property: fc.property(
          fc.oneof(
            mutated(JSON.parse(good)).map((value) => JSON.stringify(value) ?? ''),
            mutatedText(csv, [',', '"', '\n', '-', '1e9']),
            fc.string({ unit: 'binary' }),
          ),
          (text) => assert.equal(typeof parseUsageExport(text).kind, 'string'),
        ),
      };
    },
  },
];
