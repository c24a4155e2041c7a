/** A provider over HTTP that keeps its own bill, never above a call's cap, and does not always answer well. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import type { Random } from './proof.ts';

export interface CallBody {
  readonly id: string;
  readonly capNanoUsd: number;
}

export interface BillingProvider {
  readonly url: string;
  /** What was billed, by call. A call that was refused is not in it. */
  readonly bill: ReadonlyMap<string, number>;
  billedInAll(): number;
  /** Calls that arrived more than once; there should be none. */
  readonly repeated: readonly string[];
}

export async function startProvider(t: TestContext, random: Random): Promise<BillingProvider> {
  const bill = new Map<string, number>();
  const seen = new Set<string>();
  const repeated: string[] = [];
  let billed = 0;
  const server = createServer(async (call, reply) => {
    let text = '';
    try {
      for await (const chunk of call) text += chunk;
    } catch {
      // The caller was killed before all had arrived; what never came whole is not billed.
      return;
    }
    const { id, capNanoUsd }: CallBody = JSON.parse(text);
    if (seen.has(id)) repeated.push(id);
    seen.add(id);
    const fate = random();
    const waitMs = random() * 8;
    if (fate < 0.1) {
      reply.writeHead(429).end();
      return;
    }
    const cost = 1 + random.below(capNanoUsd);
    bill.set(id, cost);
    billed += cost;
    setTimeout(() => {
      if (fate < 0.2) call.socket.destroy();
      else if (fate < 0.3) reply.writeHead(500).end();
      else reply.end(JSON.stringify({ costNanoUsd: cost }));
    }, waitMs);
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/`, bill, billedInAll: () => billed, repeated };
}
