/** Work that is done only while there is no prompt. The first one that comes ends it, and waits until it has let go of the model. */
export interface QuietWork {
  /** Ends what is under way, and lets nothing begin until what it returns is called. */
  promptCame(): () => void;
  /** Resolves once nothing is under way. */
  settled(): Promise<void>;
  /** One work at a time; a newer one ends the older. Beside a prompt it begins aborted, to say so. */
  run(controller: AbortController, begin: () => Promise<void>): Promise<void>;
}

export function createQuietWork(): QuietWork {
  let prompts = 0;
  let current: { readonly controller: AbortController; readonly done: Promise<void> } | undefined;
  return {
    promptCame() {
      prompts += 1;
      current?.controller.abort();
      return () => {
        prompts -= 1;
      };
    },
    async settled() {
      await current?.done;
    },
    async run(controller, begin) {
      while (current !== undefined) {
        current.controller.abort();
        await current.done;
      }
      if (prompts > 0) controller.abort();
      const { promise: done, resolve } = Promise.withResolvers<void>();
      current = { controller, done };
      try {
        await begin();
      } finally {
        current = undefined;
        resolve();
      }
    },
  };
}
