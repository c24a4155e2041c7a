/**
 * Who may ask: the literal Host (a page that rebinds its own name to 127.0.0.1 has another one), the Origin
 * (no foreign page may ask, whatever it could read), and the bearer token. Pure: a request in, a problem or nothing out.
 */
import { hash, timingSafeEqual } from 'node:crypto';
import type { Problem } from './problems.ts';

/** Names under which a server on this machine is reached; the port may be any, because it says nothing about who asks. */
export const LOOPBACK_HOSTS: readonly string[] = ['127.0.0.1', 'localhost', '[::1]'];

/** A browser can't send a bearer token when a person opens a page, so these take it as the password of Basic too. */
const pages = new Set(['/docs', '/openapi.json']);

export function hostProblem(
  request: Request,
  allowedHosts: readonly string[],
): Problem | undefined {
  const url = new URL(request.url);
  const host = request.headers.get('host') ?? url.host;
  // An absolute request target names a host of its own, beside the header.
  if (!isAllowed(host, allowedHosts) || !isAllowed(url.host, allowedHosts)) {
    return {
      code: 'forbidden_host',
      message: `expected one of ${allowedHosts.join(', ')} as Host, got another; a server that is reached by other names must be started with them`,
    };
  }
  const origin = request.headers.get('origin');
  if (origin !== null && !isOwnOrigin(origin, host)) {
    return {
      code: 'forbidden_origin',
      message:
        'expected no Origin or the own one of this server, got a foreign one; ask from a program, not from another page',
    };
  }
  return undefined;
}

function isAllowed(host: string, allowedHosts: readonly string[]): boolean {
  const [, name] = /^(\[[\da-f:.]+\]|[^\s:@/\\[\]]+)(?::\d{1,5})?$/i.exec(host) ?? [];
  return name !== undefined && allowedHosts.includes(name.toLowerCase());
}

/** Another port of this machine is another program's page, so the whole host must be the same. */
function isOwnOrigin(origin: string, host: string): boolean {
  return ['http', 'https'].some(
    (scheme) => origin.toLowerCase() === `${scheme}://${host.toLowerCase()}`,
  );
}

export function tokenProblem(
  request: Request,
  path: string,
  token: string | undefined,
): Problem | undefined {
  if (token === undefined) return undefined;
  const sent = sentToken(request.headers.get('authorization') ?? '', path);
  if (sent !== undefined && sameText(sent, token)) return undefined;
  const challenge = pages.has(path) ? 'Basic realm="cost-aware-router", charset="UTF-8"' : 'Bearer';
  return {
    code: 'unauthorized',
    message: `expected the header Authorization: Bearer TOKEN, got ${sent === undefined ? 'none' : 'a wrong token'}; the token is in the file api-token of the data directory`,
    headers: { 'www-authenticate': challenge },
  };
}

function sentToken(header: string, path: string): string | undefined {
  const [, scheme = '', value = ''] = /^(bearer|basic) +(\S+)$/i.exec(header) ?? [];
  if (scheme === '') return undefined;
  if (scheme.toLowerCase() === 'bearer') return value;
  if (!pages.has(path)) return undefined;
  const decoded = Buffer.from(value, 'base64').toString('utf8');
  return decoded.slice(decoded.indexOf(':') + 1);
}

/** Hashes are of one length and tell nothing about the text, so the comparison takes the same time whatever came. */
function sameText(left: string, right: string): boolean {
  return timingSafeEqual(hash('sha256', left, 'buffer'), hash('sha256', right, 'buffer'));
}
