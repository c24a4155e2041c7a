/**
 * What a client may send with each request of the wire contract. The contract's types hold for our own client only; any editor
 * may speak to the server, so what it sends is checked here, once, before a handler sees it.
 */
import { z } from 'zod';
import { issuePath, issueText } from '../../core/issueText.ts';
import type { Requests } from '../../protocol.ts';

/** Fields that are not known are left out, as LSP does with its own requests, so that a newer client still works. */
type ParamSchemas = { readonly [M in keyof Requests]: z.ZodType<Requests[M][0]> };

/** LSP clients send nothing, `null` or an empty object where there is nothing to say. */
const nothing = z.unknown().transform(() => null);
const line = z.number().int().min(0).max(0x7fffffff);

const range = z.object({
  uri: z.string(),
  startLine: line,
  startCharacter: line,
  endLine: line,
  endCharacter: line,
});
const explainTask = z.enum(['explain', 'find_problems', 'write_test', 'document']);
const keptTask = z.enum([...explainTask.options, 'question']);

const ask = z.object({
  requestId: z.string(),
  text: z.string(),
  context: z.array(
    z.object({
      kind: z.enum(['selection', 'file', 'symbol', 'diff', 'text']),
      text: z.string(),
      path: z.string().optional(),
      language: z.string().optional(),
      uri: z.string().optional(),
    }),
  ),
  history: z.array(z.object({ role: z.enum(['user', 'assistant']), text: z.string() })),
  destination: z.enum(['auto', 'local', 'cloud']),
  sessionId: z.string(),
  workspaceId: z.string().optional(),
  trusted: z.boolean(),
  useCache: z.boolean().optional(),
  retryOf: z.string().optional(),
});

const schemas: ParamSchemas = {
  'costAwareRouter/answer': ask,
  'costAwareRouter/preview': ask,
  'costAwareRouter/wouldSend': ask,
  'costAwareRouter/status': nothing,
  'costAwareRouter/report': z.object({ month: z.string().optional() }),
  'costAwareRouter/routes': z.object({
    month: z.string().optional(),
    served: z.enum(['local', 'cloud', 'cache', 'none']).optional(),
    modelId: z.string().optional(),
    reason: z.string().optional(),
    search: z.string().optional(),
    offset: z.number().int().min(0),
    limit: z.number().int().min(0).max(1000),
  }),
  'costAwareRouter/trace': z.object({ promptId: z.string() }),
  'costAwareRouter/models': nothing,
  'costAwareRouter/download': z.object({ requestId: z.string(), modelId: z.string() }),
  'costAwareRouter/probe': z.object({ modelId: z.string() }),
  'costAwareRouter/setKey': z.object({ key: z.string().nullable(), baseUrl: z.string() }),
  'costAwareRouter/testKey': nothing,
  'costAwareRouter/outcome': z.object({
    promptId: z.string(),
    verdict: z.enum(['kept', 'dismissed', 'up', 'down', 'good_enough', 'asked_bigger']),
  }),
  'costAwareRouter/codeTask': z.object({ task: explainTask, range }),
  'costAwareRouter/explanations': z.object({ uri: z.string() }),
  'costAwareRouter/keepExplanation': z.object({
    codeHash: z.string(),
    task: keptTask,
    range,
    promptId: z.string(),
    text: z.string(),
    line: z.string(),
  }),
  'costAwareRouter/dropExplanation': z.object({ codeHash: z.string(), task: keptTask }),
  'costAwareRouter/history': z.object({ workspaceId: z.string() }),
  'costAwareRouter/clearHistory': z.object({ workspaceId: z.string().nullable() }),
  'costAwareRouter/export': z.object({
    month: z.string(),
    format: z.enum(['csv', 'jsonl']),
  }),
  'costAwareRouter/refreshPrices': nothing,
};

export type ReadParams =
  | { readonly kind: 'params'; readonly params: unknown }
  /** One sentence that names the field and never its value: a key may stand in it. */
  | { readonly kind: 'bad'; readonly why: string };

export function readParams(method: keyof Requests, sent: unknown): ReadParams {
  const parsed = schemas[method].safeParse(sent);
  if (parsed.success) return { kind: 'params', params: parsed.data };
  const [issue] = parsed.error.issues;
  if (issue === undefined) return { kind: 'bad', why: `${method}: expected other params` };
  const path = issuePath(issue);
  return {
    kind: 'bad',
    why: `${method}: ${issueText(issue)}${path === undefined ? '' : ` at ${path}`}; docs/PROTOCOL.md lists the fields`,
  };
}
