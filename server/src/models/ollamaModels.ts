/**
 * What Ollama's own API tells of its models beside the list of OpenAI's kind: their size, whether it only hands them on, and the
 * context of those that are loaded. Read from Ollama 0.17's answers.
 */
import { z } from 'zod';

export interface OllamaModel {
  /** Thousand millions of parameters. */
  readonly sizeBillions?: number;
  /** What it is loaded with; a longer prompt would be cut without a word. */
  readonly contextWindow?: number;
  /** It runs at its maker's. */
  readonly isHandedOn: boolean;
}

const tags = z.object({
  models: z
    .array(
      z.object({
        model: z.string(),
        remote_host: z.string().optional(),
        details: z.object({ parameter_size: z.string() }).partial().nullish(),
      }),
    )
    .max(1000),
});
const running = z.object({
  models: z
    .array(z.object({ model: z.string(), context_length: z.int().positive().optional() }))
    .max(1000),
});

const BILLIONS: Readonly<Record<string, number>> = { K: 1e-6, M: 1e-3, B: 1, T: 1e3 };

/**
 * @param get the parsed answer to a path of the server; rejects where there is none
 * @returns by name; empty where a server does not tell
 */
export async function ollamaModels(
  get: (path: string) => Promise<unknown>,
): Promise<ReadonlyMap<string, OllamaModel>> {
  const [told, loaded] = await Promise.all(
    ['/api/tags', '/api/ps'].map(async (path) => await get(path).catch(() => undefined)),
  );
  const contexts = new Map(
    running.safeParse(loaded).data?.models.map((one) => [one.model, one.context_length]),
  );
  const models = tags.safeParse(told).data?.models ?? [];
  return new Map(
    models.map(({ model, remote_host, details }) => [
      model,
      {
        sizeBillions: billionsOf(details?.parameter_size ?? ''),
        contextWindow: contexts.get(model),
        isHandedOn: (remote_host ?? '') !== '',
      },
    ]),
  );
}

/** `134.52M` and the like. */
function billionsOf(size: string): number | undefined {
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?)([KMBT])$/.exec(size) ?? [];
  const billions = Number(number) * (BILLIONS[unit] ?? Number.NaN);
  return Number.isFinite(billions) && billions > 0 ? billions : undefined;
}
