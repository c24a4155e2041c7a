/**
 * node-llama-cpp called bare, in a process of its own with the priority of the model host, so that what else runs on the
 * machine meets both alike. It asks as the host does where that is a matter of the model, and reuses its own prefix.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { constants, setPriority } from 'node:os';
import { getLlama, type LlamaContextSequence, type Token } from 'node-llama-cpp';
import { PENALTY, PENALTY_WINDOW, penalisedTokens } from '../../server/src/models/repetition.ts';
import { ensureSmolLm2, smolLm2 } from '../support/localModel.ts';

/**
 * `alike`: repeated words penalised and a log-probability of each token, by the library's public calls; it is that of the
 * penalised model, for theirs has no cheap way to the model's own. `plain`: the likeliest token, and nothing is told of it.
 */
type Manner = 'alike' | 'plain';

export interface BareAnswer {
  readonly firstMs: number;
  readonly perSecond: number;
  readonly tokens: number;
  readonly cpuMs: number;
}

interface BareQuestion {
  readonly text: string;
  readonly outputTokens: number;
  readonly manner: Manner;
}

export interface BareModel {
  tokensOf(text: string): Promise<number>;
  answer(question: BareQuestion): Promise<BareAnswer>;
  stop(): Promise<void>;
}

type Asked = { readonly threads: number } | { readonly count: string } | BareQuestion;

export async function startBareModel(threads: number): Promise<BareModel> {
  const child = fork(import.meta.filename, { serialization: 'advanced' });
  const ended = once(child, 'exit');
  async function ask<T>(asked: Asked): Promise<T> {
    child.send(asked);
    const [reply] = await Promise.race([
      once(child, 'message'),
      ended.then(([code]) => Promise.reject(new Error(`the bare model ended with ${code}`))),
    ]);
    return reply as T;
  }
  await ask({ threads });
  return {
    tokensOf: (text) => ask({ count: text }),
    answer: (question) => ask(question),
    async stop() {
      if (child.connected) child.disconnect();
      await ended;
    },
  };
}

if (import.meta.main) serve();

function serve(): void {
  // Before the first thread, which inherits it.
  setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
  let opened: ReturnType<typeof open> | undefined;
  // The engine's threads would keep an orderly end waiting.
  process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
  process.on('message', (asked: Asked) => {
    void (async () => {
      if ('threads' in asked) opened = open(asked.threads);
      const bare = await opened;
      if (bare === undefined) throw new Error('expected the number of threads first');
      if ('count' in asked) process.send?.(bare.tokensOf(asked.count));
      else if ('text' in asked) process.send?.(await bare.answer(asked));
      else process.send?.('ready');
    })();
  });
}

async function open(threads: number) {
  const llama = await getLlama({ gpu: false, build: 'never', maxThreads: threads });
  const model = await llama.loadModel({ modelPath: await ensureSmolLm2() });
  const context = await model.createContext({ contextSize: smolLm2.contextWindow, threads });
  const sequence = context.getSequence();
  return {
    tokensOf: (text: string) => model.tokenize(text).length,
    async answer({ text, outputTokens, manner }: BareQuestion): Promise<BareAnswer> {
      const cpuBefore = process.cpuUsage();
      const startedMs = performance.now();
      const asked = `<|im_start|>system\n${smolLm2.file.systemPrompt}<|im_end|>\n<|im_start|>user\n${text}<|im_end|>\n<|im_start|>assistant\n`;
      const tokens = model.tokenize(asked, true);
      await sequence.adaptStateToTokens(tokens.slice(0, -1), false);
      const rest = tokens.slice(sequence.nextTokenIndex);
      let firstAt: number | undefined;
      let said = 0;
      const written = manner === 'plain' ? plain(sequence, rest) : alike(sequence, rest);
      for await (const _ of written) {
        firstAt ??= performance.now();
        said += 1;
        if (said >= outputTokens) break;
      }
      const ended = performance.now();
      const { user, system } = process.cpuUsage(cpuBefore);
      const first = firstAt ?? ended;
      return {
        firstMs: first - startedMs,
        perSecond: ((said - 1) / (ended - first)) * 1000,
        tokens: said,
        cpuMs: (user + system) / 1000,
      };
    },
  };
}

function plain(sequence: LlamaContextSequence, prompt: Token[]): AsyncIterable<Token> {
  // On past an end, so that both write as many.
  return sequence.evaluate(prompt, { temperature: 0, yieldEogToken: true });
}

async function* alike(sequence: LlamaContextSequence, prompt: Token[]): AsyncGenerator<Token> {
  const said: Token[] = [];
  for (let input = prompt; ; ) {
    const last = input.length - 1;
    const punished = penalisedTokens(said);
    const outputs = await sequence.controlledEvaluate(
      input.map((token, at) =>
        at < last
          ? token
          : [
              token,
              {
                generateNext: {
                  token: true,
                  totalLogitWeight: true,
                  options: {
                    temperature: 0,
                    repeatPenalty: {
                      punishTokens: punished,
                      maxPunishTokens: PENALTY_WINDOW,
                      penalty: PENALTY,
                    },
                  },
                },
              },
            ],
      ),
    );
    const next = outputs[last]?.next.token;
    if (next === undefined || next === null) return;
    yield next;
    said.push(next);
    input = [next];
  }
}
