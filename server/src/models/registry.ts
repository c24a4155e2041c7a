/**
 * The way of `registry.yaml` into the core's `Model`s, and the checks across its entries: unique ids, defaults that exist,
 * abilities that the score can use.
 */
import { dirname, resolve } from 'node:path';
import type { z } from 'zod';
import type { AbilitySource, CloudModel, LocalModel, Model, Registry } from '../core/types.ts';
import { type ModelEntry, overlayFile, registryFile } from './registryFile.ts';
import { type Parsed, parseYaml } from './yamlFile.ts';

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

type LocalEntry = Extract<ModelEntry, { provider: 'local' }>;

interface Entries {
  readonly models: readonly ModelEntry[];
  readonly defaults?: Partial<Registry['defaults']> | undefined;
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

function toLocalFile(entry: LocalEntry['file'], folder: string): LocalModel['file'] {
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

function toAbility(entry: ModelEntry['ability']): AbilitySource {
  if (entry.fitted !== undefined) return { kind: 'fitted', key: entry.fitted };
  const billions = entry.size_billions;
  if (billions === undefined) throw new Error('expected the schema to demand a size');
  return entry.tasks === undefined
    ? { kind: 'size', billions }
    : { kind: 'stated', tasks: entry.tasks, billions };
}
