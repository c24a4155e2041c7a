/** The tools for agents over the Model Context Protocol. */
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js';
import {
  agentToolsHint,
  budgetLeft,
  estimate,
  estimateCost,
  getBudget,
} from '../core/agentTools.ts';
import type { BudgetScope, BudgetState, RouterPorts } from '../core/ports.ts';
import type { Router } from '../core/router.ts';

export interface McpDeps {
  readonly router: Router;
  readonly ports: Pick<RouterPorts, 'catalogue' | 'newId'>;
  readonly budget: (scope?: BudgetScope) => Promise<BudgetState>;
  readonly version: string;
}

const READS_ONLY = { readOnlyHint: true, destructiveHint: false, openWorldHint: false } as const;

export function createMcpServer(deps: McpDeps): McpServer {
  const { router, ports } = deps;
  const server = new McpServer(
    { name: 'cost-aware-router', version: deps.version },
    { instructions: agentToolsHint },
  );
  server.registerTool(
    estimateCost.name,
    {
      title: estimateCost.title,
      description: estimateCost.description,
      inputSchema: estimateCost.input.shape,
      outputSchema: estimateCost.output.shape,
      annotations: READS_ONLY,
    },
    async (input) => {
      const asker = { id: ports.newId(), trusted: true };
      return structured(await estimate(input, asker, router, ports.catalogue.registry()));
    },
  );
  server.registerTool(
    getBudget.name,
    {
      title: getBudget.title,
      description: getBudget.description,
      inputSchema: getBudget.input.shape,
      outputSchema: getBudget.output.shape,
      annotations: READS_ONLY,
    },
    async () => structured(budgetLeft(await deps.budget())),
  );
  return server;
}

/** The same as data and, for clients that read text only, as text. */
function structured(content: Record<string, unknown>): CallToolResult {
  return {
    content: [{ type: 'text', text: JSON.stringify(content, undefined, 2) }],
    structuredContent: content,
  };
}
