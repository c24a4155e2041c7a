/** `route --jsonl`: decides for every line of a file, in order, without generating or spending anything. */
import type { App } from '../compose.ts';
import type { Decision } from '../core/answer.ts';
import { dollars } from '../core/price.ts';
import { reasonText } from '../core/reason.ts';
import type { Router } from '../core/router.ts';
import { MAX_PROMPT_CHARS } from '../core/schema.ts';
import type { Strategy } from '../core/score.ts';
import { stepsAbove } from '../core/stepsAbove.ts';
import { exitCodes } from './exitCodes.ts';
import { type CliIo, writeLine } from './io.ts';
import { readJsonLines } from './jsonLines.ts';
import { createPairRouter, type Pair } from './pairRouter.ts';
import { badInput, fail, type Session, withApp } from './session.ts';

export interface RouteFlags extends Pair {
  readonly jsonl: string;
  readonly strategy?: Strategy;
}

interface Judge {
  readonly router: Router;
  readonly unpriced: ReadonlySet<string>;
}

export async function route(session: Session, flags: RouteFlags): Promise<number> {
  const { io } = session;
  return await withApp(
    session,
    async (app) => {
      const judge = judgeOf(app, flags);
      if ('failure' in judge) return await fail(io, judge.failure);
      try {
        return await routeLines(io, app, judge, flags.jsonl);
      } catch (error) {
        if (!isFileError(error)) throw error;
        return await badInput(
          io,
          `expected --jsonl to name a readable file, got ${flags.jsonl} (${error.code})`,
        );
      }
    },
    // Scoring a file is no use of the budget, and a used-up one must not change what comes out.
    {
      monthlyBudgetNanoUsd: null,
      ...(flags.strategy !== undefined && { strategy: flags.strategy }),
    },
  );
}

function judgeOf(
  app: App,
  flags: RouteFlags,
): Judge | Extract<ReturnType<typeof createPairRouter>, { kind: 'failed' }> {
  if (flags.cheap === undefined && flags.escalation === undefined) {
    return { router: app.router, unpriced: new Set() };
  }
  return createPairRouter(app, flags);
}

async function routeLines(io: CliIo, app: App, judge: Judge, path: string): Promise<number> {
  let code: number = exitCodes.ok;
  for await (const entry of readJsonLines(path, io)) {
    if (io.signal.aborted) {
      code = exitCodes.cancelled;
      break;
    }
    const read = entry.kind === 'bad' ? entry : promptOf(entry.value);
    if (read.kind === 'bad') {
      code = exitCodes.usage;
      await writeLine(io.stderr, errorLine(entry.line, read.message));
      continue;
    }
    const decision = await judge.router.decide(
      {
        id: app.ports.newId(),
        text: read.text,
        context: [],
        history: [],
        constraints: {},
      },
      { scan: false, assumeAvailable: true },
    );
    const judged = { ...read.fields, ...decisionJson(decision, judge.unpriced) };
    await writeLine(io.stdout, JSON.stringify(judged));
  }
  return code;
}

type PromptLine =
  | { readonly kind: 'prompt'; readonly text: string; readonly fields: Record<string, unknown> }
  | { readonly kind: 'bad'; readonly message: string };

function promptOf(fields: Record<string, unknown>): PromptLine {
  const { prompt } = fields;
  if (typeof prompt !== 'string') {
    return { kind: 'bad', message: 'expected a text in the field prompt, got none' };
  }
  if (prompt.length > MAX_PROMPT_CHARS) {
    const message = `expected at most ${MAX_PROMPT_CHARS} characters in the field prompt, got ${prompt.length}`;
    return { kind: 'bad', message };
  }
  return { kind: 'prompt', text: prompt, fields };
}

function errorLine(line: number, message: string): string {
  return JSON.stringify({ line, error: { code: 'bad_request', message } });
}

function decisionJson(decision: Decision, unpriced: ReadonlySet<string>): Record<string, unknown> {
  if (decision.kind === 'refused') {
    return {
      score: decision.score ?? null,
      quality: null,
      chosen_model: null,
      route_reason:
        decision.reason === undefined ? decision.failure.code : reasonText(decision.reason),
      estimated_cost_usd: null,
    };
  }
  const { route } = decision;
  const involved = [route.modelId, ...stepsAbove(route)];
  const cost = involved.some((id) => unpriced.has(id)) ? undefined : route.expectedCostNanoUsd;
  return {
    score: route.score,
    quality: route.qualities,
    chosen_model: route.modelId,
    route_reason: reasonText(route.reason),
    estimated_cost_usd: cost === undefined ? null : dollars(cost),
  };
}

function isFileError(error: unknown): error is NodeJS.ErrnoException {
  if (!(error instanceof Error && 'code' in error && 'syscall' in error)) return false;
  return error.syscall === 'open' || error.syscall === 'read';
}
