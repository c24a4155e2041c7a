/** `eval cascade`: the cascade live on prompts with an answer key, beside either model alone. Pays only up to a cap. */
import type { App } from '../compose.ts';
import { failure } from '../core/errors.ts';
import { deferralRuleFor } from '../core/gate.ts';
import { paidAnswer } from '../core/paidAnswer.ts';
import { addUsd, dollars, ZERO_USD } from '../core/price.ts';
import { formatShare, formatUsd } from '../core/report.ts';
import { withinSettings } from '../core/request.ts';
import type { LocalModel, Model, NanoUsd, Prompt } from '../core/types.ts';
import { type CascadeFigures, cascadeFigures } from '../learning/cascadeFigures.ts';
import { type CascadeDeps, type CascadeRun, evaluateCascade } from '../learning/evaluateCascade.ts';
import type { KeyedPrompt } from '../learning/keyedPrompts.ts';
import { exitCodeOf, exitCodes } from './exitCodes.ts';
import { printable, writeLine } from './io.ts';
import { readKeyedFile } from './keyedFile.ts';
import { escalationOf, localModelNamed, noKeyFor, prepareLocal } from './localModel.ts';
import { createProgress } from './progress.ts';
import { badInput, fail, type Session, withApp } from './session.ts';
import { interval, intervalJson, money, moneyJson } from './shareText.ts';
import { table } from './table.ts';

export interface EvalCascadeFlags {
  readonly data: string;
  readonly maxCostUsd?: NanoUsd;
  readonly json?: boolean;
}

export async function evalCascade(
  session: Session,
  which: string | undefined,
  flags: EvalCascadeFlags,
): Promise<number> {
  const { io } = session;
  const prompts = await readKeyedFile(flags.data, io);
  if (typeof prompts === 'string') return await badInput(io, printable(prompts));
  const keyless = prompts.filter(({ question }) => question === undefined).length;
  if (keyless > 0) {
    return await badInput(
      io,
      `${printable(flags.data)}: expected an answer key with every prompt (accept, choice, text or tests), got ${keyless} without; bench modes takes such files`,
    );
  }
  return await withApp(session, async (app) => {
    const model = localModelNamed(app, which, io.cwd);
    if (typeof model === 'string') return await badInput(io, model);
    const [problem] = app.configure({ cheap: model.id });
    if (problem !== undefined) return await badInput(io, problem);
    const strong = escalationOf(app);
    const noKey =
      flags.maxCostUsd === undefined
        ? undefined
        : noKeyFor(app, 'set OPENAI_API_KEY, or leave out --max-cost-usd');
    if (noKey !== undefined) return await fail(io, noKey);
    return await measure(session, app, model, strong, prompts, flags);
  });
}

async function measure(
  { io }: Session,
  app: App,
  model: LocalModel,
  strong: Model,
  prompts: readonly KeyedPrompt[],
  flags: EvalCascadeFlags,
): Promise<number> {
  const progress = createProgress(io);
  const failed = await prepareLocal(app, model, progress, io.signal);
  if (failed !== undefined) return await fail(io, failed);
  const asking = flags.maxCostUsd === undefined ? undefined : asker(app, strong, flags.maxCostUsd);
  const run = await evaluateCascade(depsOf(app), {
    model,
    prompts,
    ...(asking === undefined ? {} : { askCloud: asking.ask }),
    signal: io.signal,
    onProgress: ({ done, total }) =>
      progress.show(`cascade · ${model.label} · ${prompts.length} prompts`, done / total),
  });
  progress.clear();
  if (run.failure !== undefined) return await fail(io, run.failure);
  if (run.rows.length > 0) {
    const figures = cascadeFigures(run.rows);
    const paidNanoUsd = asking?.spent() ?? ZERO_USD;
    const about = { model, strong, figures, run, paidNanoUsd, asked: asking !== undefined };
    await writeLine(
      io.stdout,
      flags.json === true ? JSON.stringify(cascadeJson(about)) : printable(cascadeText(about)),
    );
  }
  if (run.cancelled) {
    const cancelled = failure('cancelled', 'cancelled');
    await fail(io, cancelled, `${run.rows.length} of ${prompts.length} prompts were asked`);
    return exitCodeOf(cancelled.code);
  }
  return exitCodes.ok;
}

function depsOf(app: App): CascadeDeps {
  const { ports } = app;
  const promptOf = (text: string): Prompt => ({
    id: ports.newId(),
    text,
    context: [],
    history: [],
    constraints: {},
  });
  return {
    local: ports.local,
    clock: ports.clock,
    checkCode: async (answer) => await ports.checkCode?.(answer),
    confidence: app.confidence,
    decide: async (text) => await app.router.decide(promptOf(text), { assumeAvailable: true }),
    neededFor(route, needed) {
      const settings = app.settings();
      const prompt = withinSettings(promptOf(''), settings);
      const registry = app.catalogue.registry();
      return deferralRuleFor({ prompt, settings, registry, ports }, route, needed).needed;
    },
  };
}

