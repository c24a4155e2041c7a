/** Calibrating as an app offers it: with the app's models, its ledger for what the cloud costs, and its data folder. */
import type { Calibration, CalibrationTarget } from './core/calibration.ts';
import type { FittedConfidence } from './core/confidence.ts';
import type { FittedScore } from './core/fittedScore.ts';
import { paidAnswer } from './core/paidAnswer.ts';
import { portOf } from './core/portOf.ts';
import type { CheckCode, RouterPorts } from './core/ports.ts';
import { addUsd, ZERO_USD } from './core/price.ts';
import type { Router } from './core/router.ts';
import type { Settings } from './core/schema.ts';
import type { LocalModel, Model, NanoUsd } from './core/types.ts';
import { type CalibrationResult, type CloudAnswer, calibrate } from './learning/calibrate.ts';
import type { Tuning } from './tuning.ts';

export interface CalibrationRequest {
  /** A local model whose file is there; `App.local.prepare` sees to that. */
  readonly model: LocalModel;
  readonly target: CalibrationTarget;
  readonly limit?: number;
  readonly fresh?: boolean;
  /** Asks the escalation model the same questions, for no more than this. */
  readonly cloudMaxNanoUsd?: NanoUsd;
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
}

export interface CalibrationDesk {
  /** Puts the calibration in force when it is done. */
  run(request: CalibrationRequest): Promise<CalibrationResult & { readonly cloudNanoUsd: NanoUsd }>;
  /** What is in force for a model. */
  of(model: Model): Calibration | undefined;
  rollback(model: Model): Calibration | 'shipped' | 'none';
}

interface DeskOptions {
  readonly ports: RouterPorts;
  readonly router: Router;
  readonly fitted: FittedScore;
  readonly shippedConfidence: FittedConfidence;
  readonly checkCode: CheckCode;
  readonly settings: () => Settings;
  readonly tuning: Tuning;
  readonly questionsPath: string;
}

const DEFAULT_ESCALATE_SHARE = 0.5;

export function createCalibrationDesk(options: DeskOptions): CalibrationDesk {
  const { ports, tuning } = options;
  const identity = (model: Model) => portOf(model, ports).identity(model);

  return {
    async run(request) {
      const settings = options.settings();
      const registry = ports.catalogue.registry();
      const escalationId = settings.escalation ?? registry.defaults.escalation;
      const escalation = registry.models.find(({ id }) => id === escalationId);
      const { cloudMaxNanoUsd, ...asked } = request;
      const untuned = tuning.untuned(request.model);
      const model = untuned.provider === 'local' ? untuned : request.model;
      let spent = ZERO_USD;
      const askCloud =
        cloudMaxNanoUsd === undefined || escalation === undefined
          ? undefined
          : async (question: string, signal: AbortSignal): Promise<CloudAnswer> => {
              const left = Math.max(0, cloudMaxNanoUsd - spent) as NanoUsd;
              const asked = {
                id: ports.newId(),
                text: question,
                modelId: escalation.id,
                maxCostNanoUsd: left,
                sessionId: 'calibration',
                useCache: true,
              };
              const answer = await paidAnswer(options.router, asked, signal);
              spent = addUsd(spent, answer.costNanoUsd);
              return answer.kind === 'answered'
                ? answer
                : { kind: 'stopped', why: answer.failure.message };
            };
      const result = await calibrate(
        {
          local: ports.local,
          clock: ports.clock,
          checkCode: options.checkCode,
          fitted: options.fitted,
          confidence: options.shippedConfidence,
          escalateShare: DEFAULT_ESCALATE_SHARE,
          questionsPath: options.questionsPath,
        },
        { ...asked, model, escalation, ...(askCloud === undefined ? {} : { askCloud }) },
        (of) => tuning.calibrations.journal(of),
      );
      if (result.kind === 'calibrated') tuning.calibrations.put(result.calibration);
      return { ...result, cloudNanoUsd: spent };
    },
    of: (model) => tuning.calibrations.current().get(identity(model)),
    rollback: (model) => tuning.calibrations.rollback(identity(model)),
  };
}
