/** Opens the app for one command and closes it whatever happens; failures become a line on stderr and an exit code. */
import { setTimeout as delay } from 'node:timers/promises';
import type { App, AppOptions } from '../compose.ts';
import { appSettingsSchema } from '../core/appSettings.ts';
import { type Failure, failure } from '../core/errors.ts';
import type { NanoUsd } from '../core/types.ts';
import { exitCodeOf } from './exitCodes.ts';
import { type CliIo, styled, writeLine } from './io.ts';

/** Flags that every command takes, as commander leaves them; each has a twin in the environment. */
export interface GlobalFlags {
  readonly dataDir?: string;
  readonly modelsDir?: string;
  readonly registry?: string;
  readonly pricing?: string;
  readonly monthlyBudgetUsd?: NanoUsd | 'none';
  readonly threads?: number;
  readonly ledger?: string;
  /** Patterns as in `.gitignore`. */
  readonly exclude?: readonly string[];
  /** Share of local answers that the baseline is asked, too. */
  readonly auditShare?: number;
}

/** What a command is given. */
export interface Session {
  readonly io: CliIo;
  readonly flags: GlobalFlags;
}

/** A paid stream that was cut is drained so that its true cost is known; a person who pressed Ctrl-C waits no longer than this. */
const SETTLE_MS = 3_000;

export async function withApp(
  session: Session,
  work: (app: App) => Promise<number>,
  options: Partial<AppOptions> = {},
): Promise<number> {
  const { io } = session;
  const { ledger } = session.flags;
  if (ledger !== undefined && !/^postgres(ql)?:\/\//.test(ledger)) {
    // What was given is not repeated: it may hold a password.
    return await badInput(
      io,
      'expected --ledger to be a URL such as postgres://user@host/database, got something else; leave it out for the ledger in the data folder',
    );
  }
  const baseUrl = appSettingsSchema.shape.baseUrl.safeParse(io.env['OPENAI_BASE_URL'] || undefined);
  if (!baseUrl.success) {
    return await badInput(
      io,
      'expected OPENAI_BASE_URL to be an address such as https://api.openai.com/v1, got something else; leave it out for that of OpenAI',
    );
  }
  const app = await io.createApp({ ...appOptions(session), ...options });
  try {
    return await work(app);
  } finally {
    if (!io.signal.aborted || (await settledSoon(app))) await app.close();
    // What is still open is booked at its bound by the next process that opens the ledger.
    else await app.local.dispose();
  }
}

async function settledSoon(app: App): Promise<boolean> {
  const timer = new AbortController();
  const late = delay(SETTLE_MS, false, { signal: timer.signal }).catch(() => false);
  const settled = await Promise.race([app.router.idle().then(() => true), late]);
  timer.abort();
  return settled;
}

function appOptions({ io, flags }: Session): AppOptions {
  const { OPENAI_API_KEY, OPENAI_BASE_URL } = io.env;
  return {
    ...(flags.dataDir !== undefined && { dataDir: flags.dataDir }),
    ...(flags.modelsDir !== undefined && { modelsDir: flags.modelsDir }),
    ...(flags.registry !== undefined && { registryPath: flags.registry }),
    ...(flags.pricing !== undefined && { pricingPath: flags.pricing }),
    ...(flags.monthlyBudgetUsd !== undefined && {
      monthlyBudgetNanoUsd: flags.monthlyBudgetUsd === 'none' ? null : flags.monthlyBudgetUsd,
    }),
    ...(flags.threads !== undefined && { threads: flags.threads }),
    ...(flags.ledger !== undefined && { ledgerUrl: flags.ledger }),
    ...(OPENAI_API_KEY && { apiKey: OPENAI_API_KEY }),
    ...(OPENAI_BASE_URL && { baseUrl: OPENAI_BASE_URL }),
    ...((flags.exclude !== undefined || flags.auditShare !== undefined) && {
      settings: {
        ...(flags.exclude !== undefined && { excludedFiles: [...flags.exclude] }),
        ...(flags.auditShare !== undefined && { auditShare: flags.auditShare }),
      },
    }),
    onProblem: (message) => {
      io.stderr.write(`${styled('yellow', 'warning:', io.stderr, io)} ${message}\n`);
    },
  };
}

/** Says what went wrong and what to do next; returns the exit code. */
export async function fail(io: CliIo, failed: Failure, next?: string): Promise<number> {
  // Whoever cancels knows it, and it is no error.
  const line =
    failed.code === 'cancelled'
      ? 'cancelled'
      : `${styled('red', 'error:', io.stderr, io)} ${failed.message} (${failed.code})`;
  await writeLine(io.stderr, line);
  if (next !== undefined) await writeLine(io.stderr, `next: ${next}`);
  return exitCodeOf(failed.code);
}

export async function badInput(io: CliIo, message: string): Promise<number> {
  return await fail(io, failure('bad_request', message));
}
