/** `learning` and `outcome`: what verdicts have taught, how to take it back, and a verdict from a script. */
import type { LearnedStatus } from '../compose.ts';
import { failure } from '../core/errors.ts';
import type { Verdict } from '../core/routeReports.ts';
import { counted } from './counted.ts';
import { exitCodes } from './exitCodes.ts';
import { printable, writeLine } from './io.ts';
import { badInput, fail, type Session, withApp } from './session.ts';
import { table } from './table.ts';

export interface LearningFlags {
  readonly json?: boolean;
  readonly last?: number;
}

export async function outcome(
  session: Session,
  promptId: string,
  verdict: Verdict,
): Promise<number> {
  const { io } = session;
  return await withApp(session, async (app) => {
    if (!(await app.ports.ledger.answered(promptId))) {
      const closed = app.ledgerProblem();
      if (closed !== undefined) return await fail(io, failure('ledger_unavailable', closed));
      const what = printable(promptId);
      return await badInput(
        io,
        `expected the id of a recorded answer, got ${what}; ask --json prints it`,
      );
    }
    await app.recordOutcome(promptId, verdict);
    return exitCodes.ok;
  });
}

export async function learningStatus(session: Session, flags: LearningFlags): Promise<number> {
  const { io } = session;
  return await withApp(session, async (app) => {
    const learned = app.learning.status();
    const text =
      flags.json === true
        ? JSON.stringify({ models: learned.map(statusJson) })
        : statusText(learned);
    await writeLine(io.stdout, text);
    return exitCodes.ok;
  });
}

export async function learningRollback(session: Session, flags: LearningFlags): Promise<number> {
  const { io } = session;
  return await withApp(session, async (app) => {
    const forgotten = app.learning.forget(flags.last);
    await writeLine(
      io.stdout,
      forgotten === 0
        ? 'Nothing was learned yet that could be forgotten.'
        : `${counted(forgotten, 'outcome')} ${forgotten === 1 ? 'is' : 'are'} forgotten; the ledger keeps what was said.`,
    );
    return exitCodes.ok;
  });
}

function statusJson({ model, learned, shareBefore, share }: LearnedStatus) {
  return {
    model: model.id,
    outcomes: learned.outcomes,
    tasks: learned.counts,
    share_before: shareBefore,
    share,
  };
}

function statusText(learned: readonly LearnedStatus[]): string {
  if (learned.length === 0) return 'No outcomes yet: verdicts on answers will move the routing.';
  return learned
    .flatMap(({ model, learned: of, shareBefore, share }) => [
      `${model.label}: ${counted(of.outcomes, 'outcome')}`,
      ...(model.tier === 'cheap'
        ? [`  answered in the cloud at once: ${percent(shareBefore)} before, ${percent(share)} now`]
        : []),
      table(
        ['task', 'good', 'bad'],
        Object.entries(of.counts).map(([task, { good, bad }]) => [
          task,
          good.toFixed(1),
          bad.toFixed(1),
        ]),
      ),
    ])
    .join('\n');
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}
