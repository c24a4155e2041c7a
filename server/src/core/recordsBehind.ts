/**
 * Records of answers that were handed out before they were kept. One that stands alone is kept at once after its answer; of
 * prompts that come one upon the other some are kept together, so that they share a commit and none has it in its way.
 */
import type { RouterPorts } from './ports.ts';

/** The answer is on its way by then. */
const AFTER_MS = 1;
/** As long as prompts come one upon the other. */
const AT_MOST_MS = 20;
const NEVER = new AbortController().signal;

export interface RecordsBehind {
  /** Resolves when `work`, which runs a little later, is done. */
  keep(work: () => Promise<void>): Promise<void>;
  /** Resolves when all that came before is kept; for whoever looks at the past. */
  kept(): Promise<void>;
}

/** @param isAnswering whether a prompt is being answered at this moment */
export function createRecordsBehind(
  sleep: RouterPorts['sleep'],
  isAnswering: () => boolean,
): RecordsBehind {
  const unkept = new Set<Promise<void>>();
  let came = 0;
  let calm: Promise<void> | undefined;

  async function waitForCalm(): Promise<void> {
    for (let waitedMs = 0; waitedMs < AT_MOST_MS; waitedMs += AFTER_MS) {
      const before = came;
      await sleep(AFTER_MS, NEVER);
      if (came === before && !isAnswering()) break;
    }
    calm = undefined;
  }

  return {
    keep(work) {
      came += 1;
      calm ??= waitForCalm();
      const done = calm.then(work).finally(() => unkept.delete(done));
      unkept.add(done);
      return done;
    },
    async kept() {
      await Promise.allSettled(unkept);
    },
  };
}
