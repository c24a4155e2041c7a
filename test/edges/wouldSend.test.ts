/** What would be sent is what is sent, to the letter; and all of it was scanned. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { App } from '../../server/src/compose.ts';
import type { GenerationRequest, PrivacyScan, RouterPorts } from '../../server/src/core/ports.ts';
import type { CloudModel, Prompt } from '../../server/src/core/types.ts';
import { createCloudModels } from '../../server/src/models/openai.ts';
import { injections } from '../support/injections.ts';
import { openRealApp, type RealApp, TEST_KEY } from '../support/realApp.ts';
import { answerOf, collect, promptOf, registry } from '../support/scriptedPorts.ts';
import { cli, jsonOf } from './cliHarness.ts';
import { askOf, openLsp } from './lspHarness.ts';

let real: RealApp;
before(async () => {
  real = await openRealApp();
});
after(() => real.close());

const HARD = 'Design a lock-free queue and prove it correct, step by step.';
const cloudOnly = { forceModel: { tier: 'escalation' } } as const;
const rich = (): Prompt =>
  promptOf(HARD, cloudOnly, {
    context: [
      {
        kind: 'file',
        text: 'const answer = 42;\n',
        path: 'src/a.ts',
        language: 'typescript',
        file: '/tmp/src/a.ts',
      },
    ],
    history: [
      { role: 'user', text: 'Before?' },
      { role: 'assistant', text: 'That was before.' },
    ],
  });

test('the preview is the body that the server then receives', async () => {
  const preview = await real.app.router.wouldSend(rich());
  assert.ok(preview.kind === 'routed' && preview.requests.length === 1);
  const sentBefore = real.provider.getRequests().length;
  assert.equal(sentBefore, 0, 'a preview sends nothing');
  assert.equal(answerOf(await collect(real.app.router, rich())).served, 'cloud');
  const [received] = real.provider.getRequests();
  const [shown] = preview.requests;
  assert.equal(shown?.url, `${real.provider.url}/v1/responses`);
  assert.ok(!JSON.stringify(received?.body).includes('/tmp/src'), 'where a file lies is not sent');
  const model = real.app.catalogue.registry().models.find(({ id }) => id === shown?.modelId);
  assert.equal(JSON.parse(shown?.body ?? '').model, (model as CloudModel).apiModel);
});

test('byte for byte, for both wire formats and any text', async () => {
  for (const provider of ['openai', 'openai-compatible'] as const) {
    const model: CloudModel = {
      ...(registry.models[1] as CloudModel),
      provider,
      baseUrl: 'https://models.example/v1/',
    };
    let sent: { url: string; body: string } | undefined;
    const cloud = createCloudModels({
      key: () => TEST_KEY,
      fetch: async (url, init) => {
        sent = { url: String(url), body: String(init?.body) };
        return new Response('no', { status: 500 });
      },
    });
    for (const text of [HARD, ...injections, 'é👍\u2028"\\']) {
      const request: GenerationRequest = {
        system: 'Be brief.',
        turns: [{ role: 'user', text }],
        maxOutputTokens: 77,
      };
      for await (const _event of cloud.generate(model, request, new AbortController().signal));
      assert.deepEqual(sent, cloud.body(model, request));
    }
  }
});

test('every text of the body was scanned, or is one of the few words that every body has', async () => {
  const ports = real.app.ports as { -readonly [K in keyof RouterPorts]: RouterPorts[K] };
  const ownScan = ports.privacy;
  const scanned: string[] = [];
  const watching: PrivacyScan = {
    scan(request, context) {
      scanned.push(request.system, ...request.turns.map(({ text }) => text));
      return ownScan.scan(request, context);
    },
  };
  ports.privacy = watching;
  try {
    const found = await real.app.router.wouldSend(rich());
    assert.ok(found.kind === 'routed' && found.requests.length > 0);
    const fixed = new Set([
      'user',
      'assistant',
      'default',
      ...found.requests.flatMap(({ modelId }) => {
        const model = real.app.catalogue
          .registry()
          .models.find(({ id }) => id === modelId) as CloudModel;
        return [model.apiModel, model.reasoningEffort ?? ''];
      }),
    ]);
    const system = 'You answer programmers. Be correct and brief.';
    for (const { body } of found.requests) {
      JSON.parse(body, (_name, value: unknown) => {
        if (typeof value !== 'string' || fixed.has(value)) return value;
        // The cloud's own system prompt is a constant of the program; the scan sees that of the model asked first.
        const ours = value.startsWith(system);
        assert.ok(ours || scanned.includes(value), `expected to be scanned: ${value.slice(0, 80)}`);
        return value;
      });
    }
  } finally {
    ports.privacy = ownScan;
  }
});

test('a prompt that stays shows that nothing leaves, and why', async () => {
  const secret = `token: ghp_${'0123456789abcdefghijklmnopqrstuvwxyz'}`;
  const kept = await real.app.router.wouldSend(promptOf(`${HARD} ${secret}`));
  assert.ok(kept.kind === 'routed');
  assert.deepEqual(kept.requests, []);
  assert.equal(kept.route.reason.code, 'privacy_floor');
  const forced = await real.app.router.wouldSend(promptOf(secret, cloudOnly));
  assert.equal(forced.kind === 'refused' && forced.failure.code, 'privacy_floor');
});

test('the command line shows it, and an editor opens it as a text', async () => {
  const argv = ['ask', HARD, '--force', 'openai', '--dry-run', '--show-request'];
  const options = {
    app: (scripted: App): App => ({ ...real.app, local: scripted.local, close: scripted.close }),
  };
  const shown = await cli(argv, options);
  assert.equal(shown.code, 0);
  assert.match(shown.stdout, /^# Sent to .*:\n# You asked for .*\nPOST http:\S+\/v1\/responses\n/);
  assert.match(shown.stdout, /\n {2}"input": \[\n/);
  assert.ok(!shown.stdout.includes(TEST_KEY), 'the key is not shown');
  const { requests } = jsonOf(await cli([...argv, '--json'], options)) as {
    requests: { url: string; body: string }[];
  };
  const asked = await real.app.router.wouldSend(promptOf(HARD, cloudOnly));
  assert.deepEqual(
    requests[0]?.body,
    asked.kind === 'routed' ? asked.requests[0]?.body : undefined,
  );
  const alone = await cli(['ask', HARD, '--show-request'], options);
  assert.deepEqual([alone.code, /add --dry-run/.test(alone.stderr)], [2, true]);

  const baseUrl = real.app.baseUrl();
  const lsp = await openLsp({
    settings: { costAwareRouter: { openai: { baseUrl } } },
    createApp: async () => ({ ...real.app, close: async () => {} }),
  });
  const sent = real.provider.getRequests().length;
  await lsp.request('costAwareRouter/setKey', { key: TEST_KEY, baseUrl });
  const text = await lsp.request(
    'costAwareRouter/wouldSend',
    askOf(HARD, { destination: 'cloud' }),
  );
  assert.match(text.kind === 'text' ? text.text : JSON.stringify(text), /^# Sent to .*POST http/s);
  const untrusted = askOf(HARD, { trusted: false });
  const kept = await lsp.request('costAwareRouter/wouldSend', untrusted);
  assert.match(
    kept.kind === 'text' ? kept.text : '',
    /^# Nothing would leave this machine\.\n# Kept local: this workspace is not trusted/,
  );
  assert.equal(real.provider.getRequests().length, sent);
  await lsp.close();
});
