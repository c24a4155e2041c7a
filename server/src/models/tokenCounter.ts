/**
 * Token counts that always come, and soon. The tokenizer runs in a worker with a deadline; past it the length in
 * UTF-8 bytes stands in, which no byte-level encoding exceeds. A worker that is stuck on a text is replaced.
 */
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { TokenCounter } from '../core/ports.ts';
import { formsOf, textsOf } from '../core/request.ts';
import type { Model } from '../core/types.ts';
import type { CountTask, WorkerReply } from './tokenWorker.ts';

export interface TokenCounterOptions {
  /** How long a count may take once the tokenizer is loaded. */
  readonly deadlineMs: number;
  /** How long the first counts may wait for the tokenizer to load. @default 5000 */
  readonly loadMs?: number;
}

export interface DisposableTokenCounter extends TokenCounter {
  dispose(): Promise<void>;
}

/** Role, separators and what an API adds around a message; documented figures are 3 to 4 tokens. */
const TOKENS_PER_MESSAGE = 8;
const TOKENS_PER_REQUEST = 16;

const BYTES_PER_TOKEN = 4;

export function createTokenCounter(options: TokenCounterOptions): DisposableTokenCounter {
  const { deadlineMs, loadMs = 5000 } = options;
  const worker = createCountingWorker(deadlineMs, loadMs);

  return {
    async inputBound(model, request) {
      const texts = textsOf(request);
      const overhead = TOKENS_PER_REQUEST + TOKENS_PER_MESSAGE * texts.length;
      const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
      const forms = formsOf(request).reduce(
        (sum, form) => sum + Buffer.byteLength(form) + TOKENS_PER_MESSAGE,
        0,
      );
      return overhead + forms + (await boundOf(model, texts, bytes));
    },
    /** Past the deadline a quarter of the bytes stands in: an estimate, where `inputBound` must not be one. */
    async count(text) {
      const counted = await worker.count({ texts: [text] });
      return counted?.tokens ?? Math.ceil(Buffer.byteLength(text) / BYTES_PER_TOKEN);
    },
    dispose: () => worker.dispose(),
  };

  async function boundOf(model: Model, texts: readonly string[], bytes: number): Promise<number> {
    // Only OpenAI's encodings are at hand; of any other model, or one whose encoding nobody has said, nothing but its
    // bytes is sure: the same text may have twice the tokens in another encoding.
    if (model.provider !== 'openai') return bytes;
    const counted = await worker.count({ texts, apiModel: model.apiModel });
    return counted?.encoding === 'same' ? Math.min(bytes, counted.tokens) : bytes;
  }
}

type Counted = Extract<WorkerReply, { type: 'counted' }>;

interface Waiting {
  readonly resolve: (counted: Counted | undefined) => void;
  timer: NodeJS.Timeout;
}

interface CountingWorker {
  /** `undefined` when no count came in time. */
  count(task: Omit<CountTask, 'id'>): Promise<Counted | undefined>;
  dispose(): Promise<void>;
}

/** After this many workers in a row that never got ready, it is bytes for good. */
const MAX_FAILED_STARTS = 3;

function createCountingWorker(deadlineMs: number, loadMs: number): CountingWorker {
  let worker: Worker | undefined;
  let ready = false;
  let failedStarts = 0;
  let lastId = 0;
  let lastProgressMs = 0;
  const waiting = new Map<number, Waiting>();

  return {
    count(task) {
      if (failedStarts >= MAX_FAILED_STARTS) return Promise.resolve(undefined);
      worker ??= start();
      const running = worker;
      if (waiting.size === 0) lastProgressMs = performance.now();
      const id = ++lastId;
      return new Promise((resolve) => {
        const timer = setTimeout(expire, ready ? deadlineMs : loadMs, id);
        waiting.set(id, { resolve, timer });
        running.postMessage({ ...task, id } satisfies CountTask);
      });
    },
    async dispose() {
      failedStarts = MAX_FAILED_STARTS;
      await retire();
    },
  };

  function start(): Worker {
    const own = fileURLToPath(import.meta.url);
    const started = new Worker(new URL(`./tokenWorker${extname(own)}`, import.meta.url));
    // Whoever waits for a count holds the process by its timer; an idle worker shall not.
    started.unref();
    started.on('message', (reply: WorkerReply) => {
      if (started === worker) onReply(reply);
    });
    started.on('error', () => {
      if (started === worker) onCrash();
    });
    return started;
  }

  function onReply(reply: WorkerReply): void {
    lastProgressMs = performance.now();
    if (reply.type === 'counted') {
      settle(reply.id, reply);
      return;
    }
    ready = true;
    failedStarts = 0;
    for (const [id, one] of waiting) {
      clearTimeout(one.timer);
      one.timer = setTimeout(expire, deadlineMs, id);
    }
  }

  function onCrash(): void {
    if (!ready) failedStarts++;
    void retire();
  }

  function expire(id: number): void {
    // When this thread itself was held up, the reply may lie unread; it is read before the immediate runs.
    setImmediate(() => {
      if (!waiting.has(id)) return;
      settle(id, undefined);
      const stuck = ready && performance.now() - lastProgressMs >= deadlineMs;
      if (stuck) void retire();
    });
  }

  function settle(id: number, counted: Counted | undefined): void {
    const one = waiting.get(id);
    if (one === undefined) return;
    waiting.delete(id);
    clearTimeout(one.timer);
    one.resolve(counted);
  }

  /** Ends the worker; the next count starts another. */
  async function retire(): Promise<void> {
    const old = worker;
    worker = undefined;
    ready = false;
    for (const id of [...waiting.keys()]) settle(id, undefined);
    await old?.terminate();
  }
}
