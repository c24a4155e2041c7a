/** A ladder as a user writes it into the registry: two protocol servers, the real SDK, the real ledger, and the words of the edges. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { LLMock } from '@copilotkit/aimock';
import { createApp } from '../../server/src/compose.ts';
import { labelOf } from '../../server/src/core/report.ts';
import { english } from '../../server/src/core/translate.ts';
import { editorSettings } from '../../server/src/lsp/settings.ts';
import { routeWire } from '../../server/src/lsp/wire/route.ts';
import { answerOf, collect, promptOf } from '../support/scriptedPorts.ts';

const REGISTRY = (url: string) => `version: 1
models:
  - id: own
    label: Own Server
    tier: cheap
    provider: openai-compatible
    base_url: ${url}/v1
    key: none
    api_model: own
    context_window: 32768
    max_output_tokens: 1000
    ability: { size_billions: 8 }
`;
const PRICING = `version: 1
prices:
  - model: own
    effective_from: 2020-01-01
    source: a test
    checked_at: 2026-11-01
    input: 0
    output: 0
`;

const LADDER = ['gpt-6-sol', 'gpt-5.4-mini', 'own'];
const LADDER_IN_REGISTRY = `defaults:
  ladder: [${LADDER.join(', ')}]
`;

for (const named of ['registry', 'settings'] as const)
  test(`the ${named} alone make a ladder: a refusal of the own server goes to the next dearer model and no further`, async (t) => {
    const own = new LLMock({ port: 0 });
    const cloud = new LLMock({ port: 0 });
    for (const server of [own, cloud]) {
      await server.start();
      t.after(() => server.stop());
    }
    const usage = {
      prompt_tokens: 200,
      completion_tokens: 30,
      input_tokens: 200,
      output_tokens: 30,
    };
    own.onMessage(/.*/s, { content: "I'm sorry, but I cannot help with that.", usage });
    cloud.onMessage(/.*/s, { content: 'Hello.', usage });
    const dataDir = mkdtempSync(join(tmpdir(), 'ladder-'));
    t.after(() => rmSync(dataDir, { recursive: true, force: true }));
    writeFileSync(
      join(dataDir, 'registry.yaml'),
      REGISTRY(own.url) + (named === 'registry' ? LADDER_IN_REGISTRY : ''),
    );
    writeFileSync(join(dataDir, 'pricing.yaml'), PRICING);
    const app = await createApp({ dataDir, apiKey: 'sk-test', baseUrl: `${cloud.url}/v1` });
    t.after(() => app.close());
    if (named === 'settings') {
      const { ladder } = editorSettings({ models: { ladder: LADDER } }).app;
      assert.deepEqual(app.configure({ ladder }), []);
    }

    const prompt = promptOf('Say hello.', { minQuality: 0.1 });
    const decision = await app.router.decide(prompt);
    assert.ok(decision.kind === 'routed');
    const wire = routeWire(decision.route, labelOf(app.catalogue.registry()), english);
    assert.deepEqual([wire.modelId, wire.ifUnsure], ['own', 'GPT-5.4 mini → GPT-6 Sol']);
    const chosen = wire.trace.candidates.find((plan) => plan.chosen);
    assert.equal(chosen?.label, 'Own Server, GPT-5.4 mini → GPT-6 Sol if unsure');
    assert.equal(wire.trace.candidates.length, 6);

    const answer = answerOf(await collect(app.router, prompt));
    await app.router.idle();
    assert.deepEqual([answer.text, answer.modelId], ['Hello.', 'gpt-5.4-mini']);
    assert.deepEqual([own.getRequests().length, cloud.getRequests().length], [1, 1]);
    const row = app.catalogue.price('gpt-5.4-mini', Date.now());
    assert.ok(row !== undefined && answer.costNanoUsd > 0);
    const { budget } = await app.router.spend();
    assert.deepEqual([budget.spentNanoUsd, budget.heldNanoUsd], [answer.costNanoUsd, 0]);
  });
