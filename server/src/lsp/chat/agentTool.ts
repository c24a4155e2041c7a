/** The tools for agents as an editor's agents call them; what they say is what the same tools say over MCP. */
import { z } from 'zod';
import type { App } from '../../compose.ts';
import { budgetLeft, estimate, estimateCost } from '../../core/agentTools.ts';
import type { AgentToolParams, AgentToolResult } from '../../protocol.ts';

export async function agentTool(
  app: App,
  { name, input, sessionId, workspaceId, trusted }: AgentToolParams,
): Promise<AgentToolResult> {
  const scope = { sessionId, ...(workspaceId === undefined ? {} : { workspaceId }) };
  if (name === 'get_budget') return done(budgetLeft(await app.budget(scope)));
  const read = estimateCost.input.safeParse(input);
  if (!read.success) return { kind: 'failed', message: z.prettifyError(read.error) };
  const asker = { ...scope, id: app.ports.newId(), trusted };
  return done(await estimate(read.data, asker, app.router, app.catalogue.registry()));
}

function done(content: object): AgentToolResult {
  return { kind: 'done', json: JSON.stringify(content, undefined, 2) };
}
