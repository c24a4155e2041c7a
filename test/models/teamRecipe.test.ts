/** The two files of docs/TEAM.md as a reader copies them: a prompt goes by them to a protocol server, for nothing. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { LLMock } from '@copilotkit/aimock';
import { createApp } from '../../server/src/compose.ts';

test('the files of the recipe for a team make its own server the cheap tier', async (t) => {
  const provider = new LLMock({ port: 0 });
  await provider.start();
  t.after(() => provider.stop());
  provider.onMessage(/.*/s, {
    content: 'From our own hardware.',
    usage: { prompt_tokens: 5, completion_tokens: 5 },
  });
  const dataDir = mkdtempSync(join(tmpdir(), 'team-'));
  t.after(() => rmSync(dataDir, { recursive: true, force: true }));
  const page = readFileSync(new URL('../../docs/TEAM.md', import.meta.url), 'utf8');
  const [registry = '', pricing = ''] = [...page.matchAll(/```yaml\n(.*?)```/gs)].map(
    ([, block = '']) => block,
  );
  const address = 'http://vllm.internal:8000/v1';
  assert.ok(registry.includes(address) && pricing.includes('input: 0'), page.slice(0, 200));
  writeFileSync(join(dataDir, 'registry.yaml'), registry.replace(address, `${provider.url}/v1`));
  writeFileSync(join(dataDir, 'pricing.yaml'), pricing);
  const app = await createApp({ dataDir });
  t.after(() => app.close());
  const prompt = { id: 'p1', text: 'Hello?', context: [], history: [], constraints: {} };
  const events = [];
  for await (const event of app.router.answer(prompt, new AbortController().signal)) {
    events.push(event);
  }
  const last = events.at(-1);
  assert.ok(last?.type === 'answer-end', JSON.stringify(last));
  assert.equal(last.result.text, 'From our own hardware.');
  assert.equal(last.result.costNanoUsd, 0);
  assert.equal(provider.getRequests().length, 1);
});
