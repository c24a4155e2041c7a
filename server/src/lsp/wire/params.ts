/**
 * What a client may send with each request of the wire contract. The contract's types hold for our own client only; any editor
 * may speak to the server, so what it sends is checked here, once, before a handler sees it.
 */
import { z } from 'zod';
import { issuePath, issueText } from '../../core/issueText.ts';
import type {
  AgentToolParams,
  AskParams,
  CalibrateParams,
  ChatParams,
  CodeRange,
  ContextWire,
  KeepExplanationParams,
  ReportParams,
  Requests,
  RoutesParams,
} from '../../protocol.ts';

type ParamSchemas = { readonly [M in keyof Requests]: z.ZodType<Requests[M][0]> };

/**
 * An object with a schema for each field of `T`, also for those that may be absent: one that is forgotten here does not
 * compile. Further fields are left out, as LSP does with its own requests, so that a newer client still works.
 */
function fields<T>(schemas: { readonly [K in keyof T]-?: z.ZodType<T[K]> }): z.ZodType<T> {
  return z.object(schemas) as unknown as z.ZodType<T>;
}

/** LSP clients send nothing, `null` or an empty object where there is nothing to say. */
const nothing = z.unknown().transform(() => null);
const text = z.string();
const maybeText = text.optional();
const place = z.number().int().min(0).max(0x7fffffff);

const range = fields<CodeRange>({
  uri: text,
  startLine: place,
  startCharacter: place,
  endLine: place,
  endCharacter: place,
});
const explainTask = z.enum(['explain', 'find_problems', 'write_test', 'document']);
const keptTask = z.enum([...explainTask.options, 'question']);

const ask = fields<AskParams>({
  requestId: text,
  text,
  context: z.array(
    fields<ContextWire>({
      kind: z.enum(['selection', 'file', 'symbol', 'diff', 'text']),
      text,
      path: maybeText,
      language: maybeText,
      uri: maybeText,
    }),
  ),
  history: z.array(z.object({ role: z.enum(['user', 'assistant']), text })),
  destination: z.enum(['auto', 'local', 'cloud']),
  sessionId: text,
  workspaceId: maybeText,
  trusted: z.boolean(),
  useCache: z.boolean().optional(),
  retryOf: maybeText,
  standing: z.boolean().optional(),
});

const message = z.discriminatedUnion('role', [
  z.object({ role: z.enum(['instructions', 'user']), text }),
  z.object({
    role: z.literal('assistant'),
    text,
    toolCalls: z.array(z.object({ id: text, name: text, argumentsJson: text })).optional(),
  }),
  z.object({ role: z.literal('tool'), text, toolCallId: text }),
]);

const chat = fields<ChatParams>({
  requestId: text,
  sessionId: text,
  workspaceId: maybeText,
  trusted: z.boolean(),
  modelId: text,
  messages: z.array(message),
  tools: z.array(
    z.object({
      name: text,
      description: maybeText,
      parameters: z.record(z.string(), z.unknown()).optional(),
    }),
  ),
  mustCall: z.boolean(),
  maxOutputTokens: z.number().int().positive().optional(),
  temperature: z.number().optional(),
});

const schemas: ParamSchemas = {
  'costAwareRouter/answer': ask,
  'costAwareRouter/preview': ask,
  'costAwareRouter/chat': chat,
  'costAwareRouter/chatModels': nothing,
  'costAwareRouter/countTokens': fields<Requests['costAwareRouter/countTokens'][0]>({ text }),
  'costAwareRouter/agentTool': fields<AgentToolParams>({
    name: z.enum(['estimate_cost', 'get_budget']),
    input: z.unknown(),
    sessionId: text,
    workspaceId: maybeText,
    trusted: z.boolean(),
  }),
  'costAwareRouter/wouldSend': ask,
  'costAwareRouter/status': nothing,
  'costAwareRouter/report': fields<ReportParams>({ month: maybeText }),
  'costAwareRouter/routes': fields<RoutesParams>({
    month: maybeText,
    served: z.enum(['local', 'cloud', 'cache', 'none']).optional(),
    modelId: maybeText,
    reason: maybeText,
    search: maybeText,
    offset: place,
    limit: place,
  }),
  'costAwareRouter/trace': z.object({ promptId: text }),
  'costAwareRouter/models': nothing,
  'costAwareRouter/download': z.object({ requestId: text, modelId: text }),
  'costAwareRouter/probe': z.object({ modelId: text }),
  'costAwareRouter/calibrate': fields<CalibrateParams>({
    requestId: text,
    modelId: text,
    target: z.object({ kind: z.enum(['kept', 'escalated']), value: z.number().min(0).max(1) }),
    questions: z.number().int().positive().optional(),
  }),
  'costAwareRouter/calibration': z.object({ modelId: text }),
  'costAwareRouter/rollbackCalibration': z.object({ modelId: text }),
  'costAwareRouter/setKey': z.object({ key: text.nullable(), baseUrl: text }),
  'costAwareRouter/testKey': nothing,
  'costAwareRouter/outcome': z.object({
    promptId: text,
    verdict: z.enum(['kept', 'dismissed', 'up', 'down', 'good_enough', 'asked_bigger']),
  }),
  'costAwareRouter/codeTask': z.object({ task: explainTask, range }),
  'costAwareRouter/symbols': z.object({ uri: text }),
  'costAwareRouter/explanations': z.object({ uri: text }),
  'costAwareRouter/keepExplanation': fields<KeepExplanationParams>({
    codeHash: text,
    task: keptTask,
    range,
    promptId: text,
    text,
    line: text,
  }),
  'costAwareRouter/dropExplanation': z.object({ codeHash: text, task: keptTask }),
  'costAwareRouter/history': z.object({ workspaceId: text }),
  'costAwareRouter/clearHistory': z.object({ workspaceId: text.nullable() }),
  'costAwareRouter/export': z.object({ month: text, format: z.enum(['csv', 'jsonl']) }),
  'costAwareRouter/refreshPrices': nothing,
  'costAwareRouter/whatIf': z.object({ requestId: text, path: text }),
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
