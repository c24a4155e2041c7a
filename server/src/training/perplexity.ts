/** How well a model foresees a text: the mean loss of its tokens, each scored once, and e to the power of it. */

/** Judges stretches of ids; of a checkpoint by the embedded engine, of a GGUF by llama.cpp. */
export interface TextScorer {
  /** The most ids that one call may give. */
  readonly contextLength: number;
  /**
   * Losses in nats of the targets from place `from` on, each given all ids up to its place.
   * @param ids at most `contextLength`
   * @param targets as many as ids: the id that follows each
   */
  losses(ids: Int32Array, targets: Int32Array, from: number): Promise<Float32Array>;
}

export interface TextScore {
  /** Tokens that were scored: all of the text, but the first where no begin goes before it. */
  readonly tokens: number;
  /** Sum of their losses, in nats. */
  readonly totalNll: number;
  /** Of each scored token, in order. */
  readonly losses: Float32Array;
}

export interface PerplexityOptions {
  /** Ids that the model sees at once. @default what the model was trained on */
  readonly window?: number;
  /** How far the window moves; each scored token but the first ones has at least `window - stride` ids before it. @default half a window */
  readonly stride?: number;
  readonly onProgress?: (share: number) => void;
  readonly signal: AbortSignal;
}

/** @param ids the begin token, where the model has one, and the text */
export async function scoreText(
  scorer: TextScorer,
  ids: readonly number[],
  options: PerplexityOptions,
): Promise<TextScore> {
  const all = Int32Array.from(ids);
  const targets = all.length - 1;
  const window = Math.min(options.window ?? scorer.contextLength, scorer.contextLength);
  const stride = Math.max(1, Math.min(options.stride ?? Math.ceil(window / 2), window));
  const losses = new Float32Array(Math.max(0, targets));
  let done = 0;
  while (done < targets) {
    options.signal.throwIfAborted();
    const end = done === 0 ? Math.min(window, targets) : Math.min(done + stride, targets);
    const start = Math.max(0, end - window);
    const scored = await scorer.losses(
      all.subarray(start, end),
      all.subarray(start + 1, end + 1),
      done - start,
    );
    losses.set(scored, done);
    done = end;
    options.onProgress?.(done / targets);
  }
  return { tokens: losses.length, totalNll: losses.reduce((sum, loss) => sum + loss, 0), losses };
}

/** Mean loss and perplexity of scores taken together. */
export function summary(scores: readonly Pick<TextScore, 'tokens' | 'totalNll'>[]): {
  readonly tokens: number;
  readonly nll: number;
  readonly perplexity: number;
} {
  const tokens = scores.reduce((sum, score) => sum + score.tokens, 0);
  const nll = scores.reduce((sum, score) => sum + score.totalNll, 0) / tokens;
  return { tokens, nll, perplexity: Math.exp(nll) };
}
