/**
 * Replies that are one text. A `Response` hands its text out as a stream only, and reading that again takes a server longer
 * than writing the reply; so the text is remembered until a socket asks for it.
 */
import type { ServerResponse } from 'node:http';

const texts = new WeakMap<Response, string>();

/** As `Response.json`. */
export function jsonReply(data: unknown, init: ResponseInit = {}): Response {
  const text = JSON.stringify(data);
  const headers = new Headers(init.headers);
  headers.set('content-type', 'application/json');
  const response = new Response(text, { ...init, headers });
  texts.set(response, text);
  return response;
}

/** Writes a reply whose text is known. False for any other, of which nothing was written. */
export function writeWhole(response: Response, outgoing: ServerResponse): boolean {
  const text = texts.get(response);
  // One that somebody has begun to read is no longer whole.
  if (text === undefined || response.bodyUsed) return false;
  const headers = Object.fromEntries(response.headers);
  outgoing.writeHead(response.status, { ...headers, 'content-length': Buffer.byteLength(text) });
  outgoing.end(text);
  return true;
}
