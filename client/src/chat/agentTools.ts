/** The two tools for agents that plan their spending, as VS Code's own. They only read. */
import * as vscode from 'vscode';
import type { AgentToolName } from '../../../server/src/protocol.ts';
import type { Answering } from '../answering.ts';
import type { Server } from '../server.ts';

/** Names as the manifest has them: those of all extensions live together. */
const TOOLS: Readonly<Record<AgentToolName, string>> = {
  estimate_cost: 'cost-aware-router_estimate_cost',
  get_budget: 'cost-aware-router_get_budget',
};

export function registerAgentTools(server: Server, answering: Answering): vscode.Disposable {
  const register = (name: AgentToolName, doing: string) =>
    vscode.lm.registerTool<unknown>(TOOLS[name], {
      prepareInvocation: () => ({ invocationMessage: doing }),
      async invoke({ input }, token) {
        const params = { name, input, ...answering.asker() };
        const result = await server.request('costAwareRouter/agentTool', params, token);
        if (result.kind === 'failed') throw new Error(result.message);
        return new vscode.LanguageModelToolResult([new vscode.LanguageModelTextPart(result.json)]);
      },
    });
  return vscode.Disposable.from(
    register('estimate_cost', vscode.l10n.t('Estimating the cost')),
    register('get_budget', vscode.l10n.t('Reading the budget')),
  );
}
