/** Servers of models on this machine, found on the ports that they take unless told otherwise, and as entries of the user's files. */
import { join } from 'node:path';
import { z } from 'zod';
import { type OllamaModel, ollamaModels } from './ollamaModels.ts';
import { writeEntry } from './userYaml.ts';

export interface KnownPort {
  readonly name: string;
  readonly port: number;
}

export const KNOWN_PORTS: readonly KnownPort[] = [
  { name: 'Ollama', port: 11_434 },
  { name: 'llama.cpp server', port: 8080 },
  { name: 'vLLM', port: 8000 },
  { name: 'LiteLLM', port: 4000 },
];

export interface FoundModel {
  readonly id: string;
  /** As a person calls it. */
  readonly name: string;
  readonly apiModel: string;
  readonly contextWindow: number;
  /** Thousand millions of parameters. */
  readonly sizeBillions: number;
  /** What nobody told and was assumed. */
  readonly assumed: readonly ('context' | 'size')[];
}

export type FoundServer =
  | {
      readonly kind: 'found';
      readonly name: string;
      readonly baseUrl: string;
      /** It runs its models itself. Another's may cost money and leave this machine, so they get no price of 0. */
      readonly isRunner: boolean;
      readonly models: readonly FoundModel[];
      /** Names of models that the server only hands on to its maker's own machines. */
      readonly leftOut: readonly string[];
    }
  | { readonly kind: 'wants key'; readonly name: string; readonly baseUrl: string };

const PATIENCE_MS = 5_000;
/** Small enough to be true of nearly every server. */
const ASSUMED_CONTEXT = 4096;
/** Cautious: a model that is taken for small is not sent what it can't answer. */
const ASSUMED_BILLIONS = 1;
const MOST_OUTPUT = 1024;

const modelList = z.object({
  data: z
    .array(
      z.object({
        id: z.string().min(1).max(200),
        owned_by: z.string().optional(),
        max_model_len: z.int().positive().optional(),
        meta: z
          .object({
            n_ctx: z.int().positive(),
            n_ctx_train: z.int().positive(),
            n_params: z.number().positive(),
          })
          .partial()
          .nullish(),
      }),
    )
    .max(1000),
});

/** Asks only this machine; a port that is silent or says something else yields nothing. */
export async function discoverServers(
  ports: readonly KnownPort[],
  signal: AbortSignal,
): Promise<readonly FoundServer[]> {
  const all = await Promise.all(ports.map((port) => ask(port, signal)));
  return all.flatMap((found) => found ?? []);
}

async function ask(known: KnownPort, signal: AbortSignal): Promise<FoundServer | undefined> {
  const baseUrl = `http://127.0.0.1:${known.port}/v1`;
  try {
    const reply = await get(known, '/v1/models', signal);
    if (!reply.ok) {
      await reply.body?.cancel();
      const isProxy = await isLitellm(known, signal);
      // Without its database, LiteLLM fails over a missing key by 500.
      if (!isProxy && reply.status !== 401 && reply.status !== 403) return undefined;
      return { kind: 'wants key', name: isProxy ? 'LiteLLM' : known.name, baseUrl };
    }
    const parsed = modelList.safeParse(await reply.json());
    if (!parsed.success) return undefined;
    const { data } = parsed.data;
    const name =
      OWNERS.get(data[0]?.owned_by) ?? ((await isLitellm(known, signal)) ? 'LiteLLM' : known.name);
    const more =
      name === 'Ollama'
        ? await ollamaModels(async (path) => await (await get(known, path, signal)).json())
        : new Map<string, OllamaModel>();
    const isHandedOn = ({ id }: Told) => more.get(id)?.isHandedOn ?? isNamedCloud(id);
    const [handedOn, own] = [data.filter(isHandedOn), data.filter((one) => !isHandedOn(one))];
    return {
      kind: 'found',
      name,
      baseUrl,
      isRunner: RUNNERS.has(name),
      models: own.map((one) => modelOf(one, name, more.get(one.id))),
      leftOut: handedOn.map(({ id }) => id),
    };
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
}

async function get({ port }: KnownPort, path: string, signal: AbortSignal): Promise<Response> {
  return await fetch(`http://127.0.0.1:${port}${path}`, {
    signal: AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]),
    redirect: 'error',
  });
}

