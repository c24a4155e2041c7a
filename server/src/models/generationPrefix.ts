/**
 * Lets the sequences of one loaded model share the beginning of their prompts: whoever needs it first evaluates it and saves the
 * state to a file, everybody else waits for that file and loads it. Only the part before the question is ever saved, so nothing
 * that a person wrote is on the disk. Where a state can't be saved or loaded, it is evaluated.
 */
import { createHash } from 'node:crypto';
import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { LlamaContextSequence, Token } from 'node-llama-cpp';

export interface SharedPrefixes {
  /**
   * Brings a sequence to the end of a shared prefix, where that is worth more than evaluating it along with the rest. It may
   * stop short of it, after an abort above all: the caller evaluates what is missing.
   */
  reach(need: PrefixNeed): Promise<void>;
  dispose(): Promise<void>;
}

export interface PrefixNeed {
  /** Holds a beginning of the prompt and nothing else. */
  readonly sequence: LlamaContextSequence;
  readonly tokens: readonly Token[];
  readonly signal: AbortSignal;
  /** Evaluates what the sequence lacks of `tokens`, or less after an abort. */
  readonly evaluate: (onRead: OnRead) => Promise<void>;
  /** Told about the evaluation, also while another sequence does it. */
  readonly onRead: OnRead;
}

/** Told how many tokens of the prompt are evaluated. */
type OnRead = (tokens: number) => void;

interface SavedState {
  readonly path: string;
  readonly bytes: number;
}

interface Evaluation {
  readonly done: Promise<void>;
  readonly watchers: Set<OnRead>;
}

/** Fewer tokens are read faster than they are worth a file and a wait. */
const WORTH_TOKENS = 32;
const STATES_KEPT = 4;
/** A large model's state has megabytes per ten tokens, and a temporary folder may be kept in memory. The newest state stays in any case. */
const BYTES_KEPT = 256 * 1024 * 1024;

/** `makeFolder` is called once, by the first prefix that is worth a file. */
export function createSharedPrefixes(makeFolder: () => Promise<string>): SharedPrefixes {
  /** The one that was used last is the last. */
  const states = new Map<string, SavedState>();
  const evaluations = new Map<string, Evaluation>();
  let folder: Promise<string | undefined> | undefined;
  let usable = true;
  /** Files are written, read and removed one at a time, so that none is removed while it is read. */
  let lastTurn: Promise<unknown> = Promise.resolve();

  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = lastTurn.then(work);
    lastTurn = turn.catch(() => undefined);
    return turn;
  }

  async function openFolder(): Promise<string | undefined> {
    folder ??= makeFolder().catch(() => undefined);
    return await folder;
  }

  async function reach(need: PrefixNeed): Promise<void> {
    const { sequence, tokens, signal } = need;
    const key = createHash('sha256').update(Uint32Array.from(tokens)).digest('hex');
    markUsed(key);
    if (tokens.length - sequence.nextTokenIndex < WORTH_TOKENS) return;
    const path = await openFolder();
    if (path === undefined) return;
    while (usable && !signal.aborted) {
      if (await inTurn(() => load(key, need))) return;
      const other = evaluations.get(key);
      if (other === undefined) return await evaluateForAll(key, join(path, key), need);
      await waitFor(other, need);
    }
  }

  function markUsed(key: string): void {
    const state = states.get(key);
    if (state === undefined) return;
    states.delete(key);
    states.set(key, state);
  }

  async function evaluateForAll(key: string, path: string, need: PrefixNeed): Promise<void> {
    const { promise: done, resolve } = Promise.withResolvers<void>();
    const watchers = new Set([need.onRead]);
    evaluations.set(key, { done, watchers });
    try {
      await need.evaluate((tokens) => {
        for (const watcher of watchers) watcher(tokens);
      });
      // After an abort the first of those who wait begins anew.
      if (need.sequence.nextTokenIndex !== need.tokens.length) return;
      await inTurn(() => save(key, path, need.sequence));
    } finally {
      evaluations.delete(key);
      resolve();
    }
  }

  async function save(key: string, path: string, sequence: LlamaContextSequence): Promise<void> {
    try {
      const { fileSize } = await sequence.saveStateToFile(path);
      states.set(key, { path, bytes: fileSize });
      await removeOldest();
    } catch {
      // A full disk, or a model whose state can't be saved. Until it is loaded anew, each sequence reads for itself.
      await giveUp();
    }
  }

  async function removeOldest(): Promise<void> {
    const oldestFirst = [...states];
    let bytes = oldestFirst.reduce((sum, [, state]) => sum + state.bytes, 0);
    for (const [key, state] of oldestFirst.slice(0, -1)) {
      if (states.size <= STATES_KEPT && bytes <= BYTES_KEPT) return;
      states.delete(key);
      bytes -= state.bytes;
      await rm(state.path, { force: true });
    }
  }

  async function load(key: string, { sequence, tokens }: PrefixNeed): Promise<boolean> {
    const state = states.get(key);
    if (state === undefined) return false;
    try {
      // A disk that was full at the last byte shows in the size only.
      if ((await stat(state.path)).size === state.bytes) {
        // Loading neither drops the checkpoints of what was there nor, where it fails, what was there.
        await sequence.clearHistory();
        await sequence.loadStateFromFile(state.path, { acceptRisk: true });
        if (sequence.nextTokenIndex === tokens.length) {
          await sequence.takeCheckpoint();
          return true;
        }
        await sequence.clearHistory();
      }
    } catch {
      // The sequence is empty then, which is right for any prompt.
    }
    states.delete(key);
    return false;
  }

  async function giveUp(): Promise<void> {
    usable = false;
    states.clear();
    const path = await folder;
    if (path !== undefined) await rm(path, { recursive: true, force: true }).catch(() => undefined);
  }

  return { reach, dispose: async () => await inTurn(giveUp) };
}

async function waitFor(other: Evaluation, { signal, onRead }: PrefixNeed): Promise<void> {
  if (signal.aborted) return;
  const { promise: aborted, resolve } = Promise.withResolvers<void>();
  const leave = () => resolve();
  signal.addEventListener('abort', leave, { once: true });
  other.watchers.add(onRead);
  await Promise.race([other.done, aborted]);
  other.watchers.delete(onRead);
  signal.removeEventListener('abort', leave);
}