function asker(app: App, strong: Model, cap: NanoUsd) {
  let spent = ZERO_USD;
  return {
    async ask(text: string, signal: AbortSignal) {
      const asked = {
        id: app.ports.newId(),
        text,
        modelId: strong.id,
        maxCostNanoUsd: Math.max(0, cap - spent) as NanoUsd,
        sessionId: 'evaluation',
        useCache: false,
      };
      const answer = await paidAnswer(app.router, asked, signal);
      spent = addUsd(spent, answer.costNanoUsd);
      return answer;
    },
    spent: () => spent,
  };
}

interface About {
  readonly model: LocalModel;
  readonly strong: Model;
  readonly figures: CascadeFigures;
  readonly run: CascadeRun;
  readonly paidNanoUsd: NanoUsd;
  readonly asked: boolean;
}

function cascadeText({ model, strong, figures, run, paidNanoUsd, asked }: About): string {
  const { cascade, cascadeBounds: bounds, strongKnown, prompts } = figures;
  const sent = figures.atOnceShare + figures.deferredShare;
  const known = strongKnown === prompts ? '' : ` (of ${strongKnown} prompts)`;
  const rows = [
    [`${model.id} alone`, interval(figures.cheapOnly), '0.0 %', formatUsd(0)],
    [
      'cascade',
      cascade === undefined
        ? `unknown, ${formatShare(bounds.low)} to ${formatShare(bounds.high)}`
        : interval(cascade),
      formatShare(sent),
      money(figures.cascadeNanoUsd),
    ],
    [
      `${strong.id} alone`,
      figures.strong === undefined ? 'unknown' : `${interval(figures.strong)}${known}`,
      '100.0 %',
      money(figures.strongNanoUsd),
    ],
  ];
  const luck =
    figures.byLuck === undefined
      ? ''
      : ` As many sent at random would reach ${formatShare(figures.byLuck)}.`;
  return [
    `${prompts} prompts${run.leftOut === 0 ? '' : `, ${run.leftOut} left out`}`,
    table(['', 'right (95 % interval)', 'answered in the cloud', 'cost'], rows),
    `Sent at once ${formatShare(figures.atOnceShare)}, deferred by the gate ${formatShare(figures.deferredShare)}.${luck}`,
    `Gate: AUROC ${fixed(figures.gateAuroc)}, calibration error ${figures.gateCalibrationError.toFixed(3)}.`,
    '',
    table(
      ['task', 'prompts', 'right here', 'sent'],
      figures.kinds.map((kind) => [
        kind.kind,
        String(kind.prompts),
        String(kind.localRight),
        String(kind.sent),
      ]),
    ),
    ...(asked ? [`Paid for this: ${formatUsd(paidNanoUsd)}.`] : []),
    ...(run.cloudStopped === undefined
      ? []
      : [`The cloud model was asked no further: ${run.cloudStopped}`]),
    ...(cascade === undefined && !asked
      ? [
          'Without the cloud’s answers the cascade is known within bounds only: record them in the file, or let them be paid for with --max-cost-usd.',
        ]
      : []),
  ].join('\n');
}

function cascadeJson({ model, strong, figures, run, paidNanoUsd }: About) {
  return {
    prompts: figures.prompts,
    left_out: run.leftOut,
    cancelled: run.cancelled,
    cheap: { model: model.id, accuracy: intervalJson(figures.cheapOnly), cost_usd: 0 },
    cascade: {
      accuracy: intervalJson(figures.cascade),
      accuracy_bounds: figures.cascadeBounds,
      cost_usd: moneyJson(figures.cascadeNanoUsd),
      sent_at_once: figures.atOnceShare,
      deferred: figures.deferredShare,
      accuracy_by_luck: figures.byLuck ?? null,
    },
    strong: {
      model: strong.id,
      accuracy: intervalJson(figures.strong),
      known_prompts: figures.strongKnown,
      cost_usd: moneyJson(figures.strongNanoUsd),
    },
    gate: {
      auroc: figures.gateAuroc ?? null,
      calibration_error: figures.gateCalibrationError,
    },
    tasks: figures.kinds.map(({ kind, prompts, localRight, sent }) => ({
      task: kind,
      prompts,
      right_here: localRight,
      sent,
    })),
    paid_usd: dollars(paidNanoUsd),
    cloud_stopped: run.cloudStopped ?? null,
  };
}

function fixed(value: number | undefined): string {
  return value === undefined ? 'unknown' : value.toFixed(3);
}
