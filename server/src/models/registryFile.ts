/** The shape of `registry.yaml`: what a person may write, entry by entry. Names are snake_case in the file only. */
import { z } from 'zod';
import { localFile } from './localFileShape.ts';

const text = z.string().min(1);
const tokens = z.int().positive();
const share = z.number().min(0).max(1);

/** Words that requests use for a role; a model of that name could never be asked for. */
const RESERVED_IDS = new Set(['cheap', 'escalation', 'openai', 'local', 'auto']);

const id = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._:/-]{0,79}$/,
    'an id of letters, digits, dots, dashes, colons and slashes',
  )
  .refine((value) => !RESERVED_IDS.has(value), 'an id that is not the name of a role')
  .describe('What requests call it; not the name of a role.');

const ability = z
  .strictObject({
    fitted: text.optional().describe('Key of an ability fitted from outcomes of this very model.'),
    size_billions: z
      .number()
      .positive()
      .max(100_000)
      .optional()
      .describe('A prior by size, in billions of parameters.'),
    tasks: z
      .record(z.string(), share)
      .optional()
      .describe('Chance of a good answer by task, stated by hand; tasks left out go by size.'),
  })
  .refine(
    ({ fitted, size_billions, tasks }) =>
      fitted === undefined
        ? size_billions !== undefined
        : size_billions === undefined && tasks === undefined,
    'either fitted, or size_billions with or without tasks',
  );

const base = {
  id,
  label: text.optional().describe('What people see; the id when left out.'),
  tier: z
    .enum(['cheap', 'escalation'])
    .describe('`cheap` answers first; `escalation` answers what the cheap tier can not.'),
  enabled: z.boolean().default(true).describe('Whether it may answer.'),
  context_window: tokens.describe('In tokens, the answer included.'),
  max_output_tokens: tokens.describe(
    'The most that one answer may have; it also bounds what one answer may cost.',
  ),
  ability: ability.describe('How likely an answer is good: fitted, or by size.'),
};

const baseUrl = z
  .string()
  .refine(isPlainBaseUrl, 'an http(s) URL without user, query or fragment')
  .describe('An http(s) URL without user, query or fragment.');

const key = z
  .enum(['openai', 'none'])
  .describe('`openai` sends the API key to base_url, `none` never sends one.');

const cloud = {
  api_model: text.optional().describe('Its name at the provider; the id when left out.'),
  // Of a compatible server nobody knows until it is said.
  tools: z
    .boolean()
    .optional()
    .describe(
      "Whether it calls a caller's tools; true for openai unless said otherwise, else false.",
    ),
  reasoning_effort: z
    .enum(['none', 'minimal', 'low', 'medium', 'high'])
    .optional()
    .describe('Sent to the provider as it is.'),
};

const whereItRuns =
  '`local` runs here, `openai` at OpenAI, `openai-compatible` at a server of the same protocol.';
const provider = {
  local: z.literal('local').describe(whereItRuns),
  openai: z.literal('openai').describe(whereItRuns),
  compatible: z.literal('openai-compatible').describe(whereItRuns),
};

const model = z
  .discriminatedUnion('provider', [
    z.strictObject({
      ...base,
      provider: provider.local,
      file: localFile.describe('Its GGUF file.'),
    }),
    z.strictObject({
      ...base,
      ...cloud,
      provider: provider.openai,
      base_url: baseUrl.optional(),
      key: key.default('openai'),
    }),
    z.strictObject({
      ...base,
      ...cloud,
      provider: provider.compatible,
      base_url: baseUrl,
      sends_on: z
        .boolean()
        .optional()
        .describe('That it hands prompts on, so that one on loopback is not this machine.'),
      // No default: whether a key leaves for another server is for a person to say.
      key,
    }),
  ])
  .superRefine((entry, context) => {
    if (entry.max_output_tokens >= entry.context_window) {
      context.addIssue({
        code: 'custom',
        path: ['max_output_tokens'],
        message: `less than the context window of ${entry.context_window}`,
      });
    }
    if (entry.provider !== 'local' && entry.key === 'openai' && isClearText(entry.base_url)) {
      context.addIssue({
        code: 'custom',
        path: ['base_url'],
        message: 'https for a server that gets a key (http is for this machine only)',
      });
    }
  });

export type ModelEntry = z.infer<typeof model>;

const version = z.literal(1);
const defaults = z.strictObject({
  cheap: id.describe('Answers first.'),
  escalation: id.describe('Answers what is too hard for the cheap one.'),
  baseline: id.describe('Would have answered everything; savings are against it.'),
  ladder: z
    .union([z.literal('auto'), z.array(id).min(1)])
    .exactOptional()
    .describe('Any number of models in place of the pair, by price: all, or a list of ids.'),
});
/** One that stands for itself. */
export const registryFile = z.strictObject({ version, defaults, models: z.array(model).min(1) });
/** A user's own, laid over another. */
export const overlayFile = z.strictObject({
  version,
  defaults: defaults.partial().optional(),
  models: z.array(model).default([]),
});

function isPlainBaseUrl(value: string): boolean {
  const url = URL.parse(value);
  if (url === null || !/^https?:$/.test(url.protocol)) return false;
  return url.username === '' && url.password === '' && url.search === '' && url.hash === '';
}

function isClearText(value: string | undefined): boolean {
  const url = value === undefined ? null : URL.parse(value);
  return (
    url?.protocol === 'http:' && !/^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname)
  );
}
