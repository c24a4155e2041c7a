/** Proves a key with one request that generates nothing and costs nothing: the provider's list of models. */
import type { ApiKey } from './liveCloud.ts';
import { networkFetch } from './network.ts';

export type KeyTest =
  | { readonly kind: 'done'; readonly message: string }
  | { readonly kind: 'failed'; readonly message: string };

const TIMEOUT_MS = 10_000;

/** The key goes only to the base URL that it was entered for; a redirect is not followed. */
export async function testKey(
  { key, baseUrl }: ApiKey,
  signal?: AbortSignal,
  fetch: typeof globalThis.fetch = networkFetch,
): Promise<KeyTest> {
  const url = `${baseUrl.replace(/\/+$/, '')}/models`;
  const { host } = new URL(url);
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  try {
    const reply = await fetch(url, {
      headers: { authorization: `Bearer ${key}`, accept: 'application/json' },
      redirect: 'manual',
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    });
    await reply.body?.cancel();
    return verdictOn(reply.status, host);
  } catch {
    // What fetch throws may name the address with its query, but says nothing more that helps.
    const what = signal?.aborted ? 'the test was cancelled' : 'got no answer in time or at all';
    return failed(`expected ${host} to answer, ${what}; check the base URL and the network`);
  }
}

function verdictOn(status: number, host: string): KeyTest {
  if (status >= 200 && status < 300) return { kind: 'done', message: `The key works at ${host}.` };
  if (status === 401 || status === 403) {
    return failed(`${host} refused the key (status ${status}); enter another one`);
  }
  if (status === 429) return failed(`${host} gets too many requests just now; try again later`);
  return failed(
    `expected the list of models from ${host}, got status ${status}; check the base URL`,
  );
}

function failed(message: string): KeyTest {
  return { kind: 'failed', message };
}
