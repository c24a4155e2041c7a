/** `ledger …`: checking, exporting, rebuilding and unlocking the record of all money. */

import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import type { App } from '../compose.ts';
import { failure } from '../core/errors.ts';
import { type LedgerFormat, ledgerExportHead, ledgerExportLine } from '../core/ledgerExport.ts';
import type { RebuiltMonth } from '../core/ledgerRebuild.ts';
import { formatUsd } from '../core/report.ts';
import { counted } from './counted.ts';
import { exitCodes } from './exitCodes.ts';
import { printable, write, writeLine } from './io.ts';
import { badInput, fail, type Session, withApp } from './session.ts';
import { table } from './table.ts';

export interface VerifyFlags {
  readonly json?: boolean;
}

export async function verifyLedger(session: Session, flags: VerifyFlags): Promise<number> {
  const { stdout } = session.io;
  return await withLedger(
    session,
    async (app) => {
      const tools = app.ledgerTools();
      let events = 0;
      for await (const _ of tools.events()) events += 1;
      const findings = await tools.verify();
      const sound = findings.length === 0;
      if (flags.json === true) {
        await writeLine(stdout, JSON.stringify({ sound, events, findings }));
      } else if (sound) {
        await writeLine(
          stdout,
          `${counted(events, 'event')}: the hash chain is whole, and every state and counter follows from it.`,
        );
      } else {
        await writeLine(stdout, `The ledger is not sound, found in ${events} events:`);
        for (const finding of findings) await writeLine(stdout, `  ${printable(finding)}`);
        await writeLine(stdout, 'next: close all programs that use it, then ledger rebuild');
      }
      return sound ? exitCodes.ok : exitCodes.unavailable;
    },
    async (why) => {
      if (flags.json !== true) return undefined;
      const body = { sound: false, events: null, findings: [why] };
      await writeLine(stdout, JSON.stringify(body));
      return exitCodes.unavailable;
    },
  );
}

export interface ExportFlags {
  readonly format: LedgerFormat;
  readonly out?: string;
}

export async function exportLedger(session: Session, flags: ExportFlags): Promise<number> {
  const { io } = session;
  return await withLedger(session, async (app) => {
    const events = app.ledgerTools().events();
    if (flags.out === undefined) {
      await write(io.stdout, ledgerExportHead(flags.format));
      for await (const event of events) {
        await write(io.stdout, ledgerExportLine(event, flags.format));
      }
      return exitCodes.ok;
    }
    // The record of another time is never overwritten.
    const file = createWriteStream(flags.out, { flags: 'wx', mode: 0o600 });
    let count = 0;
    try {
      await once(file, 'open');
      await write(file, ledgerExportHead(flags.format));
      for await (const event of events) {
        await write(file, ledgerExportLine(event, flags.format));
        count += 1;
      }
      file.end();
      await finished(file);
    } catch (error) {
      file.destroy();
      if (!(error instanceof Error && 'syscall' in error)) throw error;
      return await badInput(io, `expected a new file to write, got "${error.message}"`);
    }
    await writeLine(io.stdout, `${count} events in ${flags.out}`);
    return exitCodes.ok;
  });
}

export async function unfreezeModel(session: Session, modelId: string): Promise<number> {
  const { io } = session;
  return await withLedger(session, async (app) => {
    const frozen = await app.ports.ledger.frozenModels();
    if (!frozen.has(modelId)) {
      const names = frozen.size === 0 ? 'none is' : `frozen: ${[...frozen].join(', ')}`;
      return await badInput(io, `expected a frozen model, got ${printable(modelId)}; ${names}`);
    }
    await app.ledgerTools().unfreeze(modelId);
    await writeLine(
      io.stdout,
      `${modelId} may be called again. Its bill once passed its bound: check its price.`,
    );
    return exitCodes.ok;
  });
}

export interface RebuildFlags {
  readonly dryRun?: boolean;
}

/** Runs without an app: nothing may have the ledger open. */
export async function rebuildLedger(session: Session, flags: RebuildFlags): Promise<number> {
  const { io } = session;
  const { ledgerCare } = await import('../compose.ts');
  const care = ledgerCare(session.flags.dataDir);
  const dryRun = flags.dryRun === true;
  const result = care.rebuild({ dryRun });
  if (result.kind === 'refused') return await fail(io, failure('ledger_unavailable', result.why));
  if (result.kind === 'not_needed') {
    await writeLine(io.stdout, `Nothing to rebuild: ${result.why}.`);
    return exitCodes.ok;
  }
  const source = result.from === undefined ? 'no ledger, only its mirror' : result.from;
  const events = result.whole
    ? `${result.events} events, all there and unchanged`
    : `${result.events} events that could be read`;
  const mirror = { read: 'read', none: 'none', unreadable: 'not readable' }[result.mirror];
  await writeLine(
    io.stdout,
    [
      `from    ${source}`,
      `        ${events}; ${result.answers} answers; mirror: ${mirror}`,
      '',
      table(['month', 'calls', 'its counter', 'mirror', 'taken'], result.months.map(monthRow)),
      '',
      dryRun
        ? 'Nothing was changed: leave out --dry-run to rebuild.'
        : `A new ledger is in ${care.path}; nothing was deleted. Restart programs that were open meanwhile.`,
    ].join('\n'),
  );
  return exitCodes.ok;
}

function monthRow(month: RebuiltMonth): readonly string[] {
  const usd = (amount: RebuiltMonth['mirrorNanoUsd']) =>
    amount === undefined ? 'unknown' : formatUsd(amount);
  return [
    month.month,
    usd(month.carriedNanoUsd),
    usd(month.counterNanoUsd),
    usd(month.mirrorNanoUsd),
    `at most ${usd(month.spentNanoUsd)}`,
  ];
}

export interface ClockFlags {
  readonly accept?: boolean;
}

export async function ledgerClock(session: Session, flags: ClockFlags): Promise<number> {
  const { io } = session;
  const { ledgerCare } = await import('../compose.ts');
  const care = ledgerCare(session.flags.dataDir);
  if (flags.accept === true) {
    try {
      care.confirmClock();
    } catch (error) {
      if (!(error instanceof Error && 'syscall' in error)) throw error;
      const why = `expected to keep the confirmation, got "${error.message}"; check the data folder`;
      return await fail(io, failure('ledger_unavailable', why));
    }
  }
  const view = care.clock();
  const newest = view.newestEntryMs === undefined ? 'none' : time(view.newestEntryMs);
  await writeLine(
    io.stdout,
    [
      `clock         ${time(view.wallMs)}${flags.accept === true ? ', confirmed' : ''}`,
      `budgets       ${time(view.budgetsMs)}`,
      `newest entry  ${newest}`,
      ...(view.problem === undefined ? [] : ['', view.problem.text]),
    ].join('\n'),
  );
  return view.problem?.closes === true ? exitCodes.unavailable : exitCodes.ok;
}

function time(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

/** @param closed says a ledger that can't be trusted in a form of its own; returns the exit code, or nothing to have it said as usual */
async function withLedger(
  session: Session,
  work: (app: App) => Promise<number>,
  closed: (why: string) => Promise<number | undefined> = async () => undefined,
): Promise<number> {
  return await withApp(session, async (app) => {
    try {
      return await work(app);
    } catch (error) {
      if (!(error instanceof Error && error.name === 'LedgerUnavailableError')) throw error;
      const { message } = error;
      return (
        (await closed(message)) ?? (await fail(session.io, failure('ledger_unavailable', message)))
      );
    }
  });
}
