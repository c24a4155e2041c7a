/** A router from PyPI that scores prompts by its own code, in a process of its own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';

const peerSchema = z.object({
  peer: z.string(),
  scores: z.array(z.number()),
  /** Median of a prompt. */
  microseconds: z.number(),
});

export type Peer = z.infer<typeof peerSchema>;

/** @param args `besideRouters/peers.py` tells which */
export async function scoredBy(
  python: string,
  args: readonly string[],
  prompts: readonly string[],
): Promise<Peer> {
  const script = join(import.meta.dirname, 'besideRouters', 'peers.py');
  const child = spawn(python, [script, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  for (const prompt of prompts) child.stdin.write(`${JSON.stringify(prompt)}\n`);
  child.stdin.end();
  let peer: Peer | undefined;
  for await (const line of createInterface({ input: child.stdout })) {
    // A peer may print of its own; what is ours is JSON.
    if (line.startsWith('{"peer"')) peer = peerSchema.parse(JSON.parse(line));
  }
  await ended;
  if (peer === undefined) throw new Error(`expected the scores of ${args[0]}, got none`);
  return peer;
}

export const LITELLM_VERSION = '1.100.0';

export const PYTHON_3 = { oldest: 10, newest: 14 };

/** With its proxy, so that one installation serves all comparisons. */
export const litellmPackage = {
  name: 'LiteLLM',
  package: 'litellm',
  extras: '[proxy]',
  version: LITELLM_VERSION,
};

export const llmRoutingPackage = {
  name: 'llm-routing',
  package: 'llm-routing',
  version: '15.4.0',
};
