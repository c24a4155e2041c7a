/** The router's settings with those that only a whole program has: all that may change while it runs. */
import { z } from 'zod';
import { type Settings, settingsSchema } from './schema.ts';
import type { Model } from './types.ts';

export interface AppSettings extends Settings {
  /** A GGUF of the user's own, chosen as the cheap model while it is set. */
  readonly ownModelPath?: string;
  /** Overrides the base URL of provider `openai`. */
  readonly baseUrl?: string;
}

export const appSettingsSchema = settingsSchema.extend({
  ownModelPath: z.string().optional(),
  baseUrl: z.url({ protocol: /^https?$/ }).optional(),
});

/**
 * The settings without models that the registry lacks or has turned off: the registry's own choice stands in their place. Each
 * problem is a sentence for the person.
 */
export function withKnownModels(
  settings: AppSettings,
  models: readonly Model[],
): { readonly settings: AppSettings; readonly problems: readonly string[] } {
  const ids = models.filter(({ enabled }) => enabled).map(({ id }) => id);
  const problems: string[] = [];
  let known = settings;
  const isKnown = (role: string, id: string): boolean => {
    if (ids.includes(id)) return true;
    problems.push(
      `expected an enabled model of the registry as ${role}, got ${id}; choose one of ${ids.join(', ')}`,
    );
    return false;
  };
  for (const role of ['cheap', 'escalation', 'baseline'] as const) {
    const id = settings[role];
    if (id !== undefined && !isKnown(role, id)) known = { ...known, [role]: undefined };
  }
  if (settings.ladder !== undefined && settings.ladder !== 'auto') {
    const rungs = settings.ladder.filter((id) => isKnown('ladder', id));
    known = { ...known, ladder: rungs.length === 0 ? undefined : rungs };
  }
  return { settings: known, problems };
}
