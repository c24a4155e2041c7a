/** What the same clients ask of two proxies, and how what they got is told in a table. Pure: no network, no files. */
import { z } from 'zod';

export const gotSchema = z.discriminatedUnion('kind', [
  /** What stood in the answer, in words that are equal where two answers are. */
  z.object({ kind: z.literal('answer'), text: z.string() }),
  z.object({
    kind: z.literal('error'),
    /** The class that the client threw. */
    type: z.string(),
    /** None where the client never heard an HTTP status. */
    status: z.number().nullable(),
    message: z.string(),
  }),
]);

export type Got = z.infer<typeof gotSchema>;

/** By call; a client that can't make a call lacks it. */
export const gotByCallSchema = z.record(z.string(), gotSchema);

export type GotByCall = z.infer<typeof gotByCallSchema>;

export interface Call {
  readonly id: string;
  readonly what: string;
  /** Fields of the request that are looked for in what the provider got. */
  readonly reaches?: readonly string[];
  /** Said where the two differ: which is better, and why ours is as it is. */
  readonly note?: string;
}

const NO_HONEST_WAY = 'worse here: refused rather than left out in silence';

export const calls: readonly Call[] = [
  { id: 'plain', what: 'plain answer: text, end, usage' },
  { id: 'instructions', what: 'system message', reaches: ['system'] },
  {
    id: 'sampling',
    what: 'temperature, top_p, output cap',
    reaches: ['temperature', 'top_p', 'max_tokens'],
  },
  { id: 'seed', what: '`seed`', reaches: ['seed'] },
  { id: 'stop', what: '`stop`', reaches: ['stop'] },
  {
    id: 'several',
    what: '`n: 2`',
    reaches: ['n'],
    note: `${NO_HONEST_WAY}; a budget holds the bound of one answer`,
  },
  { id: 'logprobs', what: '`logprobs`', reaches: ['logprobs'], note: NO_HONEST_WAY },
  {
    id: 'image',
    what: 'a picture in the message',
    reaches: ['image'],
    note: `${NO_HONEST_WAY}; what a picture costs is not bounded here`,
  },
  { id: 'json', what: 'JSON mode' },
  { id: 'schema', what: 'structured output by a schema' },
  { id: 'tools', what: 'a call of a tool' },
  { id: 'toolsStream', what: 'a call of a tool, streamed' },
  { id: 'toolResult', what: "the turn after a tool's result" },
  { id: 'stream', what: 'stream: text, end' },
  {
    id: 'streamUsage',
    what: 'usage in the stream',
    note: 'the provider said 20+10',
  },
  {
    id: 'streamCost',
    what: 'cost of a streamed answer',
    note: 'the headers of a stream leave before its cost is known; here the last chunk tells it',
  },
  { id: 'headers', what: 'headers that tell the route', note: 'each has its own names' },
  { id: 'cost', what: 'cost in a header', note: 'each has its own name' },
  { id: 'models', what: 'list of models', note: '`auto` routes' },
  { id: 'model', what: 'one model of the list' },
  {
    id: 'auto',
    what: '`model: auto`',
    note: 'LiteLLM routes under names that its configuration gives',
  },
  { id: 'unknownModel', what: 'unknown model', note: 'OpenAI answers 404, too' },
  {
    id: 'wrongKey',
    what: 'wrong key',
    note: 'LiteLLM says so because it runs without its database; the SDKs know 401',
  },
  { id: 'noMessages', what: 'no messages', note: 'LiteLLM leaves it to the provider' },
  { id: 'limited', what: "the provider's rate limit (429)" },
  {
    id: 'broken',
    what: 'the provider fails (500)',
    note: 'both may be tried again; 503 says that it was not the router that broke',
  },
  {
    id: 'overBudget',
    what: 'over budget',
    note: 'a client waits and asks again after 429, which no budget mends; 402 is not repeated',
  },
  { id: 'responses', what: 'Responses: text, usage' },
  { id: 'responsesStream', what: 'Responses: stream' },
  { id: 'responsesTool', what: 'Responses: a call of a tool' },
  { id: 'agent', what: 'Responses: a coding agent makes a file by its tools' },
  {
    id: 'responsesMemory',
    what: 'Responses: `previous_response_id`',
    note: 'nothing is kept here; LiteLLM hands the id to the provider, which keeps the conversation',
  },
  {
    id: 'embeddings',
    what: 'embeddings',
    note: 'worse here: this is a router of answers and has no such call',
  },
];

/** One client's replies of both proxies. */
export interface ClientGot {
  readonly client: string;
  readonly ours: GotByCall;
  readonly theirs: GotByCall;
}

/** Names a request by its text, so that it can be found again in what the provider got. */
export function markOf(client: string, call: string): string {
  return `[${client}/${call}]`;
}

const LONGEST_CELL = 150;

/** A row a call; a row each where clients got different things. */
export function clientsTable(results: readonly ClientGot[], theirName: string): string {
  const rows = calls.flatMap((call) => rowsOf(call, results));
  return [
    `| what a client asks | clients | this router | ${theirName} | |`,
    '| --- | --- | --- | --- | --- |',
    ...rows.map((cells) => `| ${cells.map(cell).join(' | ')} |`),
  ].join('\n');
}

function rowsOf(call: Call, results: readonly ClientGot[]): readonly (readonly string[])[] {
  const rows = new Map<string, { clients: string[]; ours: Got; theirs: Got }>();
  for (const { client, ours, theirs } of results) {
    const mine = ours[call.id];
    const other = theirs[call.id];
    if (mine === undefined && other === undefined) continue;
    if (mine === undefined || other === undefined) {
      throw new Error(`expected ${client} to make the call ${call.id} of both, got one`);
    }
    const key = JSON.stringify([told(mine), told(other)]);
    const row = rows.get(key) ?? { clients: [], ours: mine, theirs: other };
    row.clients.push(client);
    rows.set(key, row);
  }
  return [...rows.values()].map(({ clients, ours, theirs }) => {
    const verdict = verdictOf(ours, theirs);
    const note = verdict === 'same' || call.note === undefined ? '' : `: ${call.note}`;
    const other = verdict === 'same' && ours.kind === 'answer' ? 'the same' : told(theirs);
    return [call.what, clients.join(', '), told(ours), other, `${verdict}${note}`];
  });
}

/** Two errors are the same where a program would take them for the same. */
export function verdictOf(ours: Got, theirs: Got): string {
  if (ours.kind === 'answer' && theirs.kind === 'answer') {
    return ours.text === theirs.text ? 'same' : 'different';
  }
  if (ours.kind === 'error' && theirs.kind === 'error') {
    return ours.type === theirs.type && ours.status === theirs.status ? 'same' : 'other error';
  }
  return ours.kind === 'error' ? '**only LiteLLM**' : '**only here**';
}

function told(got: Got): string {
  if (got.kind === 'answer') return got.text;
  return `${got.type}${got.status === null ? '' : ` ${got.status}`}: ${got.message}`;
}

function cell(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').replaceAll('|', '\\|').replaceAll('<', '&lt;');
  return line.length <= LONGEST_CELL ? line : `${line.slice(0, LONGEST_CELL)}…`;
}
