/** Keeps the client's status current: computed anew after every change, sent only when something in it is different. */
import type { BudgetScope } from '../core/ports.ts';
import type { StatusWire } from '../protocol.ts';
import type { AnswerWatch } from './answering.ts';
import type { Language } from './language.ts';
import type { LiveApp } from './liveApp.ts';
import { statusOf, statusWithoutApp } from './status.ts';

export interface StatusFeed {
  now(): Promise<StatusWire>;
  /** Something may have changed. Several changes at once make one message. */
  changed(): void;
  /** Whose session and workspace the budgets are to be told for. */
  meet(scope: BudgetScope): void;
  readonly watch: AnswerWatch;
  stop(): void;
}

export interface StatusFeedOptions {
  readonly live: LiveApp;
  readonly language: () => Language;
  readonly send: (status: StatusWire) => void;
  readonly onProblem: (message: string) => void;
}

/** Long enough to gather the changes of one answer's end, short enough to look immediate. */
const GATHER_MS = 30;

/** What changes by the clock alone (a new day, ageing prices) need not be known sooner. */
const LOOK_AGAIN_MS = 60_000;

export function createStatusFeed(options: StatusFeedOptions): StatusFeed {
  const { live } = options;
  const running = new Map<string, StatusWire['running']>();
  let scope: BudgetScope = {};
  let lastReason: string | undefined;
  let sent = '';
  let gathering: NodeJS.Timeout | undefined;
  let pushing = Promise.resolve();

  async function now(): Promise<StatusWire> {
    const state = live.state();
    const notices = live.notices();
    const language = options.language();
    if (state.kind !== 'ready') {
      return statusWithoutApp(state.kind === 'failed' ? state.why : undefined, notices, language);
    }
    const [newest] = [...running.values()].filter((one) => one !== null).reverse();
    const input = { scope, running: newest ?? null, lastReason, notices };
    return await statusOf(state.app, input, language);
  }

  async function push(): Promise<void> {
    try {
      const status = await now();
      const text = JSON.stringify(status);
      if (text === sent) return;
      sent = text;
      options.send(status);
    } catch (error) {
      options.onProblem(
        `The status could not be told: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }

  function changed(): void {
    gathering ??= setTimeout(() => {
      gathering = undefined;
      // One after the other, so that an older reading is never sent after a newer one.
      pushing = pushing.then(push);
    }, GATHER_MS);
  }

  const clockwork = setInterval(changed, LOOK_AGAIN_MS);
  clockwork.unref();

  return {
    now,
    changed,
    meet({ sessionId, workspaceId }) {
      scope = {
        ...(sessionId === undefined ? {} : { sessionId }),
        ...(workspaceId === undefined ? {} : { workspaceId }),
      };
    },
    watch: {
      started(requestId) {
        running.set(requestId, null);
      },
      moved(requestId, tier, model) {
        running.set(requestId, { tier, model });
        changed();
      },
      ended(requestId, reason) {
        running.delete(requestId);
        lastReason = reason ?? lastReason;
        changed();
      },
    },
    stop() {
      clearInterval(clockwork);
      clearTimeout(gathering);
    },
  };
}
