/** The one client of all that are compared. */
import autocannon from 'autocannon';
import { quantile } from '../figures.ts';
import type { Endpoint } from './proxies.ts';

export interface Load {
  readonly requestsPerSecond: number;
  /** Of whole replies; a stream ends with its last event. */
  readonly medianMs: number;
  readonly p99Ms: number;
}

/** Compilers, connections and file pages get warm, however long that takes on this machine. */
export async function warmUp(endpoint: Endpoint, requests: number): Promise<void> {
  for (const stream of [false, true]) await load(endpoint, { connections: 4, requests, stream });
}

interface LoadOptions {
  readonly connections: number;
  readonly stream: boolean;
  /** How long, or how many. */
  readonly seconds?: number;
  readonly requests?: number;
}

let sent = 0;

/** Every request asks something new, so that no cache answers. Throws unless every reply was an answer. */
export async function load(
  proxy: Endpoint,
  { connections, seconds = 1, requests, stream }: LoadOptions,
): Promise<Load> {
  const times: number[] = [];
  const options: autocannon.Options = {
    url: proxy.url,
    connections,
    ...(requests === undefined ? { duration: seconds } : { amount: requests }),
    timeout: 20,
    requests: [
      {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${proxy.key}` },
        setupRequest: (request) => ({ ...request, body: bodyOf(proxy.model, stream) }),
      },
    ],
  };
  const result = await new Promise<autocannon.Result>((resolve, reject) => {
    const running = autocannon(options, (error, found) => (error ? reject(error) : resolve(found)));
    // Its own histogram counts whole milliseconds.
    running.on('response', (_client, _status, _bytes, ms) => times.push(ms));
  });
  const wrong = result.non2xx + result.errors + result.timeouts;
  if (wrong > 0 || times.length === 0) {
    const codes = JSON.stringify(result.statusCodeStats);
    throw new Error(
      `expected answers from ${proxy.name}, got ${wrong} other replies (${codes}); it said: ${proxy.program.said()}`,
    );
  }
  return {
    requestsPerSecond: times.length / result.duration,
    medianMs: quantile(times, 0.5),
    p99Ms: quantile(times, 0.99),
  };
}

function bodyOf(model: string, stream: boolean): string {
  sent += 1;
  const content = `Say twenty words about the number ${sent} and about what it is used for.`;
  return JSON.stringify({ model, stream, max_tokens: 100, messages: [{ role: 'user', content }] });
}
