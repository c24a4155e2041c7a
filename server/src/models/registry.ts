/**
 * The shape of `registry.yaml` and its way into the core's `Model`. Names are snake_case in the file only.
 * Checks across entries live here too: unique ids, defaults that exist, outputs that fit the context.
 */
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import type { AbilitySource, CloudModel, LocalModel, Model, Registry } from '../core/types.ts';
import { localFile } from './localFileShape.ts';
import { type Parsed, parseYaml } from './yamlFile.ts';

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
  .refine((value) => !RESERVED_IDS.has(value), 'an id that is not the name of a role');

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

const baseUrl = z.string().refine(isPlainBaseUrl, 'an http(s) URL without user, query or fragment');

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

const model = z
  .discriminatedUnion('provider', [
    z.strictObject({ ...base, provider: z.literal('local'), file: localFile }),
    z.strictObject({
      ...base,
      ...cloud,
      provider: z.literal('openai'),
      base_url: baseUrl.optional(),
      key: z.enum(['openai', 'none']).default('openai'),
    }),
    z.strictObject({
      ...base,
      ...cloud,
      provider: z.literal('openai-compatible'),
      base_url: baseUrl,
      sends_on: z.boolean().optional(),
      // No default: whether a key leaves for another server is for a person to say.
      key: z.enum(['openai', 'none']),
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

type ModelEntry = z.infer<typeof model>;

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
const registryFile = z.strictObject({ version, defaults, models: z.array(model).min(1) });
/** A user's `registry.yaml`. */
export const overlayFile = z.strictObject({
  version,
  defaults: defaults.partial().optional(),
  models: z.array(model).default([]),
});

/** What the fitted score can't make of an ability; `undefined` when it can use it. */
export type AbilityProblem = (ability: AbilitySource) => string | undefined;

/** Reads a registry that stands for itself. Relative `path` sources are taken from the file's own folder. */
export function parseRegistry(
  path: string,
  content: string,
  abilityProblem: AbilityProblem = () => undefined,
): Parsed<Registry> {
  const schema = registryFile.superRefine((value, context) => {
    checkAcross(value, [], context);
    checkAbilities(value, abilityProblem, context);
  });
  const parsed = parseYaml(path, content, schema);
  if (parsed.kind === 'bad') return parsed;
  const models = parsed.value.models.map((entry) => toModel(entry, dirname(path)));
  return { kind: 'ok', value: { models, defaults: parsed.value.defaults } };
}

/** Lays a user's file over a registry: an entry of a known id replaces it, others are added, defaults may change. */
export function parseOverlay(
  path: string,
  content: string,
  below: Registry,
  abilityProblem: AbilityProblem = () => undefined,
): Parsed<Registry> {
  const schema = overlayFile.superRefine((value, context) => {
    checkAcross(value, below.models, context);
    checkAbilities(value, abilityProblem, context);
  });
  const parsed = parseYaml(path, content, schema);
  if (parsed.kind === 'bad') return parsed;
  const models = new Map(below.models.map((one) => [one.id, one]));
  for (const entry of parsed.value.models) models.set(entry.id, toModel(entry, dirname(path)));
  return {
    kind: 'ok',
    value: {
      models: [...models.values()],
      defaults: { ...below.defaults, ...parsed.value.defaults },
    },
  };
}

interface Entries {
  readonly models: readonly ModelEntry[];
  readonly defaults?: Partial<z.infer<typeof defaults>> | undefined;
}

function checkAcross(value: Entries, below: readonly Model[], context: z.RefinementCtx): void {
  const tiers = new Map(below.map((one) => [one.id, one.tier]));
  const seen = new Set<string>();
  for (const [index, entry] of value.models.entries()) {
    if (seen.has(entry.id)) {
      context.addIssue({
        code: 'custom',
        path: ['models', index, 'id'],
        message: 'an id that no earlier entry has',
      });
    }
    seen.add(entry.id);
    tiers.set(entry.id, entry.tier);
  }
  const { ladder = [] } = value.defaults ?? {};
  for (const [index, named] of ladder === 'auto' ? [] : ladder.entries()) {
    if (!tiers.has(named)) {
      const path = ['defaults', 'ladder', index];
      context.addIssue({ code: 'custom', path, message: 'the id of a model' });
    }
  }
  for (const role of ['cheap', 'escalation', 'baseline'] as const) {
    const named = value.defaults?.[role];
    if (named === undefined) continue;
    const tier = tiers.get(named);
    // The baseline is only compared with, so it may be of either tier.
    if (tier === undefined || (role !== 'baseline' && tier !== role)) {
      context.addIssue({
        code: 'custom',
        path: ['defaults', role],
        message: role === 'baseline' ? 'the id of a model' : `the id of a model of tier ${role}`,
      });
    }
  }
}

function checkAbilities(
  value: Entries,
  abilityProblem: AbilityProblem,
  context: z.RefinementCtx,
): void {
  for (const [index, entry] of value.models.entries()) {
    // Checks across entries run beside those of an entry, so this one may be bad already and have been told.
    const { fitted, size_billions: billions } = entry.ability;
    if (fitted === undefined && billions === undefined) continue;
    const message = abilityProblem(toAbility(entry.ability));
    if (message !== undefined) {
      context.addIssue({ code: 'custom', path: ['models', index, 'ability'], message });
    }
  }
}

function toModel(entry: ModelEntry, folder: string): Model {
  const common = {
    id: entry.id,
    label: entry.label ?? entry.id,
    tier: entry.tier,
    enabled: entry.enabled,
    contextWindow: entry.context_window,
    maxOutputTokens: entry.max_output_tokens,
    ability: toAbility(entry.ability),
  };
  if (entry.provider === 'local') {
    return { ...common, provider: 'local', file: toLocalFile(entry.file, folder) };
  }
  const cloudModel: CloudModel = {
    ...common,
    provider: entry.provider,
    apiModel: entry.api_model ?? entry.id,
    key: entry.key,
    tools: entry.tools ?? entry.provider === 'openai',
    ...(entry.base_url !== undefined && { baseUrl: entry.base_url.replace(/\/+$/, '') }),
    ...(entry.provider === 'openai-compatible' && entry.sends_on === true && { sendsOn: true }),
    ...(entry.reasoning_effort !== undefined && { reasoningEffort: entry.reasoning_effort }),
  };
  return cloudModel;
}

function toLocalFile(entry: z.infer<typeof localFile>, folder: string): LocalModel['file'] {
  return {
    fileName: entry.file_name,
    sizeBytes: entry.size_bytes,
    sha256: entry.sha256,
    sources: entry.sources.flatMap(({ path, uri, wheel }) => [
      ...(path === undefined ? [] : [{ kind: 'path', path: resolve(folder, path) } as const]),
      ...(uri === undefined ? [] : [{ kind: 'uri', uri } as const]),
      ...(wheel === undefined ? [] : [{ kind: 'wheel', ...wheel } as const]),
    ]),
    chatTemplate: entry.chat_template,
    systemPrompt: entry.system_prompt.trim(),
    thoughtTokens: entry.thought_tokens,
    ...(entry.agreement_samples === undefined ? {} : { agreementSamples: entry.agreement_samples }),
  };
}

function toAbility(entry: z.infer<typeof ability>): AbilitySource {
  if (entry.fitted !== undefined) return { kind: 'fitted', key: entry.fitted };
  const billions = entry.size_billions;
  if (billions === undefined) throw new Error('expected the schema to demand a size');
  return entry.tasks === undefined
    ? { kind: 'size', billions }
    : { kind: 'stated', tasks: entry.tasks, billions };
}

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
