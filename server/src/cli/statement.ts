/** `statement`: a month's account for whoever has to book it, with the proof that it adds up to the ledger. */
import type { App } from '../compose.ts';
import { failure } from '../core/errors.ts';
import { labelOf } from '../core/report.ts';
import { type Statement, statementOf } from '../core/statement.ts';
import {
  reconciliation,
  statementCsv,
  statementJson,
  statementRows,
  statementSummary,
} from '../core/statementText.ts';
import type { NanoUsd } from '../core/types.ts';
import { LedgerChangedError, readMonth } from './accounts.ts';
import { exitCodes } from './exitCodes.ts';
import { write, writeLine } from './io.ts';
import { badInput, fail, type Session, withApp } from './session.ts';
import { table } from './table.ts';

export interface StatementFlags {
  readonly month?: string;
  readonly format: 'text' | 'csv' | 'json';
  /** As `flagValues` read them: whole milliwatts. */
  readonly watts?: number;
  readonly usdPerKwh?: NanoUsd;
}

export async function statement(session: Session, flags: StatementFlags): Promise<number> {
  const { io } = session;
  if ((flags.watts === undefined) !== (flags.usdPerKwh === undefined)) {
    return await badInput(
      io,
      'expected both --watts and --usd-per-kwh, got one; give the other too',
    );
  }
  return await withApp(session, async (app) => {
    const problem = app.ledgerProblem();
    if (problem !== undefined) return await fail(io, failure('ledger_unavailable', problem));
    let made: Statement;
    try {
      made = await makeStatement(app, flags);
    } catch (error) {
      if (!(error instanceof LedgerChangedError)) throw error;
      return await fail(io, failure('ledger_unavailable', error.message));
    }
    await write(io.stdout, print(made, flags.format, labelOf(app.catalogue.registry())));
    if (made.reconciles) return exitCodes.ok;
    await writeLine(io.stderr, `error: the statement of ${made.month} ${reconciliation(made)}`);
    return exitCodes.differs;
  });
}

async function makeStatement(app: App, flags: StatementFlags): Promise<Statement> {
  const { watts, usdPerKwh } = flags;
  return statementOf({
    ...(await readMonth(app, flags.month)),
    baselineId: app.settings().baseline ?? app.catalogue.registry().defaults.baseline,
    electricity:
      watts === undefined || usdPerKwh === undefined
        ? undefined
        : { milliwatts: watts, nanoUsdPerKwh: usdPerKwh },
  });
}

function print(
  made: Statement,
  format: StatementFlags['format'],
  names: (modelId: string) => string,
): string {
  switch (format) {
    case 'csv':
      return statementCsv(made);
    case 'json':
      return `${JSON.stringify(statementJson(made))}\n`;
    case 'text': {
      const rows = statementRows(made, names);
      const body =
        rows.length === 0
          ? `No answers and no calls in ${made.month}.`
          : table(['line', 'model', 'answers', 'calls', 'tokens', 'amount'], rows);
      return `Statement of ${made.month} (UTC)\n\n${body}\n\n${statementSummary(made, names).join('\n')}\n`;
    }
  }
}
