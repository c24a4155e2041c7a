/** Puts what a model writes into pieces as few as a person can see. */
import type { TokenLogProb } from '../core/ports.ts';

type Tell = (text: string, logProbs: readonly TokenLogProb[]) => void;

/** Nobody sees more than 40 pieces a second, and each piece costs work in three processes. */
const FRAME_MS = 25;

/** Tells the first piece at once, and what comes soon after another one with the next. */
export function inFrames(tell: Tell): { readonly give: Tell; readonly flush: () => void } {
  let text = '';
  let logProbs: TokenLogProb[] = [];
  let timer: NodeJS.Timeout | undefined;
  let toldMs = Number.NEGATIVE_INFINITY;

  function flush(): void {
    clearTimeout(timer);
    timer = undefined;
    if (text === '') return;
    const [piece, itsLogProbs] = [text, logProbs];
    text = '';
    logProbs = [];
    toldMs = performance.now();
    tell(piece, itsLogProbs);
  }

  return {
    flush,
    give(more, moreLogProbs) {
      text += more;
      logProbs.push(...moreLogProbs);
      const waitMs = toldMs + FRAME_MS - performance.now();
      if (waitMs <= 0) flush();
      else timer ??= setTimeout(flush, waitMs);
    },
  };
}
