/** The router's settings with those that only a whole program has: all that may change while it runs. */
import { z } from 'zod';
import { type Settings, settingsSchema } from './schema.ts';

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
