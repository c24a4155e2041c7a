/** Whether a local model is worth getting ready for a prompt that is still being written, and with what. */
import { requestTo } from './callModel.ts';
import { type Decided, modelById } from './decide.ts';
import type { RouterPorts } from './ports.ts';

/** A question of fewer characters has hardly begun, and looks easy whatever becomes of it. */
const TELLING_CHARACTERS = 12;

export function warmFor(decided: Decided, { local }: Pick<RouterPorts, 'local'>): void {
  const { decision, prompt, registry, settings } = decided;
  if (decision.kind === 'refused' || local.warm === undefined) return;
  const model = modelById(registry, decision.route.modelId);
  const forced = prompt.constraints.forceModel !== undefined;
  if (model.provider !== 'local') return;
  if (!forced && prompt.text.trim().length < TELLING_CHARACTERS) return;
  const unwritten = requestTo(model, { ...prompt, text: '' }, settings, decision.route);
  // A model that can't be made ready says so when it is asked.
  local.warm(model, unwritten).catch(() => undefined);
}
