/**
 * What was learned on this machine, laid over what shipped: calibrated gates, abilities moved by outcomes, and the share
 * that escalates. Everything is bound to the identity of the model that it was learned on.
 */
import { join } from 'node:path';
import { type Calibration, type OutcomeCounts, withCalibratedGates } from './core/calibration.ts';
import type { FittedConfidence } from './core/confidence.ts';
import type { FittedScore } from './core/fittedScore.ts';
import { measuredAbility } from './core/measuredAbility.ts';
import type { Settings } from './core/schema.ts';
import type { Model, Registry } from './core/types.ts';
import type { LiveCatalogue } from './models/catalogue.ts';
import { type Calibrations, openCalibrations } from './store/calibrations.ts';

/** Another file under a model's name is noticed so soon; to look at every prompt would cost more than the decision. */
const IDENTITIES_HOLD_MS = 1_000;

export interface TuningOptions {
  readonly dataDir: string;
  readonly fitted: FittedScore;
  readonly shippedConfidence: FittedConfidence;
  readonly identityOf: (model: Model) => string;
  readonly onProblem: (message: string) => void;
}

export interface Tuning {
  readonly calibrations: Calibrations;
  confidence(): FittedConfidence;
  /** A model as it was before anything was laid over it, so that what is learned is not counted twice. */
  untuned(model: Model): Model;
  /** The settings with the share that escalates as it was learned for the cheap model; as they are where it was not. */
  settings(settings: Settings, registry: Registry): Settings;
  /** The catalogue with abilities as they were measured here. */
  over(below: LiveCatalogue): LiveCatalogue;
}

export function openTuning(options: TuningOptions): Tuning {
  const { fitted, identityOf } = options;
  const calibrations = openCalibrations(join(options.dataDir, 'calibration'), options.onProblem);
  const calibrationOf = (model: Model): Calibration | undefined => {
    const current = calibrations.current();
    return current.size === 0 ? undefined : current.get(identityOf(model));
  };

  const confidence = remembered((current: ReadonlyMap<string, Calibration>) =>
    withCalibratedGates(options.shippedConfidence, current.values()),
  );
  /** A model keeps its object while its counts do, because scorers and thresholds are remembered by it. */
  const tuned = new WeakMap<Model, { readonly counts: OutcomeCounts; readonly model: Model }>();
  const originals = new WeakMap<Model, Model>();
  const modelWith = (model: Model): Model => {
    const counts = calibrationOf(model)?.outcomes;
    if (counts === undefined) return model;
    const known = tuned.get(model);
    if (known?.counts === counts) return known.model;
    const measured = { ...model, ability: measuredAbility(fitted, model.ability, counts) };
    tuned.set(model, { counts, model: measured });
    originals.set(measured, model);
    return measured;
  };

  return {
    calibrations,
    untuned: (model) => originals.get(model) ?? model,
    confidence: () => confidence(calibrations.current()),
    settings(settings, registry) {
      const id = settings.cheap ?? registry.defaults.cheap;
      const cheap = registry.models.find((model) => model.id === id);
      const share = cheap && calibrationOf(cheap)?.escalateShare;
      return share === undefined ? settings : { ...settings, escalateShare: share };
    },
    over(below) {
      let last: { below: Registry; registry: Registry; learned: unknown; atMs: number } | undefined;
      return {
        ...below,
        registry() {
          const registry = below.registry();
          const learned = calibrations.current();
          if (learned.size === 0) return registry;
          const atMs = performance.now();
          const fresh = last !== undefined && atMs - last.atMs < IDENTITIES_HOLD_MS;
          if (last?.below === registry && last.learned === learned && fresh) return last.registry;
          const models = registry.models.map(modelWith);
          const same = models.every((model, at) => model === last?.registry.models[at]);
          const tunedRegistry =
            last?.below === registry && same ? last.registry : { ...registry, models };
          last = { below: registry, registry: tunedRegistry, learned, atMs };
          return tunedRegistry;
        },
      };
    },
  };
}

/** The value for an argument, made again only when another one comes. */
function remembered<Argument, Value>(make: (argument: Argument) => Value) {
  let last: { readonly argument: Argument; readonly value: Value } | undefined;
  return (argument: Argument): Value => {
    if (last?.argument !== argument) last = { argument, value: make(argument) };
    return last.value;
  };
}
