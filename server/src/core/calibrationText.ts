/** What a calibration found, in the words and figures that every surface shows alike. */
import type { Calibration, CascadeFigures } from './calibration.ts';
import { formatShare } from './report.ts';
import type { Translate } from './translate.ts';

/** One figure without the calibration and with it. */
export interface CalibrationFigure {
  readonly name: string;
  readonly before: string;
  readonly after: string;
}

export function calibrationFigures(
  { before, after }: Calibration,
  t: Translate,
): readonly CalibrationFigure[] {
  const figure = (name: string, of: (figures: CascadeFigures) => string): CalibrationFigure => ({
    name,
    before: of(before),
    after: of(after),
  });
  const fixed = (value: number | null) => value?.toFixed(3) ?? t('unknown');
  return [
    figure(t('answered in the cloud'), ({ escalated }) => formatShare(escalated)),
    figure(t('quality kept'), ({ kept }) => formatShare(kept)),
    figure(t('gate: AUROC'), ({ gateAuroc }) => fixed(gateAuroc)),
    figure(t('gate: calibration error'), ({ gateCalibrationError }) => fixed(gateCalibrationError)),
    figure(t('score: AUROC'), ({ scoreAuroc }) => fixed(scoreAuroc)),
    figure(t('score and gate: AUROC'), ({ bothAuroc }) => fixed(bothAuroc)),
  ];
}

export function calibrationTaskHead(t: Translate): readonly string[] {
  return [t('task'), t('right'), t('share'), t('median time')];
}

/** By kind of question: right answers, their share, and how long one took; as `calibrationTaskHead` names them. */
export function calibrationTasks(
  { kinds }: Calibration,
  t: Translate,
): readonly (readonly string[])[] {
  return Object.entries(kinds).map(([kind, { answers, right, medianMs }]) => [
    kind,
    t('{right} of {answers}', { right, answers }),
    formatShare(right / answers),
    medianMs === null ? t('unknown') : `${medianMs} ms`,
  ]);
}

/** `smollm2 (sha256 b179c9523d0e…): 150 answers, 41 tokens a second` */
export function calibrationHead(calibration: Calibration, t: Translate): string {
  const { modelId, identity, gate, tokensPerSecond } = calibration;
  const facts = {
    model: modelId,
    identity: identity.slice(0, 12),
    answers: gate.answers ?? 0,
    speed: tokensPerSecond ?? 0,
  };
  return tokensPerSecond === null
    ? t('{model} (sha256 {identity}…): {answers} answers', facts)
    : t('{model} (sha256 {identity}…): {answers} answers, {speed} tokens a second', facts);
}

export function calibrationTarget({ target, cloud }: Calibration, t: Translate): string {
  const share = formatShare(target.value);
  const wanted =
    target.kind === 'kept'
      ? t("Target: at least {share} of the cloud model's quality.", { share })
      : t('Target: at most {share} answered in the cloud.', { share });
  const how =
    cloud === 'measured'
      ? t("The cloud model's quality is measured.")
      : t("The cloud model's quality is estimated.");
  return `${wanted} ${how}`;
}

export function calibrationThreshold({ gate, escalateShare }: Calibration, t: Translate): string {
  const facts = { share: formatShare(escalateShare), needed: gate.needed.toFixed(2) };
  const { early } = gate;
  return early === undefined
    ? t(
        'Threshold: the highest {share} of scores go to the cloud at once; local answers below confidence {needed} are deferred.',
        facts,
      )
    : t(
        'Threshold: the highest {share} of scores go to the cloud at once; local answers below confidence {needed} are deferred, below {below} already after {tokens} tokens.',
        { ...facts, below: early.below.toFixed(2), tokens: early.fromTokens },
      );
}
