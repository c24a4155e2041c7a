/** What is compared: a product, set up for one run in front of one provider. */
import type { Program } from '../../support/programs.ts';

export const LIMIT_USD = 1;

export type Outcome =
  | 'answered'
  /** Refused, with the reason that the money is used up. */
  | 'refused'
  /** Sent away for now because of too many requests at once; nothing to do with money. */
  | 'busy'
  /** The process was killed under the request. */
  | 'lost';

/** One running process of the product. */
export interface Instance {
  send(nth: number): Promise<Outcome>;
  /** What the product itself says it has spent, in dollars. */
  spentUsd(): Promise<number>;
  kill(): Promise<void>;
}

/** What all processes of one run share, if anything. */
export interface Site {
  start(): Promise<Instance>;
}

export interface Product {
  readonly name: string;
  open(providerUrl: string): Promise<Site>;
}

/** Posts one request; a connection that breaks counts as lost only when the process was killed. */
export async function post(
  program: Program,
  url: string,
  token: string,
  body: object,
): Promise<{ readonly status: number; readonly text: string } | 'lost'> {
  try {
    const reply = await fetch(url, {
      method: 'POST',
      headers: { ...headersOf(token), 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return { status: reply.status, text: await reply.text() };
  } catch (error) {
    // The socket breaks a moment before the exit is told.
    await Promise.race([program.ended(), new Promise((resolve) => setTimeout(resolve, 2_000))]);
    if (program.running()) {
      throw new Error(`expected ${program.name} to reply, got a broken connection`, {
        cause: error,
      });
    }
    return 'lost';
  }
}

export async function getJson(url: string, token: string): Promise<unknown> {
  const reply = await fetch(url, { headers: headersOf(token) });
  if (reply.status !== 200) {
    throw new Error(`expected 200 from ${url}, got ${reply.status}: ${await reply.text()}`);
  }
  return await reply.json();
}

/** A connection of its own for each request: a kept one may be closed by the server just as the next request uses it. */
function headersOf(token: string): Record<string, string> {
  return { authorization: `Bearer ${token}`, connection: 'close' };
}

/** A reply that is neither an answer nor a refusal for money would make the table say something it does not show. */
export function unexpected(program: Program, status: number, text: string): Error {
  return new Error(
    `expected an answer or a refusal for money from ${program.name}, got ${status}: ${text.slice(0, 500)}`,
  );
}
