/** The tools for agents, asked by the protocol's own client: in this process over scripted models, and of a real process over its pipes. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { InMemoryTransport } from '@modelcontextprotocol/sdk/inMemory.js';
import { limitsOf } from '../../server/src/core/budget.ts';
import { nanoUsdFromDollars as usd } from '../../server/src/core/price.ts';
import { settingsSchema } from '../../server/src/core/schema.ts';
import { createMcpServer } from '../../server/src/mcp/mcpServer.ts';
import { repositoryRoot } from '../support/localModel.ts';
import { BIG, LOCAL, MINI, type Script, scriptedRouter } from '../support/scriptedPorts.ts';

async function connected(t: TestContext, script: Script = {}) {
  const scripted = scriptedRouter(script);
  const settings = settingsSchema.parse({ monthlyBudgetNanoUsd: usd(20), ...script.settings });
  const server = createMcpServer({
    ...scripted,
    budget: (scope) => scripted.ports.ledger.budget(limitsOf(settings, scope), scope),
    version: '1.2.3',
  });
  const client = new Client({ name: 'test', version: '1' });
  const [ours, theirs] = InMemoryTransport.createLinkedPair();
  await server.connect(ours);
  await client.connect(theirs);
  t.after(() => client.close());
  const call = async (name: string, args: Record<string, unknown> = {}) => {
    const reply = await client.callTool({ name, arguments: args });
    return reply.structuredContent as Record<string, unknown>;
  };
  return { ...scripted, client, call };
}

test('both tools say that they only read', async (t) => {
  const { client } = await connected(t);
  const { tools } = await client.listTools();
  assert.deepEqual(tools.map(({ name }) => name).sort(), ['estimate_cost', 'get_budget']);
  for (const { annotations } of tools) assert.equal(annotations?.readOnlyHint, true);
});

test('an estimate says where, for how much at most and why, and asks no model', async (t) => {
  const hard: Script = { scores: { [LOCAL]: 0.9, [MINI]: 0.4, [BIG]: 0.1 } };
  const { call, calls, records } = await connected(t, hard);
  const estimate = await call('estimate_cost', { prompt: 'Plan the migration.' });
  assert.equal(estimate['chosen_model'], BIG);
  assert.ok(Number(estimate['estimated_cost_usd']) > 0);
  assert.ok(Number(estimate['cost_bound_usd']) >= Number(estimate['estimated_cost_usd']));
  assert.match(String(estimate['route_reason']), /^prompt_complexity_high\(/);
  const plans = estimate['alternatives'] as readonly { model: string }[];
  assert.deepEqual(new Set(plans.map(({ model }) => model)), new Set([LOCAL, MINI, BIG]));
  assert.equal(calls.length, 0);
  assert.equal(records.length, 0);
});

test('an estimate that no plan fits says so', async (t) => {
  const { call } = await connected(t, { availability: { [LOCAL]: { kind: 'model_missing' } } });
  const estimate = await call('estimate_cost', { prompt: 'Why?', privacy: 'local-only' });
  assert.equal(estimate['chosen_model'], null);
  assert.match(String(estimate['route_reason']), /^(model_missing|privacy_floor)\(/);
});

test('arguments that are no good are told as an error of the call', async (t) => {
  const { client } = await connected(t);
  const reply = await client.callTool({ name: 'estimate_cost', arguments: { prompt: '' } });
  assert.equal(reply.isError, true);
});

test('the budget is what the ledger says, holds included', async (t) => {
  const { call } = await connected(t, { spentNanoUsd: usd(3) });
  const budget = await call('get_budget');
  assert.partialDeepStrictEqual(budget, {
    month: '2026-11',
    resets_on: '2026-12-01',
    limit_usd: 20,
    spent_usd: 3,
    held_usd: 0,
    remaining_usd: 17,
    binding_period: 'month',
  });
});

test('the command serves them over its pipes and ends with its client', async (t) => {
  const dataDir = mkdtempSync(join(tmpdir(), 'router-mcp-'));
  t.after(() => rmSync(dataDir, { recursive: true, force: true }));
  const client = new Client({ name: 'test', version: '1' });
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [
      join(repositoryRoot, 'server/src/cli/main.ts'),
      ...['mcp', '--data-dir', dataDir, '--monthly-budget-usd', '7'],
    ],
    stderr: 'ignore',
  });
  const ended = new Promise<void>((resolve) => {
    transport.onclose = resolve;
  });
  await client.connect(transport);
  const { structuredContent } = await client.callTool({ name: 'get_budget', arguments: {} });
  assert.partialDeepStrictEqual(structuredContent, { limit_usd: 7, spent_usd: 0 });
  await client.close();
  await ended;
});
