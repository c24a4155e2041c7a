/**
 * A watched `serve`, read by what others wrote: Prometheus' own parser and OpenTelemetry's own messages, both in Python.
 * The provider is a protocol server on loopback.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { endAllPrograms, untilSaid } from '../support/programs.ts';
import { installPythonPackage, type PythonPackage } from '../support/pythonPackage.ts';
import { ANSWER, type Answered, SECRET, serving } from './watchedServe.ts';

const PROMETHEUS = { name: "Prometheus' parser", package: 'prometheus-client', version: '0.26.0' };
const OTLP = {
  name: "OpenTelemetry's messages",
  package: 'opentelemetry-proto',
  version: '1.45.2',
};
const pythons = await Promise.all([PROMETHEUS, OTLP].map(pythonOf)).catch((error: unknown) =>
  error instanceof Error ? error.message : 'Python is not there',
);
const skip = typeof pythons === 'string' ? pythons : false;
if (skip !== false) console.error(`Left out: metrics and spans as others read them: ${skip}`);

async function pythonOf(wanted: PythonPackage): Promise<string> {
  return join(await installPythonPackage(wanted, { oldest: 9, newest: 14 }), 'python');
}

function decoded(python: string, what: 'metrics' | 'spans', asked: unknown): unknown {
  const script = join(import.meta.dirname, 'decode.py');
  const input = JSON.stringify(asked);
  return JSON.parse(execFileSync(python, [script, what], { input, encoding: 'utf8' }));
}

/** Keeps what is posted to it, as an OpenTelemetry collector would receive it. */
async function collector(t: TestContext) {
  const bodies: Buffer[] = [];
  const server = createServer((request, reply) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      const isSpans =
        request.url === '/v1/traces' &&
        request.headers['content-type'] === 'application/x-protobuf';
      if (isSpans) bodies.push(Buffer.concat(pieces));
      reply.writeHead(isSpans ? 200 : 404).end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { bodies, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

interface Sample {
  readonly name: string;
  readonly type: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

test.after(() => endAllPrograms());

test('metrics are off unless asked for, and behind the token', async (t) => {
  const plain = await serving(t, []);
  assert.equal((await plain.get('/metrics')).status, 404);
  const watched = await serving(t, ['--metrics']);
  assert.equal((await watched.bare('/metrics')).status, 401);
  assert.equal((await watched.get('/metrics')).status, 200);
});

test("Prometheus' own parser reads what was asked, spent and saved", { skip }, async (t) => {
  const { ask, get } = await serving(t, ['--metrics']);
  const answered = (await (await ask(`Explain ${SECRET}.`)).json()) as Answered;
  assert.ok(answered.cost_usd > 0);
  assert.notEqual((await ask(`Now fail, ${SECRET}.`)).status, 200);
  const reply = await get('/metrics');
  const text = await reply.text();
  assert.match(reply.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
  assert.ok(!text.includes(SECRET) && !text.includes(ANSWER));
  const samples = decoded(pythons[0] ?? '', 'metrics', text) as readonly Sample[];
  const model = answered.chosen_model;
  const value = (name: string, labels: Readonly<Record<string, string>> = {}) =>
    samples.find(
      (one) =>
        one.name === `cost_aware_router_${name}` &&
        Object.entries(labels).every(([key, wanted]) => one.labels[key] === wanted),
    )?.value;
  assert.equal(
    value('prompts_total', {
      status: 'complete',
      served: 'cloud',
      tier: 'escalation',
      model,
      reason: 'forced',
    }),
    1,
  );
  assert.equal(value('prompts_total', { status: 'failed', model: 'none' }), 1);
  assert.equal(value('attempts_total', { model, outcome: 'answered' }), 1);
  assert.equal(value('attempts_total', { model, outcome: 'failed' }), 1);
  assert.equal(value('tokens_total', { model, type: 'input' }), 200);
  assert.equal(value('tokens_total', { model, type: 'output' }), 30);
  assert.equal(value('cost_usd_total', { model }), answered.cost_usd);
  assert.equal(value('budget_usd', { kind: 'limit' }), 2);
  assert.equal(value('budget_usd', { kind: 'spent' }), answered.cost_usd);
  assert.equal(value('budget_usd', { kind: 'held' }), 0);
  assert.equal(value('answer_seconds_count', { served: 'cloud' }), 1);
});

interface Attribute {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}

interface SpanRead {
  readonly name: string;
  readonly kind: string;
  readonly spanId: string;
  readonly traceId: string;
  readonly parentSpanId?: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly Attribute[];
  readonly status?: { readonly code?: string };
}

interface Exported {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] };
    readonly scopeSpans: readonly { readonly spans: readonly SpanRead[] }[];
  }[];
}

const attributesOf = ({ attributes }: { readonly attributes: readonly Attribute[] }) =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));