type Told = z.infer<typeof modelList>['data'][number];

/** What a server says of itself weighs more than its port. */
const OWNERS: ReadonlyMap<string | undefined, string> = new Map([
  ['llamacpp', 'llama.cpp server'],
  ['vllm', 'vLLM'],
  ['library', 'Ollama'],
]);

const RUNNERS: ReadonlySet<string> = new Set(OWNERS.values());

/** Its list of models looks like OpenAI's own; what tells it is a call that it alone has, under that spelling. */
async function isLitellm(known: KnownPort, signal: AbortSignal): Promise<boolean> {
  const reply = await get(known, '/health/liveliness', signal);
  return reply.status === 200 && (await reply.text()).startsWith('"I\'m alive');
}

/** Ollama lists models that run at its maker's beside those that run here; in OpenAI's list their names alone tell. */
function isNamedCloud(id: string): boolean {
  return /[:-]cloud$/.test(id);
}

function modelOf(told: Told, server: string, more: OllamaModel | undefined): FoundModel {
  // What the server was started with, else what the model was made for.
  const { max_model_len: longest, meta } = told;
  const context = longest ?? meta?.n_ctx ?? meta?.n_ctx_train ?? more?.contextWindow;
  // llama.cpp's server names a model by its file, folders and all, unless it was given a name.
  const shortName = told.id.split(/[\\/]/).at(-1) ?? told.id;
  const name = /\.gguf$/i.test(told.id) && shortName !== '' ? shortName : told.id;
  const [, inName] = /(?:^|[^\d.])(\d+(?:\.\d+)?)b(?![a-z])/i.exec(told.id) ?? [];
  const counted = meta?.n_params === undefined ? more?.sizeBillions : meta.n_params / 1e9;
  const size = counted ?? Number(inName);
  const isKnown = Number.isFinite(size) && size > 0 && size <= 100_000;
  const slug = `${server.split(/\W/)[0]}-${name}`.toLowerCase();
  return {
    id: slug.replaceAll(/[^a-z0-9._:/-]+/g, '-').slice(0, 80),
    name,
    apiModel: told.id,
    contextWindow: context ?? ASSUMED_CONTEXT,
    sizeBillions: isKnown ? size : ASSUMED_BILLIONS,
    assumed: [
      ...(context === undefined ? (['context'] as const) : []),
      ...(isKnown ? [] : (['size'] as const)),
    ],
  };
}

/**
 * Writes each model of a server into the user's registry, as one of the cheap tier: of a runner with a price of 0, of any
 * other server as one that sends prompts on.
 * @param today a UTC day such as `2026-11-26`
 */
export async function addServer(
  dataDir: string,
  server: Extract<FoundServer, { kind: 'found' }>,
  today: string,
): Promise<void> {
  for (const { id, name, apiModel, contextWindow, sizeBillions } of server.models) {
    if (server.isRunner) {
      await writeEntry(join(dataDir, 'pricing.yaml'), 'prices', 'model', {
        model: id,
        effective_from: '2020-01-01',
        source: `${server.name} on this machine`,
        checked_at: today,
        input: 0,
        output: 0,
      });
    }
    await writeEntry(join(dataDir, 'registry.yaml'), 'models', 'id', {
      id,
      label: `${name} (${server.name})`,
      tier: 'cheap',
      provider: 'openai-compatible',
      base_url: server.baseUrl,
      ...(!server.isRunner && { sends_on: true }),
      key: 'none',
      api_model: apiModel,
      context_window: contextWindow,
      max_output_tokens: Math.min(MOST_OUTPUT, Math.max(1, Math.floor(contextWindow / 2))),
      ability: { size_billions: sizeBillions },
    });
  }
}
