/** `eval router`: judges the score and what it has to beat on files of prompts with known outcomes. Spends nothing. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setImmediate as breathe } from 'node:timers/promises';
import type { App } from '../compose.ts';
import { createEvaluation, type EvaluatedSet } from '../learning/evaluateRouter.ts';
import type { JudgedRouter } from '../learning/judgeRouter.ts';
import { recoveryPlot } from '../learning/recoveryPlot.ts';
import { readDataSets } from '../learning/routingData.ts';
import { exitCodes } from './exitCodes.ts';
import { printable, writeLine } from './io.ts';
import { badInput, type Session, withApp } from './session.ts';
import { table } from './table.ts';

export interface EvalRouterFlags {
  readonly data: string;
  readonly weak?: string;
  readonly strong?: string;
  readonly refit: boolean;
  readonly plots?: string;
  readonly json?: boolean;
}

export async function evalRouter(session: Session, flags: EvalRouterFlags): Promise<number> {
  const { io } = session;
  const { weak, strong } = flags;
  const read = readDataSets(resolve(io.cwd, flags.data), {
    ...(weak !== undefined && { weak }),
    ...(strong !== undefined && { strong }),
  });
  if (read.kind === 'bad') return await badInput(io, printable(read.message));
  return await withApp(session, async (app) => {
    const evaluation = createEvaluation({
      confidence: app.confidence(),
      abilityOf: (id) => abilityOf(app, id),
    });
    const sets: EvaluatedSet[] = [];
    for (const set of read.value) {
      const steps = evaluation.steps(set, { weak, strong, refit: flags.refit });
      if (typeof steps === 'string') return await badInput(io, printable(steps));
      const judged: JudgedRouter[] = [];
      for (const step of steps.steps) {
        // Between two steps a Ctrl-C is heard.
        await breathe();
        if (io.signal.aborted) return exitCodes.cancelled;
        io.stderr.write(`${set.name}: ${step.name}\n`);
        judged.push(...step.run());
      }
      sets.push({ ...steps.about, routers: judged });
      if (flags.json !== true) await writeLine(io.stdout, printable(setText(steps.about, judged)));
    }
    if (flags.json === true)
      await writeLine(io.stdout, JSON.stringify({ data: sets.map(setJson) }));
    if (flags.plots !== undefined) {
      const problem = await writePlots(resolve(io.cwd, flags.plots), sets);
      if (problem !== undefined) return await badInput(io, problem);
    }
    return exitCodes.ok;
  });
}

function abilityOf(app: App, id: string) {
  return app.catalogue.registry().models.find((model) => model.id === id)?.ability;
}

async function writePlots(
  folder: string,
  sets: readonly EvaluatedSet[],
): Promise<string | undefined> {
  try {
    await mkdir(folder, { recursive: true });
    for (const { name, routers } of sets) {
      const curves = routers.map(({ router, curve }) => ({ name: router, points: curve }));
      await writeFile(join(folder, `${name}.svg`), recoveryPlot(name, curves));
    }
    return undefined;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    return `expected --plots to name a folder that can be written, got ${folder} (${String(error.code)})`;
  }
}

const head = [
  'router',
  'APGR',
  'CPT(50) %',
  'CPT(80) %',
  'cost at 95 % quality',
  'calibration error',
  'AUROC',
  'inside tasks',
  'µs a prompt',
];

function setText(about: Omit<EvaluatedSet, 'routers'>, routers: readonly JudgedRouter[]): string {
  const rows = routers.map((found) => {
    const { quality, interval } = found;
    const cell = (key: keyof typeof quality, digits: number) =>
      `${quality[key].toFixed(digits)} (${interval[key].low.toFixed(digits)} to ${interval[key].high.toFixed(digits)})`;
    return [
      found.router,
      cell('apgr', 3),
      cell('cpt50', 0),
      cell('cpt80', 0),
      cell('cost95', 0),
      orDash(found.calibrationError, 3),
      orDash(found.auroc, 3),
      orDash(found.withinTasks?.apgr, 3),
      orDash(found.microseconds, 1),
    ];
  });
  return [
    `${about.name}: ${about.prompts} prompts`,
    `  weak   ${about.weak.name}, mean ${about.weak.mean.toFixed(3)}, scored ${about.weak.scoredAs}`,
    `  strong ${about.strong.name}, mean ${about.strong.mean.toFixed(3)}, scored ${about.strong.scoredAs}`,
    ...about.notes.map((note) => `  note: ${note}`),
    table(head, rows),
    '',
  ].join('\n');
}

function orDash(value: number | undefined, digits: number): string {
  return value === undefined ? '-' : value.toFixed(digits);
}

function setJson({ routers, ...about }: EvaluatedSet): Record<string, unknown> {
  return {
    ...about,
    routers: routers.map((found) => ({
      router: found.router,
      apgr: figure(found, 'apgr'),
      cpt50_percent: figure(found, 'cpt50'),
      cpt80_percent: figure(found, 'cpt80'),
      cost_at_95_percent_quality: figure(found, 'cost95'),
      calibration_error: found.calibrationError ?? null,
      auroc: found.auroc ?? null,
      apgr_inside_tasks: found.withinTasks?.apgr ?? null,
      microseconds: found.microseconds ?? null,
    })),
  };
}

function figure({ quality, interval }: JudgedRouter, key: keyof JudgedRouter['quality']) {
  return { value: quality[key], low: interval[key].low, high: interval[key].high };
}
