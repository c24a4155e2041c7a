/**
 * The policy that an administrator lays down for a machine, in one file that its users can't write. Whoever can write it can
 * change it: its rights are the system's matter. It is looked at again while the program runs.
 */
import { readFileSync, statSync } from 'node:fs';
import { posix, win32 } from 'node:path';
import { z } from 'zod';
import { type AdminPolicy, NO_POLICY } from '../core/adminPolicy.ts';
import { dollarAmount } from '../core/schema.ts';
import { parseYaml } from './yamlFile.ts';

/** Fixed, and not taken from the environment, which belongs to the user. */
export function adminPolicyPath(platform: NodeJS.Platform = process.platform): string {
  switch (platform) {
    case 'win32':
      return win32.join('C:\\ProgramData', 'cost-aware-router', 'policy.yaml');
    case 'darwin':
      return posix.join('/Library/Application Support', 'cost-aware-router', 'policy.yaml');
    default:
      return posix.join('/etc', 'cost-aware-router', 'policy.yaml');
  }
}

export const adminPolicyFile = z.strictObject({
  local_only: z.boolean().optional().describe('Nothing leaves the machine.'),
  allowed_models: z
    .array(z.string().min(1))
    .optional()
    .describe('Ids of the registry; others do not answer.'),
  max_monthly_usd: dollarAmount.optional().describe("The most that a user's budget can be."),
});

/** Between two looks at the file. */
const LOOK_EVERY_MS = 1000;

export interface AdminPolicyOptions {
  readonly path: string;
  readonly monotonicMs: () => number;
  /** Told once of each problem. */
  readonly onProblem: (message: string) => void;
}

/** The policy in force. No file is no policy; one that can't be read or understood lets nothing leave. */
export function createAdminPolicy(options: AdminPolicyOptions): () => AdminPolicy {
  const { path, monotonicMs, onProblem } = options;
  let lookedMs = Number.NEGATIVE_INFINITY;
  let stamp = '';
  let policy: AdminPolicy = NO_POLICY;
  return () => {
    const nowMs = monotonicMs();
    if (nowMs - lookedMs < LOOK_EVERY_MS) return policy;
    lookedMs = nowMs;
    const seen = stampOf(path);
    // A file that could not be read is tried again: its rights may have been mended.
    if (seen === stamp && policy.problem === undefined) return policy;
    stamp = seen;
    const before = policy.problem;
    policy = readPolicy(path);
    if (policy.problem !== undefined && policy.problem !== before) onProblem(policy.problem);
    return policy;
  };
}

function stampOf(path: string): string {
  const found = statSync(path, { throwIfNoEntry: false, bigint: true });
  return found === undefined
    ? 'none'
    : `${found.mtimeNs} ${found.ctimeNs} ${found.size} ${found.ino}`;
}

function readPolicy(path: string): AdminPolicy {
  const closed = (problem: string): AdminPolicy => ({ localOnly: true, problem });
  try {
    const text = readFileSync(path, 'utf8');
    // An empty file is nobody's intention.
    if (text.trim() === '') return closed(`${path}: expected a policy, found an empty file`);
    const parsed = parseYaml(path, text, adminPolicyFile);
    if (parsed.kind === 'bad')
      return closed(parsed.problems.map(({ message }) => message).join('; '));
    const { local_only, allowed_models, max_monthly_usd } = parsed.value;
    return {
      localOnly: local_only ?? false,
      ...(allowed_models === undefined ? {} : { allowedModels: allowed_models }),
      ...(max_monthly_usd === undefined ? {} : { maxMonthlyNanoUsd: max_monthly_usd }),
    };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
    if (code === 'ENOENT' || code === 'ENOTDIR') return NO_POLICY;
    return closed(`${path}: expected a policy that can be read, got ${code ?? String(error)}`);
  }
}
