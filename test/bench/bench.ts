/**
 * What the router adds: microseconds per decision, and local tokens per second through the whole router beside
 * node-llama-cpp called bare, in the same run; then what reports and the ledger take. `npm run bench -- ledger` runs the
 * ledger's part alone. Prints ratios; asserts nothing, because machines differ.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getLlama } from 'node-llama-cpp';
import { createApp } from '../../server/src/compose.ts';
import { generationRequest } from '../../server/src/core/request.ts';
import type { Prompt } from '../../server/src/core/types.ts';
import { ensureSmolLm2, testModelsDir } from '../support/localModel.ts';
import { median, quantile } from './figures.ts';
import { benchLedger } from './ledgerCalls.ts';
import { benchReports } from './routeReports.ts';

const THREADS = 1;
const OUTPUT_TOKENS = 96;
const ROUNDS = 5;

const questions = [
  'Write a short story about a lighthouse keeper and a storm.',
  'Describe how a bicycle works, part by part.',
  'Tell me about the history of bread in a few paragraphs.',
];

function promptOf(id: string, text: string): Prompt {
  return {
    id,
    text,
    context: [],
    history: [],
    useCache: false,
    constraints: { forceModel: { tier: 'cheap' }, maxOutputTokens: OUTPUT_TOKENS },
  };
}

if (process.argv[2] === 'ledger') {
  await benchLedger();
  process.exit();
}

const dataDir = mkdtempSync(join(tmpdir(), 'router-bench-'));
await ensureSmolLm2();
const app = await createApp({
  dataDir,
  modelsDir: testModelsDir,
  threads: THREADS,
  apiKey: 'none-is-sent',
});
try {
  await benchDecisions();
  await benchTokens();
  await benchReports(100_000);
  await benchLedger();
} finally {
  await app.close();
  rmSync(dataDir, { recursive: true, force: true });
}

async function benchDecisions(): Promise<void> {
  const texts = Array.from({ length: 2000 }, (_, nth) =>
    nth % 2 === 0
      ? `Explain what line ${nth} of this function does and why it may return undefined.`
      : `Design a plan in ${nth} steps to move our services to another region, with the risks of each step.`,
  );
  for (const scan of [false, true]) {
    const times: number[] = [];
    for (const [nth, text] of texts.entries()) {
      const prompt: Prompt = { id: `d${nth}`, text, context: [], history: [], constraints: {} };
      const startedMs = performance.now();
      await app.router.decide(prompt, { scan });
      times.push((performance.now() - startedMs) * 1000);
    }
    const warm = times.slice(200);
    console.log(
      `decision${scan ? ' with the secret scan' : ''}: median ${median(warm).toFixed(0)} µs, p99 ${quantile(warm, 0.99).toFixed(0)} µs (${warm.length} prompts)`,
    );
  }
}

async function benchTokens(): Promise<void> {
  const bare = await openBare();
  const ratios: number[] = [];
  const routed: number[] = [];
  const alone: number[] = [];
  for (let round = 0; round < ROUNDS + 1; round++) {
    const question = questions[round % questions.length] ?? '';
    const through = await tokensPerSecondRouted(promptOf(`b${round}`, question));
    const direct = await bare.tokensPerSecond(question);
    if (round === 0) continue;
    routed.push(through);
    alone.push(direct);
    ratios.push(through / direct);
  }
  await bare.dispose();
  console.log(
    `local output: ${median(routed).toFixed(1)} tokens/s through the router, ${median(alone).toFixed(1)} bare, ratio ${median(ratios).toFixed(2)} (${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}; ${ROUNDS} alternating rounds, ${THREADS} thread)`,
  );
}

/** From the first token to the last, as the bare run is measured too. */
async function tokensPerSecondRouted(prompt: Prompt): Promise<number> {
  for await (const event of app.router.answer(prompt, new AbortController().signal)) {
    if (event.type !== 'answer-end') continue;
    const { usage, timing, attempts } = event.result;
    const latencyMs = attempts.at(-1)?.timing.latencyMs ?? timing.latencyMs;
    const spanMs = latencyMs - (timing.firstTokenMs ?? 0);
    return (((usage.outputTokens ?? 0) - 1) / spanMs) * 1000;
  }
  throw new Error('expected a local answer, got none');
}

async function openBare() {
  const llama = await getLlama({ gpu: false, build: 'never', maxThreads: THREADS });
  const model = await llama.loadModel({ modelPath: await ensureSmolLm2() });
  const context = await model.createContext({ contextSize: 2048, threads: THREADS });
  const sequence = context.getSequence();
  const local = app.catalogue.registry().models.find(({ provider }) => provider === 'local');
  if (local === undefined) throw new Error('expected a local model in the registry');
  return {
    async tokensPerSecond(question: string): Promise<number> {
      await sequence.clearHistory();
      const { system, turns } = generationRequest(promptOf('bare', question), local, OUTPUT_TOKENS);
      const text = `<|im_start|>system\n${system}<|im_end|>\n<|im_start|>user\n${turns.at(-1)?.text ?? ''}<|im_end|>\n<|im_start|>assistant\n`;
      const tokens = model.tokenize(text, true);
      let firstMs: number | undefined;
      let count = 0;
      for await (const token of sequence.evaluate(tokens, { temperature: 0 })) {
        firstMs ??= performance.now();
        count++;
        if (count >= OUTPUT_TOKENS || model.isEogToken(token)) break;
      }
      return ((count - 1) / (performance.now() - (firstMs ?? 0))) * 1000;
    },
    dispose: () => llama.dispose(),
  };
}
