/** Where a model runs: on this machine, or where its prompts leave it. */
import type { Model } from './types.ts';

/**
 * A model that runs on this machine, in our own process or behind a loopback address: prompts for it leave nothing. Nobody
 * can see of a loopback address whether a proxy listens there; the registry says so by `sends_on`.
 */
export function runsHere(model: Model): boolean {
  if (model.provider === 'local') return true;
  if (model.provider === 'openai' || model.baseUrl === undefined) return false;
  if (model.sendsOn === true) return false;
  const known = onLoopback.get(model);
  if (known !== undefined) return known;
  const { hostname } = new URL(model.baseUrl);
  const here =
    hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname);
  onLoopback.set(model, here);
  return here;
}

const onLoopback = new WeakMap<Model, boolean>();
