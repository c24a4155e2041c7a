/**
 * The one way out: `fetch` by the rules of this machine and its network. Certificates of the system count beside those that Node
 * ships and those of NODE_EXTRA_CA_CERTS, and a proxy of HTTPS_PROXY, HTTP_PROXY and NO_PROXY is used, but never for this
 * machine itself. No certificate goes unchecked.
 */
import http from 'node:http';
import tls from 'node:tls';

type Fetch = typeof globalThis.fetch;

const LOOPBACK = ['localhost', '127.0.0.1', '[::1]', '::1'];

let ready = false;

/** Reading the system's certificates takes a tenth of a second, so it waits for the first address that may need them. */
export const networkFetch: Fetch = (input, init) => {
  if (!ready && !isPlainLoopback(input)) {
    ready = true;
    trustSystemCertificates(process.env);
    http.setGlobalProxyFromEnv(proxyEnvironment(process.env));
  }
  return globalThis.fetch(input, init);
};

function isPlainLoopback(input: Parameters<Fetch>[0]): boolean {
  const url = URL.parse(input instanceof Request ? input.url : String(input));
  return url?.protocol === 'http:' && LOOPBACK.includes(url.hostname);
}

/** Servers of this machine are asked directly, whatever NO_PROXY says: a proxy elsewhere could not reach them. */
export function proxyEnvironment(environment: NodeJS.ProcessEnv): Record<string, string> {
  const named = (name: string) =>
    environment[name.toLowerCase()] || environment[name.toUpperCase()];
  // Everywhere directly.
  if (named('no_proxy')?.trim() === '*') return {};
  const noProxy = [named('no_proxy'), ...LOOPBACK].filter((one) => one !== undefined).join(',');
  const found = {
    http_proxy: proxyUrl(named('http_proxy')),
    https_proxy: proxyUrl(named('https_proxy')),
  };
  return {
    no_proxy: noProxy,
    ...(found.http_proxy !== undefined && { http_proxy: found.http_proxy }),
    ...(found.https_proxy !== undefined && { https_proxy: found.https_proxy }),
  };
}

/** Many write `proxy.example:8080`; anything else that is no address would end the program. */
function proxyUrl(value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  const url = /^https?:\/\//i.test(value) ? value : `http://${value}`;
  return URL.canParse(url) ? url : undefined;
}

function trustSystemCertificates(environment: NodeJS.ProcessEnv): void {
  if (environment['NODE_USE_SYSTEM_CA'] === '0') return;
  try {
    const own = tls.getCACertificates('default');
    tls.setDefaultCACertificates([...new Set([...own, ...tls.getCACertificates('system')])]);
  } catch {
    // A store that can't be read leaves Node's own certificates, and a connection that needs more says so.
  }
}
