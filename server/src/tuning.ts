/**
 * What was learned on this machine, laid over what shipped: calibrated gates, abilities moved by outcomes, and the share
 * that escalates. Everything is bound to the identity of the model that it was learned on.
 */
import { join } from 'node:path';
import { type Calibration, type OutcomeCounts, withCalibratedGates } from './core/calibration.ts';
import type { FittedConfidence } from './core/confidence.ts';
import type { FittedScore } from './core/fittedScore.ts';
import { addCounts, measuredAbility } from './core/measuredAbility.ts';
import {
  type Learned,
  type LearnedModel,
  learnedShare,
  type Outcome,
  outcomeOf,
  replay,
} from './core/outcomeLearning.ts';
import type { JudgedRecord } from './core/routeReports.ts';
import type { Settings } from './core/schema.ts';
import type { Model, Registry } from './core/types.ts';
import type { LiveCatalogue } from './models/catalogue.ts';
import { type Calibrations, openCalibrations } from './store/calibrations.ts';
import { openLearningMarks } from './store/learningMarks.ts';

/** Another file under a model's name is noticed so soon; to look at every prompt would cost more than the decision. */
const IDENTITIES_HOLD_MS = 1_000;

export interface TuningOptions {
  readonly dataDir: string;
  readonly fitted: FittedScore;
  readonly shippedConfidence: FittedConfidence;
  readonly identityOf: (model: Model) => string;
  readonly onProblem: (message: string) => void;
}

/** What was learned of one model from outcomes, as `learning status` tells it. */
export interface LearnedStatus {
  readonly model: Model;
  readonly learned: LearnedModel;
  /** The share that escalates as it was calibrated or shipped, and as it is now. */
  readonly shareBefore: number;
  readonly share: number;
}

export interface Tuning {
  readonly calibrations: Calibrations;
  confidence(): FittedConfidence;
  /** A model as it was before anything was laid over it, so that what is learned is not counted twice. */
  untuned(model: Model): Model;
  /** The settings with the share that escalates as it was learned for the cheap model; as they are where it was not. */
  settings(settings: Settings, registry: Registry): Settings;
  /** Learns anew from every verdict in the ledger that is not forgotten. */
  learnFrom(judged: readonly JudgedRecord[]): void;
  learned(registry: Registry, settings: Settings): readonly LearnedStatus[];
  /** Forgets the newest verdicts, all of them when no number is given; returns how many that were. */
  forget(newest: number | undefined, nowMs: number): number;
  /** The catalogue with abilities as they were measured here. */
  over(below: LiveCatalogue): LiveCatalogue;
}

export function openTuning(options: TuningOptions): Tuning {
  const { fitted, identityOf } = options;
  const calibrations = openCalibrations(join(options.dataDir, 'calibration'), options.onProblem);
  const marks = openLearningMarks(join(options.dataDir, 'learning.json'));
  let outcomes: readonly Outcome[] = [];
  let learned: Learned = new Map();
  const relearn = () => {
    learned = replay(outcomes.filter(({ seq }) => !marks.isForgotten(seq)));
    countsOf.clear();
  };
  const learnedOf = (model: Model): LearnedModel | undefined =>
    learned.size === 0 ? undefined : learned.get(identityOf(model));
  const shareOf = (cheap: Model, otherwise: number) => {
    const calibrated = calibrationOf(cheap)?.escalateShare ?? otherwise;
    const known = learnedOf(cheap);
    return {
      before: calibrated,
      now: known === undefined ? calibrated : learnedShare(calibrated, known),
    };
  };
  const cheapOf = (settings: Settings, registry: Registry) => {
    const id = settings.cheap ?? registry.defaults.cheap;
    return registry.models.find((model) => model.id === id);
  };
  const calibrationOf = (model: Model): Calibration | undefined => {
    const current = calibrations.current();
    return current.size === 0 ? undefined : current.get(identityOf(model));
  };

  const confidence = remembered((current: ReadonlyMap<string, Calibration>) =>
    withCalibratedGates(options.shippedConfidence, current.values()),
  );
  /** A model keeps its object while its counts do, because scorers and thresholds are remembered by it. */
  const tuned = new WeakMap<Model, { readonly counts: OutcomeCounts; readonly model: Model }>();
  /** Calibration and use together, made once for each pair of them, by identity. */
  const countsOf = new Map<
    string,
    { readonly calibrated: OutcomeCounts | undefined; readonly counts: OutcomeCounts }
  >();
  function measured(model: Model): OutcomeCounts | undefined {
    const calibrated = calibrationOf(model)?.outcomes;
    const used = learnedOf(model)?.counts;
    if (used === undefined) return calibrated;
    const identity = identityOf(model);
    const known = countsOf.get(identity);
    if (known !== undefined && known.calibrated === calibrated) return known.counts;
    const counts = addCounts(calibrated ?? {}, used);
    countsOf.set(identity, { calibrated, counts });
    return counts;
  }
  const originals = new WeakMap<Model, Model>();
  const modelWith = (model: Model): Model => {
    const counts = measured(model);
    if (counts === undefined) return model;
    const known = tuned.get(model);
    if (known?.counts === counts) return known.model;
    const moved = { ...model, ability: measuredAbility(fitted, model.ability, counts) };
    tuned.set(model, { counts, model: moved });
    originals.set(moved, model);
    return moved;
  };

  return {
    calibrations,
    untuned: (model) => originals.get(model) ?? model,
    confidence: () => confidence(calibrations.current()),
    settings(settings, registry) {
      const cheap = cheapOf(settings, registry);
      if (cheap === undefined) return settings;
      const { now } = shareOf(cheap, settings.escalateShare);
      return now === settings.escalateShare ? settings : { ...settings, escalateShare: now };
    },
    learnFrom(judged) {
      outcomes = judged.flatMap(
        ({ seq, verdict, record }) => outcomeOf(seq, verdict, record) ?? [],
      );
      relearn();
    },
    learned: (registry, settings) =>
      registry.models.flatMap((model) => {
        const known = learnedOf(model);
        if (known === undefined) return [];
        const { before, now } = shareOf(model, settings.escalateShare);
        return [{ model, learned: known, shareBefore: before, share: now }];
      }),
    forget(newest, nowMs) {
      const inForce = outcomes.filter(({ seq }) => !marks.isForgotten(seq));
      const going =
        newest === undefined ? inForce : inForce.slice(Math.max(0, inForce.length - newest));
      const [first] = going;
      const last = going.at(-1);
      if (first === undefined || last === undefined) return 0;
      marks.forget(first.seq, last.seq, nowMs);
      relearn();
      return going.length;
    },
    over(below) {
      let last:
        | { below: Registry; registry: Registry; current: unknown; learned: unknown; atMs: number }
        | undefined;
      return {
        ...below,
        registry() {
          const registry = below.registry();
          const current = calibrations.current();
          if (current.size === 0 && learned.size === 0) return registry;
          const atMs = performance.now();
          const fresh = last !== undefined && atMs - last.atMs < IDENTITIES_HOLD_MS;
          if (
            last?.below === registry &&
            last.current === current &&
            last.learned === learned &&
            fresh
          )
            return last.registry;
          const models = registry.models.map(modelWith);
          const same = models.every((model, at) => model === last?.registry.models[at]);
          const tunedRegistry =
            last?.below === registry && same ? last.registry : { ...registry, models };
          last = { below: registry, registry: tunedRegistry, current, learned, atMs };
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