test('spans by the conventions reach a collector, without a word of the prompt', {
  skip,
}, async (t) => {
  const { bodies, url } = await collector(t);
  const { ask, program } = await serving(t, ['--traces'], {
    OTEL_EXPORTER_OTLP_ENDPOINT: url,
    OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
    OTEL_BSP_SCHEDULE_DELAY: '100',
  });
  const answered = (await (await ask(`Explain ${SECRET}.`)).json()) as Answered;
  assert.notEqual((await ask(`Now fail, ${SECRET}.`)).status, 200);
  const spanCount = () => {
    const read = decoded(
      pythons[1] ?? '',
      'spans',
      bodies.map((body) => body.toString('base64')),
    ) as readonly Exported[];
    return read.flatMap(({ resourceSpans }) => resourceSpans);
  };
  while (spanCount().flatMap(({ scopeSpans }) => scopeSpans[0]?.spans ?? []).length < 4) {
    assert.ok(program.running(), program.said());
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const all = Buffer.concat(bodies);
  for (const word of [SECRET, ANSWER, 'sk-test']) assert.ok(!all.includes(word), word);
  const resources = spanCount();
  assert.partialDeepStrictEqual(attributesOf(resources[0]!.resource), {
    'service.name': 'cost-aware-router',
    'deployment.environment.name': 'test',
  });
  const spans = resources.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans));
  const [prompt, refused] = spans.filter(({ name }) => name === 'route prompt');
  const [call, failed] = spans.filter(({ name }) => name === `chat ${answered.chosen_model}`);
  assert.ok(prompt && call && refused && failed);
  assert.equal(call.parentSpanId, prompt.spanId);
  assert.equal(call.traceId, prompt.traceId);
  assert.notEqual(failed.traceId, prompt.traceId);
  assert.equal(call.kind, 'SPAN_KIND_CLIENT');
  assert.ok(BigInt(call.startTimeUnixNano) <= BigInt(call.endTimeUnixNano));
  assert.ok(BigInt(call.endTimeUnixNano) <= BigInt(prompt.endTimeUnixNano) + 1_000_000n);
  assert.partialDeepStrictEqual(attributesOf(call), {
    'gen_ai.operation.name': 'chat',
    'gen_ai.provider.name': 'openai',
    'gen_ai.request.model': answered.chosen_model,
    'gen_ai.usage.input_tokens': '200',
    'gen_ai.usage.output_tokens': '30',
    'cost_aware_router.outcome': 'answered',
  });
  assert.partialDeepStrictEqual(attributesOf(prompt), {
    'cost_aware_router.reason': 'forced',
    'cost_aware_router.served': 'cloud',
  });
  assert.equal(failed.status?.code, 'STATUS_CODE_ERROR');
  assert.equal(refused.status?.code, 'STATUS_CODE_ERROR');
  assert.ok(typeof attributesOf(failed)['error.type'] === 'string');
});

test('a collector that is not there is told once, and costs nobody an answer', async (t) => {
  const { ask, program } = await serving(t, ['--traces'], {
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9',
    OTEL_BSP_SCHEDULE_DELAY: '100',
    OTEL_EXPORTER_OTLP_TIMEOUT: '1000',
  });
  assert.equal((await ask('Hello.')).status, 200);
  await untilSaid(program, /warning: Traces could not be sent: .*OTEL_EXPORTER_OTLP_ENDPOINT/);
});
