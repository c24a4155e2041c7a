/** The models that a client may name, as OpenAI lists its own. */
import { z } from '@hono/zod-openapi';
import type { Model, Registry } from '../../core/types.ts';
import { AUTO } from './routerFields.ts';

export const modelEntry = z
  .strictObject({
    id: z.string().describe('`auto`, or the id of an enabled model.'),
    object: z.literal('model').describe('Always this.'),
    created: z.literal(0).describe('Not known: always 0.'),
    owned_by: z.string().describe('`cost-aware-router` for `auto`, else where it runs.'),
  })
  .openapi('ModelEntry');

export const modelList = z
  .strictObject({
    object: z.literal('list').describe('Always this.'),
    data: z.array(modelEntry).describe('`auto` first.'),
  })
  .openapi('ModelList');

export function modelListOf(registry: Registry): z.infer<typeof modelList> {
  const enabled = registry.models.filter((model) => model.enabled);
  return { object: 'list', data: [auto, ...enabled.map(entryOf)] };
}

export function modelEntryOf(
  registry: Registry,
  id: string,
): z.infer<typeof modelEntry> | undefined {
  return modelListOf(registry).data.find((entry) => entry.id === id);
}

const auto = { id: AUTO, object: 'model', created: 0, owned_by: 'cost-aware-router' } as const;

function entryOf({ id, provider }: Model): z.infer<typeof modelEntry> {
  return { id, object: 'model', created: 0, owned_by: provider };
}
