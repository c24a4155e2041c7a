/** The translation into English: fills the places and leaves the rest. */
import type { Translate } from '../../client/src/translate.ts';

export const english: Translate = (message, ...args) =>
  message.replaceAll(/\{(\d)\}/g, (_, at: string) => String(args[Number(at)]));
